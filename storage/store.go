package storage

import (
	"context"
	"time"
)

// Store keeps Callward's data. Methods may be called from several goroutines.
type Store interface {
	// View runs fn over one consistent snapshot. Writes through its Tx return
	// ErrReadOnly. It returns fn's error, or ErrUnavailable, or ctx's cause if
	// ctx ended before fn began. fn must not call the Store.
	View(ctx context.Context, fn func(Tx) error) error

	// Update runs fn in one durable transaction: when it returns nil,
	// everything fn wrote, audit entries included, is on disk; when it returns
	// an error, nothing is. Concurrent calls may share one disk write; each fn
	// stays atomic by itself. A driver may run fn again after a serialisation
	// failure, so fn must have no effect outside tx but setting variables.
	// fn must not call the Store and should not wait for anything else.
	//
	// ctx is honoured until fn begins. Once fn has returned nil, Update waits
	// for the commit whatever ctx says, so that its outcome is known.
	//
	// Errors: fn's own, ErrUnavailable, ErrClosed.
	Update(ctx context.Context, fn func(Tx) error) error

	// Close waits for running transactions and releases the store. It may be
	// called twice.
	Close() error
}

// Tx is one transaction; it ends with the function it was handed to and must
// not be shared between goroutines.
//
// Every method may return ErrUnavailable and ErrTxDone; those that write may
// return ErrReadOnly and ErrInvalid; those that touch PHI may return ErrSealed.
// Other errors are named at the method.
type Tx interface {
	AuditTx
	PatientTx
	AgentTx
	CallTx
	RecordingTx
	ContactTx
}

// AuditTx is the audit log: append-only, numbered from 1 without gaps.
type AuditTx interface {
	// Audit appends an entry and returns its number, which holds only if the
	// transaction commits. A zero At is set from the store's clock.
	Audit(Entry) (n int64, err error)

	// Entries lists entries in order of number.
	Entries(EntryFilter) ([]StoredEntry, error)

	// EntryFacts opens the facts sealed beside entry n and checks them against
	// the hash in its leaf. ErrNotFound if there are none; ErrSealed if they
	// do not match.
	EntryFacts(n int64) ([]byte, error)

	// AuditTree is the size and root hash (RFC 6962) of the log as this
	// transaction sees it.
	AuditTree() (AuditTree, error)

	// AuditHashes reads stored hashes by golang.org/x/mod/sumdb/tlog index,
	// for proofs. ErrNotFound for an index beyond the tree.
	AuditHashes(indexes []int64) ([][32]byte, error)

	// AddCheckpoint keeps a signed checkpoint. Adding the same note again
	// changes nothing.
	AddCheckpoint(Checkpoint) error

	// Checkpoints lists all, smallest tree first.
	Checkpoints() ([]Checkpoint, error)
}

// PatientTx is patients and what billing needs to verify them.
type PatientTx interface {
	// PutPatient writes the whole record, identifiers included, over what was
	// there; changed is false, and nothing is written, if it was the same.
	// ErrConflict if another patient has the same Source.
	PutPatient(Patient) (changed bool, err error)

	// Patient reads one record. ErrNotFound.
	Patient(PatientID) (Patient, error)

	// PatientBySource finds the pseudonym of a record imported before.
	// ErrNotFound.
	PatientBySource(Source) (PatientID, error)

	// Patients lists ids in ascending order after the given one ("" = from the
	// start), at most limit (0 = all).
	Patients(after PatientID, limit int) ([]PatientID, error)

	// MatchPatients returns every record that at least one identifier matches,
	// ordered by id, each with the kinds that matched and the kinds on file.
	// Values must be normalised (policy.Normalize*). No match is an empty
	// slice, not an error.
	MatchPatients([]Identifier) ([]PatientMatch, error)

	// PutVisit writes a visit, keyed by Visit.ID; changed as in PutPatient.
	// ErrNotFound without its patient, ErrConflict if it is another patient's.
	PutVisit(Visit) (changed bool, err error)

	// Visits lists a patient's visits, newest first.
	Visits(PatientID) ([]Visit, error)

	// LatestVisits returns the finished visits on the most recent date of
	// service that began before the given instant: several if several share
	// that date, none if the patient was never seen.
	LatestVisits(id PatientID, before time.Time) ([]Visit, error)

	// PutInvoice writes an invoice, keyed by Invoice.Number; as PutVisit.
	PutInvoice(Invoice) (changed bool, err error)

	// Invoices lists a patient's invoices, void ones included, newest first.
	Invoices(PatientID) ([]Invoice, error)

	// AddAttempt records one submitted set of identifiers. ErrNotFound if it
	// names an unknown patient.
	AddAttempt(Attempt) error

	// Attempts lists a call's attempts, oldest first.
	Attempts(callID string) ([]Attempt, error)

	// CountFailures counts the failed attempts against a record at or after
	// since. fifthAt is when the record was last locked: the instant of the
	// fifth failure within 24 h (identity.attempts.limit), zero if never.
	// Failures in the 24 h after it neither move it nor count to the next.
	CountFailures(id PatientID, since time.Time) (n int, fifthAt time.Time, err error)
}

// AgentTx is agents and their training.
type AgentTx interface {
	// PutAgent writes the agent and all trainings; changed as in PutPatient.
	PutAgent(Agent) (changed bool, err error)

	// Agent reads one. ErrNotFound.
	Agent(AgentID) (Agent, error)

	// Agents lists all by id.
	Agents() ([]Agent, error)
}

// CallTx is calls, their steps and the consents given on them.
type CallTx interface {
	// PutCall writes c if the stored version is c.Version (0 for a new call),
	// and stores it with Version+1; after Update returned nil the caller adds
	// one to its own copy. ErrConflict otherwise.
	PutCall(c Call) error

	// Call reads one. ErrNotFound.
	Call(id string) (Call, error)

	// OpenCalls lists calls without an EndedAt, oldest first: those to adopt
	// after a restart.
	OpenCalls() ([]Call, error)

	// Calls lists calls by filter, newest first.
	Calls(CallFilter) ([]Call, error)

	// AddStep appends a completed step and makes it the call's Step. It leaves
	// the call's Version alone. ErrNotFound without the call.
	AddStep(callID string, s Step) error

	// Steps lists a call's steps in order.
	Steps(callID string) ([]Step, error)

	// AddConsent appends a consent event and returns its id. Consents are
	// never changed: a later answer or a withdrawal is a new one. ErrNotFound
	// without the call.
	AddConsent(Consent) (id int64, err error)

	// Consent reads one. ErrNotFound.
	Consent(id int64) (Consent, error)

	// Consents lists a call's consent events in order; the last one of a party
	// and purpose is the one that holds.
	Consents(callID string) ([]Consent, error)
}

// RecordingTx is what is known of recordings. Audio is never here.
type RecordingTx interface {
	// PutRecording writes the row whole. ErrNotFound without its call or
	// consent.
	PutRecording(Recording) error

	// Recording reads one. ErrNotFound.
	Recording(id string) (Recording, error)

	// Recordings lists by filter, newest first.
	Recordings(RecordingFilter) ([]Recording, error)
}

// ContactTx is what patients asked of us: to be called back, or never again.
type ContactTx interface {
	// AddCallback keeps a call-back request and returns its id.
	AddCallback(Callback) (id int64, err error)

	// Callbacks lists requests, oldest first; open only leaves out those done.
	Callbacks(openOnly bool) ([]Callback, error)

	// CallbackDone closes a request. ErrNotFound.
	CallbackDone(id int64, at time.Time) error

	// AddOptOut keeps a wish not to be contacted. At least one of Phone and
	// Patient must be set.
	AddOptOut(OptOut) error

	// OptOuts lists the wishes kept for a number or a patient, oldest first.
	// Either may be empty.
	OptOuts(phone string, patient PatientID) ([]OptOut, error)
}
