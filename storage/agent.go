package storage

import "time"

// AgentID names an agent, such as "alice". It is not PHI.
type AgentID string

// Agent is a person who takes calls.
type Agent struct {
	ID               AgentID    `json:"id"`
	Name             string     `json:"name"`
	SpokenName       string     `json:"spoken_name,omitempty"`  // as the machine says it; Name if empty
	Organisation     string     `json:"organisation,omitempty"` // if other than the site's own
	Endpoint         string     `json:"endpoint"`               // "PJSIP/agent-alice"
	OnDuty           bool       `json:"on_duty"`
	RecordingConsent bool       `json:"recording_consent"`   // standing consent to be recorded at work
	State            string     `json:"state,omitempty"`     // US state code
	Languages        []string   `json:"languages,omitempty"` // BCP 47
	HiredAt          time.Time  `json:"hired_at,omitzero"`
	LastCallEndedAt  time.Time  `json:"last_call_ended_at,omitzero"`
	Trainings        []Training `json:"trainings,omitempty"`
}

// Training is one course an agent completed (45 CFR 164.530(b)).
type Training struct {
	Course        string    `json:"course"`
	PolicyVersion string    `json:"policy_version"`
	CompletedAt   time.Time `json:"completed_at"`
	ExpiresAt     time.Time `json:"expires_at,omitzero"`
}
