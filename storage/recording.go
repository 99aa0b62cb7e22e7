package storage

import "time"

// RecordingStatus is where a recording stands.
//
//	stateDiagram-v2
//	    [*] --> live
//	    live --> sealed: stopped
//	    live --> withdrawn: consent withdrawn
//	    live --> discarded: withdrawn within 10 s
//	    live --> broken: disk full, key missing, controller died
//	    sealed --> withdrawn
//	    sealed --> quarantined: no consent record, or does not authenticate
//	    withdrawn --> disposed
//	    sealed --> disposed
type RecordingStatus string

// The statuses.
const (
	RecordingLive        RecordingStatus = "live"
	RecordingSealed      RecordingStatus = "sealed"
	RecordingWithdrawn   RecordingStatus = "withdrawn" // kept sealed, for officers only
	RecordingDiscarded   RecordingStatus = "discarded"
	RecordingBroken      RecordingStatus = "broken" // ended by a fault; what authenticates is kept
	RecordingQuarantined RecordingStatus = "quarantined"
	RecordingDisposed    RecordingStatus = "disposed"
)

// Recording is what is known of one sealed file. Arrays are by track: 0 the
// patient, 1 what the patient hears.
type Recording struct {
	ID          string          `json:"id"` // "<call id>-r<segment>", file-name safe
	CallID      string          `json:"call"`
	Segment     int             `json:"segment"`
	ConsentID   int64           `json:"consent"`
	Patient     PatientID       `json:"patient,omitempty"`
	Status      RecordingStatus `json:"status"`
	Reason      string          `json:"reason,omitempty"` // why it ended
	Path        string          `json:"path"`
	StartedAt   time.Time       `json:"started_at"`
	LastFrameAt time.Time       `json:"last_frame_at,omitzero"`
	StoppedAt   time.Time       `json:"stopped_at,omitzero"`
	WithdrawnAt time.Time       `json:"withdrawn_at,omitzero"`
	Duration    time.Duration   `json:"duration_ns,omitempty"` // kept to the millisecond
	Bytes       int64           `json:"bytes,omitempty"`
	Frames      [2]int          `json:"frames"`
	Lost        [2]int          `json:"lost"`
	Late        [2]int          `json:"late"`
	SHA256      Digest          `json:"sha256,omitzero"` // of the sealed file
}

// RecordingFilter chooses recordings. Zero fields do not choose.
type RecordingFilter struct {
	CallID   string
	Patient  PatientID
	Status   RecordingStatus
	From, To time.Time // StartedAt in [From, To)
	Limit    int
}
