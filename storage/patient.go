package storage

import (
	"encoding/hex"
	"fmt"
	"io"
	"time"
)

// PatientID is a pseudonym of ours: random, not derived from anything about
// the patient, and the only name a patient has in the audit log.
type PatientID string

// NewPatientID draws a pseudonym from r (crypto/rand.Reader outside tests).
func NewPatientID(r io.Reader) (PatientID, error) {
	var b [12]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		return "", fmt.Errorf("storage: draw a patient id: %w", err)
	}
	return PatientID("p-" + hex.EncodeToString(b[:])), nil
}

// IdentifierKind is a category of identifier. Two numbers of one kind, such as
// home and mobile, are one category (identity.identifiers.two).
type IdentifierKind string

// The kinds. The form of each value is that of policy's normaliser.
const (
	KindBirthDate IdentifierKind = "birth_date" // YYYY-MM-DD
	KindPhone     IdentifierKind = "phone"      // E.164
	KindAddress   IdentifierKind = "address"    // number, street, ZIP5
	KindHouseZIP  IdentifierKind = "house_zip"  // number, ZIP5: an address as a keypad can give it
	KindMRN       IdentifierKind = "mrn"
	KindMemberID  IdentifierKind = "member_id"
	KindAccount   IdentifierKind = "account"
)

// IdentifierKinds lists every kind there is.
func IdentifierKinds() []IdentifierKind {
	return []IdentifierKind{KindBirthDate, KindPhone, KindAddress, KindHouseZIP, KindMRN, KindMemberID, KindAccount}
}

// Valid tells whether k is one of the kinds.
func (k IdentifierKind) Valid() bool {
	for _, known := range IdentifierKinds() {
		if k == known {
			return true
		}
	}
	return false
}

// Identifier is one value by which a patient can be found. It redacts itself.
type Identifier struct {
	Kind   IdentifierKind
	Value  string // normalised; lookup is exact
	System string // who issued it, as the source says; not part of the lookup
}

// Address is where a patient lives now. It redacts itself.
type Address struct {
	Lines []string
	City  string
	State string // US state code; a location candidate for recording.consent.all_parties
	ZIP   string
}

// Source is how the system a record was imported from calls it. It redacts
// itself, for a hospital's record id is PHI.
type Source struct {
	System string
	ID     string
}

// IsZero tells whether the record has no source.
func (s Source) IsZero() bool { return s == Source{} }

// Patient is one record. It redacts itself. Everything but ID is sealed.
type Patient struct {
	ID          PatientID
	Source      Source
	Name        string
	BirthDate   string // YYYY-MM-DD; empty if the record lacks it
	Language    string // BCP 47; empty if unknown
	Deceased    bool
	Identifiers []Identifier
	Addresses   []Address
}

// PatientMatch is a record that at least one offered identifier matched.
type PatientMatch struct {
	Patient PatientID
	Matched []IdentifierKind // of those offered
	OnFile  []IdentifierKind // all the record has; one that is missing is unavailable, not wrong
}

// VisitStatus is where a visit stands. Only Finished is a date of service.
type VisitStatus string

// The statuses; an unknown one is never a date of service.
const (
	VisitFinished   VisitStatus = "finished"
	VisitInProgress VisitStatus = "in_progress"
	VisitPlanned    VisitStatus = "planned"
	VisitCancelled  VisitStatus = "cancelled"
)

// Visit is one encounter. It redacts itself.
type Visit struct {
	ID      string // the source's own, unique over all patients
	Patient PatientID
	Date    string    // YYYY-MM-DD, the calendar date where it took place
	Start   time.Time // when it began
	Status  VisitStatus
}

// Invoice is one bill. It redacts itself.
type Invoice struct {
	Number  string // normalised (policy.NormalizeIdentifier), unique over all patients
	Patient PatientID
	Date    string // YYYY-MM-DD
	Void    bool
}

// AttemptResult is how one submitted set of identifiers ended.
type AttemptResult string

// The results. Only AttemptFailed counts against the record; whether an
// unreadable set counts against the call is policy's to say.
const (
	AttemptMatched    AttemptResult = "matched"
	AttemptFailed     AttemptResult = "failed"
	AttemptAmbiguous  AttemptResult = "ambiguous"
	AttemptUnreadable AttemptResult = "unreadable"
)

// Attempt is one submitted set of identifiers: which kinds, never which values.
type Attempt struct {
	CallID   string           `json:"call"`
	At       time.Time        `json:"at"`
	Result   AttemptResult    `json:"result"`
	Offered  []IdentifierKind `json:"offered,omitempty"`
	Patients []PatientID      `json:"patients,omitempty"` // every record the set partly matched
}
