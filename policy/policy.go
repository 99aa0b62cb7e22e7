// Package policy decides: facts in, decision out. Every record, disclose,
// dial, route and answer of Callward is asked here first, whoever asks (the
// call flow, the dialplan, the console, the jobs).
//
// What lives here: the requests and their facts, the rules with their sources,
// the profiles with their parameters, the canonical forms that answers are
// compared in. What never may: I/O, a clock, a goroutine, a log, a look-up, or
// an import from outside the standard library. The same facts give the same
// decision, to the byte.
//
// Denial is the zero value everywhere. A fact that is missing, unknown or
// contradicts another denies; every rule is heard and every failing rule is
// reported, in the order of the catalogue (see [Rules]). A denied action never
// by itself hangs up a patient.
//
//	p := policy.Default()
//	d := p.Decide(&policy.JoinQueue{At: now, ...})
//	if !d.Allowed() { ... d.Rules, d.Remedies ... }
package policy

import (
	"encoding/json"
	"fmt"
	"time"
)

// RuleID names a rule of the catalogue, such as "recording.consent.required".
type RuleID string

// Outcome is what a decision or a rule says. The zero value denies.
type Outcome uint8

// The outcomes.
const (
	Deny  Outcome = 0
	Allow Outcome = 1
)

// String returns "allow" or "deny"; any other value than Allow is a denial.
func (o Outcome) String() string {
	if o == Allow {
		return "allow"
	}
	return "deny"
}

// MarshalText writes the outcome as "allow" or "deny".
func (o Outcome) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// UnmarshalText reads "allow" or "deny"; anything else is an error.
func (o *Outcome) UnmarshalText(b []byte) error {
	switch string(b) {
	case "allow":
		*o = Allow
	case "deny":
		*o = Deny
	default:
		*o = Deny
		return fmt.Errorf("%w: outcome is neither allow nor deny", ErrMalformed)
	}
	return nil
}

// Decision is the answer to one request. Its slices are shared and must not be
// changed; append copies them. It holds no PHI and may be logged and audited.
// Whoever asks writes it to the audit log, allowed or denied, before acting.
type Decision struct {
	Outcome Outcome `json:"outcome"`
	Action  string  `json:"action"`
	Profile string  `json:"profile"`
	// Rules are, on denial, every failing rule in catalogue order; on an
	// allowance, the rules that looked and were satisfied.
	Rules []RuleID `json:"rules"`
	// Reason is short and made for people; it never holds PHI.
	Reason    string   `json:"reason"`
	Citations []string `json:"citations"`
	// Obligations must be done for an allowance to stand, or, on denial,
	// because of what was refused.
	Obligations []Obligation `json:"obligations,omitempty"`
	// Remedies would turn a denial into an allowance.
	Remedies []Remedy `json:"remedies,omitempty"`
}

// Allowed says whether the action may be taken.
func (d Decision) Allowed() bool { return d.Outcome == Allow }

// Obliges says whether the decision carries an obligation of that kind.
func (d Decision) Obliges(k ObligationKind) bool {
	for i := range d.Obligations {
		if d.Obligations[i].Kind == k {
			return true
		}
	}
	return false
}

// Remedy returns the first remedy of that kind.
func (d Decision) Remedy(k RemedyKind) (Remedy, bool) {
	for _, r := range d.Remedies {
		if r.Kind == k {
			return r, true
		}
	}
	return Remedy{}, false
}

// Obligation is something that has to be done with the decision. Within is the
// time allowed for it, counted from the request's instant; zero means at once
// and before the action, or, for an obligation that lasts, all through it.
type Obligation struct {
	Kind   ObligationKind
	Within time.Duration
}

type obligationJSON struct {
	Kind   ObligationKind `json:"kind"`
	Within string         `json:"within,omitempty"`
}

// MarshalJSON writes {"kind":"stop_recording","within":"2s"}.
func (o Obligation) MarshalJSON() ([]byte, error) {
	j := obligationJSON{Kind: o.Kind}
	if o.Within != 0 {
		j.Within = o.Within.String()
	}
	return json.Marshal(j)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (o *Obligation) UnmarshalJSON(b []byte) error {
	var j obligationJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}
	*o = Obligation{Kind: j.Kind}
	if j.Within == "" {
		return nil
	}
	d, err := time.ParseDuration(j.Within)
	if err != nil {
		return fmt.Errorf("%w: within is no duration", ErrMalformed)
	}
	o.Within = d
	return nil
}

// ObligationKind names an obligation.
type ObligationKind string

// The obligations, in the order they appear in a decision.
const (
	NotifyFrontDesk     ObligationKind = "notify_front_desk"
	SendLocation        ObligationKind = "send_location"
	NoRecording         ObligationKind = "no_recording"
	MarkPSTNBoundary    ObligationKind = "mark_pstn_boundary"
	DropMediaToHold     ObligationKind = "drop_media_to_hold"
	PauseRecording      ObligationKind = "pause_recording"
	StopRecording       ObligationKind = "stop_recording"
	SealExisting        ObligationKind = "seal_existing"
	ConfirmToCaller     ObligationKind = "confirm_to_caller"
	MarkWithdrawn       ObligationKind = "mark_withdrawn"
	DiscardSegment      ObligationKind = "discard_segment"
	OfficerOnly         ObligationKind = "officer_only" // keep the segment sealed; delete on the patient's request after the officer's review
	TellParties         ObligationKind = "tell_parties"
	AnnounceOnRecording ObligationKind = "announce_on_recording"
	StoreConsentRecord  ObligationKind = "store_consent_record"
	SealOnClose         ObligationKind = "seal_on_close"
	VerifyOnRead        ObligationKind = "verify_on_read"
	Quarantine          ObligationKind = "quarantine"
	RaiseIncident       ObligationKind = "raise_incident"
	CountFailure        ObligationKind = "count_failure"    // this try counts as one failure, of the call and of the record
	CountUnreadable     ObligationKind = "count_unreadable" // this try used free unreadable answers; it is no failure
	LockRecord          ObligationKind = "lock_record"      // this failure locks verification by phone for this record
	DataQualityTask     ObligationKind = "data_quality_task"
	AskDOSOrInvoice     ObligationKind = "ask_dos_or_invoice" // verified, but billing needs the extra first
	AnnounceAgentDuty   ObligationKind = "announce_agent"
	NeutralOrganisation ObligationKind = "use_neutral_organisation"
	BufferAudit         ObligationKind = "buffer_audit_locally"
)

// Remedy is one way to turn a denial into an allowance.
type Remedy struct {
	Kind RemedyKind `json:"kind"`
	// Input names the fact that is missing or wrong (kind "provide").
	Input string `json:"input,omitempty"`
	// Party is whom to ask (kinds "ask_consent" and "ask_again").
	Party string `json:"party,omitempty"`
	// NotBefore is the first instant at which the remedy can work.
	NotBefore time.Time `json:"not_before,omitzero"`
}

// RemedyKind names a remedy.
type RemedyKind string

// The remedies.
const (
	RemedyProvide            RemedyKind = "provide"              // give the fact named by Input
	RemedyAskConsent         RemedyKind = "ask_consent"          // ask Party, who was never validly asked
	RemedyAskAgain           RemedyKind = "ask_again"            // ask Party once more
	RemedyNewSegment         RemedyKind = "start_new_segment"    // StartRecording anew instead of going on
	RemedyVerify             RemedyKind = "verify"               // verify the caller first
	RemedyAskAnother         RemedyKind = "ask_another"          // ask another identifier, no failure
	RemedyAskDiscriminator   RemedyKind = "ask_discriminator"    // record number, full name or last visit; never offer candidates
	RemedyRetry              RemedyKind = "retry"                // ask the set again, in neutral words
	RemedyAskDOSOrInvoice    RemedyKind = "ask_dos_or_invoice"   // most recent date of service, or an invoice number
	RemedyBillingSupervisor  RemedyKind = "billing_supervisor"   // a person decides; never the machine
	RemedyAlternateChannel   RemedyKind = "alternate_channel"    // call back on the number on file, mail, in person
	RemedyRepresentative     RemedyKind = "verify_authority"     // representative or third party: other rules
	RemedyAnnounceAgent      RemedyKind = "announce_agent"       // say name, organisation and call-back number first
	RemedyTrain              RemedyKind = "complete_training"    // pass the current version
	RemedyUnrecordedQueue    RemedyKind = "unrecorded_queue"     // route to a queue that does not record
	RemedySameService        RemedyKind = "give_same_service"    // act as if recording had been accepted
	RemedyNeutralReply       RemedyKind = "neutral_reply"        // say the one neutral sentence
	RemedyEncrypt            RemedyKind = "encrypt"              // offer TLS and SRTP, or seal the store
	RemedyOfficerRestore     RemedyKind = "officer_restore"      // the officer restores the key
	RemedyRestoreAudit       RemedyKind = "restore_audit"        // make the audit log writable again
	RemedyFreeDisk           RemedyKind = "free_disk"            // make room for the sealed file
	RemedyDialEmergencyOnly  RemedyKind = "dial_emergency_only"  // only emergency numbers are decided by these facts
	RemedyDocumentAddressing RemedyKind = "document_addressable" // put the addressable decision on file (federal)
)

// Finding is what one rule said of a request, for people who ask why.
type Finding struct {
	Rule    RuleID  `json:"rule"`
	Outcome Outcome `json:"outcome"`
	// Silent is true when the rule had nothing to say of this request.
	Silent bool `json:"silent,omitempty"`
	// Saw is what the rule found, in words, without PHI.
	Saw         string       `json:"saw"`
	Citations   []string     `json:"citations"`
	Obligations []Obligation `json:"obligations,omitempty"`
	Remedies    []Remedy     `json:"remedies,omitempty"`
}

// Request is one question. It is implemented by pointers to the request
// structs of this package and by nothing else.
type Request interface {
	// Action is the request's name, such as "StartRecording".
	Action() string
	decide(*Policy) Decision
	explain(*Policy) []Finding
	facts() any
}
