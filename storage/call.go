package storage

import "time"

// Call is one person's contact, kept so that it survives its controller. It
// holds no PHI: a patient appears by pseudonym, numbers and answers not at all.
//
//	stateDiagram-v2
//	    [*] --> Open: PutCall, Version 0
//	    Open --> Open: PutCall with the current Version, AddStep
//	    Open --> Ended: PutCall with EndedAt
//	    Ended --> [*]
type Call struct {
	ID              string           `json:"id"`   // the patient's leg, as the controller sees it
	Step            string           `json:"step"` // the last completed one
	Language        string           `json:"language,omitempty"`
	Intent          string           `json:"intent,omitempty"`
	VerifiedPatient PatientID        `json:"verified_patient,omitempty"`
	VerifiedAt      time.Time        `json:"verified_at,omitzero"`
	VerifiedBy      []IdentifierKind `json:"verified_by,omitempty"`
	AgentID         AgentID          `json:"agent,omitempty"`
	AgentChannel    string           `json:"agent_channel,omitempty"`
	Bridge          string           `json:"bridge,omitempty"`
	RecordingID     string           `json:"recording,omitempty"`
	StartedAt       time.Time        `json:"started_at"`
	AnsweredAt      time.Time        `json:"answered_at,omitzero"`
	EndedAt         time.Time        `json:"ended_at,omitzero"`
	Disposition     string           `json:"disposition,omitempty"`
	Reason          string           `json:"reason,omitempty"`
	HangupCause     int              `json:"hangup_cause,omitempty"` // Q.850
	Version         int64            `json:"version"`
}

// Step is one completed step of a call.
type Step struct {
	Number int64     `json:"number"` // from 1 within the call, set by the store
	Name   string    `json:"name"`
	At     time.Time `json:"at"`
	Entry  int64     `json:"entry,omitempty"` // the audit entry of its decision, if it had one
}

// CallFilter chooses calls. Zero fields do not choose.
type CallFilter struct {
	Agent    AgentID
	Patient  PatientID
	From, To time.Time // StartedAt in [From, To)
	Limit    int
}

// Answer is what a party said to a request for consent.
type Answer string

// The answers. Only AnswerYes is consent; an unknown one is not.
const (
	AnswerYes       Answer = "yes"
	AnswerNo        Answer = "no"
	AnswerSilence   Answer = "silence"
	AnswerUnclear   Answer = "unclear"
	AnswerWithdrawn Answer = "withdrawn"
)

// Consent is one consent event: a party's answer after a notice, or its
// withdrawal. Events are only ever added (recording.consent.evidence).
type Consent struct {
	ID            int64     `json:"id"` // set by the store
	CallID        string    `json:"call"`
	Patient       PatientID `json:"patient,omitempty"`
	Party         string    `json:"party"`      // leg or agent id
	PartyKind     string    `json:"party_kind"` // patient, agent, interpreter, relative, supervisor, relay_operator
	Purpose       string    `json:"purpose"`    // "recording"
	Answer        Answer    `json:"answer"`
	By            string    `json:"by,omitempty"` // "dtmf", "agent", "standing"
	PromptID      string    `json:"prompt,omitempty"`
	PromptVersion string    `json:"prompt_version,omitempty"`
	Language      string    `json:"language,omitempty"`
	At            time.Time `json:"at"`
}
