package storage

import "time"

// Callback is a request to be called back. It redacts itself.
type Callback struct {
	ID          int64 // set by the store
	CallID      string
	Patient     PatientID // if the caller was verified
	Phone       string    // E.164; sealed
	Language    string
	Intent      string
	RequestedAt time.Time
	DoneAt      time.Time
}

// OptOutChannel is what a patient no longer wants.
type OptOutChannel string

// The channels.
const (
	OptOutAll   OptOutChannel = "all"
	OptOutCalls OptOutChannel = "calls"
	OptOutTexts OptOutChannel = "texts"
)

// OptOut is a wish not to be contacted. It redacts itself.
type OptOut struct {
	Phone   string // E.164; sealed, looked up by keyed hash
	Patient PatientID
	Channel OptOutChannel
	CallID  string
	At      time.Time
}
