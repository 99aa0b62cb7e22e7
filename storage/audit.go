package storage

import (
	"slices"
	"time"
)

// Outcome says what an audit entry reports.
type Outcome string

// The outcomes.
const (
	OutcomeDeny  Outcome = "deny"
	OutcomeAllow Outcome = "allow"
	OutcomeEvent Outcome = "event" // something that happened and needed no decision
)

// Facts are the inputs of a decision. They may hold PHI, so they redact
// themselves, are sealed beside the entry, and only their salted hash is in
// the log. Convert to []byte to read them.
type Facts []byte

// Entry is one line of the audit log (45 CFR 164.312(b)). It holds pseudonyms,
// enums, ids and numbers of ours; never an answer, a name, a digit a caller
// pressed.
//
// Text fields take printable ASCII without the quotation mark and the
// backslash, at most 256 bytes, so that an entry has one encoding; anything
// else is ErrInvalid. See package auditlog.
type Entry struct {
	At      time.Time // the store's clock if zero
	Actor   string    // "callward", "agent:alice", "cli:patient-import"
	Call    string
	Patient PatientID
	Action  string // "StartRecording", "consent.withdrawn"
	Outcome Outcome
	Rules   []string // at most 64
	Profile string

	// FactsHash is of the decision's inputs. The store sets it when Facts is
	// given: SHA-256 over a random salt and Facts, so that a copied log does
	// not let facts be guessed.
	FactsHash Digest
	Facts     Facts

	Detail map[string]string // at most 64; enums, ids and numbers of ours
}

// StoredEntry is an entry as the log has it. Facts are left out; see
// AuditTx.EntryFacts.
type StoredEntry struct {
	Number int64
	Entry  Entry
	Leaf   string // the exact bytes the tree hashes: one line of JSON
}

// MarshalJSON is the leaf itself, so that whoever reads the list can hash it.
func (s StoredEntry) MarshalJSON() ([]byte, error) { return []byte(s.Leaf), nil }

// EntryFilter chooses entries. Zero fields do not choose.
type EntryFilter struct {
	After    int64 // entry numbers greater than this
	Before   int64 // entry numbers less than this
	Call     string
	Patient  PatientID
	Actor    string
	Action   string
	Outcome  Outcome
	Rule     string
	From, To time.Time // At in [From, To)
	Limit    int       // the first so many; with Last, the last so many
	Last     bool
}

// AuditTree is the state of the log: as many entries as Size, with this root.
type AuditTree struct {
	Size int64
	Root [32]byte
}

// Checkpoint is a signed statement of an AuditTree (a note as of
// golang.org/x/mod/sumdb/note).
type Checkpoint struct {
	Size int64     `json:"size"`
	At   time.Time `json:"at"`
	Note []byte    `json:"note"`
}

// Matches tells whether the filter chooses an entry; Limit and Last are the
// lister's to keep.
func (f EntryFilter) Matches(n int64, e Entry) bool {
	switch {
	case n <= f.After,
		f.Before > 0 && n >= f.Before,
		f.Call != "" && e.Call != f.Call,
		f.Patient != "" && e.Patient != f.Patient,
		f.Actor != "" && e.Actor != f.Actor,
		f.Action != "" && e.Action != f.Action,
		f.Outcome != "" && e.Outcome != f.Outcome,
		f.Rule != "" && !slices.Contains(e.Rules, f.Rule),
		!f.From.IsZero() && e.At.Before(f.From),
		!f.To.IsZero() && !e.At.Before(f.To):
		return false
	}
	return true
}
