package policy

import "time"

// Verify asks whether one submitted set of identifiers verifies the caller.
// A try is one submitted set, not one digit. The counters hold what happened
// before this try; the decision says whether this try counts (CountFailure,
// CountUnreadable). They belong to the call: neither another claimed patient
// nor a success sets them back.
//
// What the decision's remedies ask of the IVR, and the words it says, must be
// the same for an unknown patient as for a wrong answer (identity.no_oracle).
type Verify struct {
	At            time.Time `json:"at,omitzero"`
	AuditWritable bool      `json:"audit_writable,omitempty"`
	CallID        string    `json:"call_id,omitempty"`
	// PatientID is the one record left, when Candidates is 1.
	PatientID string    `json:"patient_id,omitempty"`
	Offered   []Offered `json:"offered,omitempty"`
	// Candidates is the number of records that every matching identifier
	// matches together.
	Candidates Count `json:"candidates,omitzero"`
	// SamePerson says whether several candidates are duplicates of one person.
	SamePerson YesNo `json:"same_person,omitempty"`
	// FailuresThisCall counts failed tries of this call before this one,
	// whoever was claimed.
	FailuresThisCall Count `json:"failures_this_call,omitzero"`
	// FailuresRecord24h counts failed tries in the 24 h before At against the
	// candidate record (the worst, when several), on any call, before this try.
	FailuresRecord24h Count `json:"failures_record_24h,omitzero"`
	// FifthFailure says whether the record had, within the 24 h before At, a
	// failure that was its fifth in 24 h; FifthFailureAt is when. The lock
	// counts from there, though the count of the last 24 h may have gone down.
	FifthFailure   YesNo     `json:"fifth_failure,omitempty"`
	FifthFailureAt time.Time `json:"fifth_failure_at,omitzero"`
	// UnreadableUsed counts unreadable answers of this call before this try.
	UnreadableUsed Count `json:"unreadable_used,omitzero"`
	// Intent is what the caller wants, from the menu.
	Intent Intent `json:"intent,omitempty"`
	// CallerID and Attestation are known hints; no rule gives them credit.
	CallerID    CallerIDState `json:"caller_id,omitempty"`
	Attestation string        `json:"attestation,omitempty"`
}

// Offered is one identifier the caller gave. Never the value.
type Offered struct {
	Kind   IdentifierKind `json:"kind,omitempty"`
	Source Source         `json:"source,omitempty"`
	Result MatchResult    `json:"result,omitempty"`
}

// VerifyBilling asks whether the extra answer opens billing talk, after Verify.
type VerifyBilling struct {
	At            time.Time `json:"at,omitzero"`
	AuditWritable bool      `json:"audit_writable,omitempty"`
	CallID        string    `json:"call_id,omitempty"`
	// TargetPatient is whose billing is asked about.
	TargetPatient string       `json:"target_patient,omitempty"`
	Verification  Verification `json:"verification,omitzero"`
	// Speaker is who answers; only the patient is decided here.
	Speaker Speaker `json:"speaker,omitempty"`
	// Today is the date at the patient's place, YYYY-MM-DD.
	Today string `json:"today,omitempty"`
	// Listed says that Visits and Invoices are all there are on file.
	Listed   bool          `json:"listed,omitempty"`
	Visits   []Visit       `json:"visits,omitempty"`
	Invoices []Invoice     `json:"invoices,omitempty"`
	Answer   BillingAnswer `json:"answer,omitzero"`
	// The counters are those of Verify, and go on counting.
	FailuresThisCall  Count     `json:"failures_this_call,omitzero"`
	FailuresRecord24h Count     `json:"failures_record_24h,omitzero"`
	FifthFailure      YesNo     `json:"fifth_failure,omitempty"`
	FifthFailureAt    time.Time `json:"fifth_failure_at,omitzero"`
	UnreadableUsed    Count     `json:"unreadable_used,omitzero"`
}

// Visit is one visit or appointment on file.
type Visit struct {
	Date   string      `json:"date,omitempty"` // YYYY-MM-DD at the place of service
	Status VisitStatus `json:"status,omitempty"`
}

// Invoice is one invoice that the answer was compared with.
type Invoice struct {
	Status InvoiceStatus `json:"status,omitempty"`
	// OfPatient says whether it is the target patient's.
	OfPatient YesNo `json:"of_patient,omitempty"`
	// Matches says that the number the caller gave is this invoice's.
	Matches bool `json:"matches,omitempty"`
}

// BillingAnswer is the extra answer: a date in canonical form ("" when it was
// unreadable), or an invoice number, which is compared by the caller of
// Decide (Invoice.Matches) and named here only by Readable.
type BillingAnswer struct {
	Kind     BillingKind `json:"kind,omitempty"`
	Readable bool        `json:"readable,omitempty"`
	Date     string      `json:"date,omitempty"`
}

// Verification is a verification that took place, as it travels with the call.
// It holds the kinds of identifier, never an answer.
type Verification struct {
	CallID      string           `json:"call_id,omitempty"`
	PatientID   string           `json:"patient_id,omitempty"`
	At          time.Time        `json:"at,omitzero"`
	Identifiers []IdentifierKind `json:"identifiers,omitempty"`
	// Billing says that VerifyBilling allowed it, on this call.
	Billing bool `json:"billing,omitempty"`
	// CallerChanged says whether another person took the phone since: the
	// agent's flag, or a change of the caller's leg.
	CallerChanged YesNo `json:"caller_changed,omitempty"`
	// LongestHold is the longest single hold since At; SpanOf(0) for none.
	LongestHold Span `json:"longest_hold,omitzero"`
	// Transferred says whether the call changed hands since; then Token says
	// that the verification's token came along.
	Transferred YesNo `json:"transferred,omitempty"`
	Token       bool  `json:"token,omitempty"`
}

// Disclose asks whether something may be said, shown or sent on a call.
type Disclose struct {
	At            time.Time    `json:"at,omitzero"`
	AuditWritable bool         `json:"audit_writable,omitempty"`
	CallID        string       `json:"call_id,omitempty"` // this call
	Category      Category     `json:"category,omitempty"`
	Channel       Channel      `json:"channel,omitempty"`
	By            Voice        `json:"by,omitempty"`
	TargetPatient string       `json:"target_patient,omitempty"`
	Verification  Verification `json:"verification,omitzero"`
	// Announcement and Training are needed when an agent takes part (By is
	// VoiceAgent, or the channel leads to the agent).
	Announcement Announcement `json:"announcement,omitzero"`
	Training     Training     `json:"training,omitzero"`
	// AgentJoinedAt is when this agent took the call. Training that expires
	// during the call lets it be finished.
	AgentJoinedAt time.Time `json:"agent_joined_at,omitzero"`
	// Emergency confirmed by a human; an unknown value is no emergency.
	Emergency YesNo `json:"emergency,omitempty"`
}

// Reply asks whether these words may answer a verification.
type Reply struct {
	At            time.Time `json:"at,omitzero"`
	AuditWritable bool      `json:"audit_writable,omitempty"`
	Audience      Audience  `json:"audience,omitempty"`
	Situation     Situation `json:"situation,omitempty"`
	// What the words do.
	NamesItem        YesNo `json:"names_item,omitempty"`         // say which item failed or matched
	ConfirmsRecord   YesNo `json:"confirms_record,omitempty"`    // confirm or deny that a record exists
	OffersChoice     YesNo `json:"offers_choice,omitempty"`      // offer answers to choose from, or candidates
	ShowsStoredValue YesNo `json:"shows_stored_value,omitempty"` // say or show what is on file
	// SameWording and SameTiming: as for any other failure, the unknown
	// patient included.
	SameWording YesNo `json:"same_wording,omitempty"`
	SameTiming  YesNo `json:"same_timing,omitempty"`
}

// IdentifierKind is a kind of identifier a caller may give.
type IdentifierKind string

// The kinds. Those of one category count once.
const (
	KindBirthDate   IdentifierKind = "birth_date"
	KindPhone       IdentifierKind = "phone"
	KindHomePhone   IdentifierKind = "home_phone"
	KindMobilePhone IdentifierKind = "mobile_phone"
	KindAddress     IdentifierKind = "address"   // number, street and ZIP
	KindHouseZIP    IdentifierKind = "house_zip" // number and ZIP, by keypad
	KindZIP         IdentifierKind = "zip"       // a part of an address
	KindCity        IdentifierKind = "city"      // not an address
	KindMRN         IdentifierKind = "mrn"
	KindMemberID    IdentifierKind = "member_id"
	KindAccount     IdentifierKind = "account"
	KindName        IdentifierKind = "name"       // selects
	KindLastVisit   IdentifierKind = "last_visit" // a discriminator
	KindSSN         IdentifierKind = "ssn"        // never asked
	KindSSNLast4    IdentifierKind = "ssn_last4"
	KindCallerID    IdentifierKind = "caller_id" // a hint
	KindVoiceprint  IdentifierKind = "voiceprint"
)

// Source is how an identifier reached us.
type Source string

// The sources. Only what the caller keyed or spoke unprompted counts.
const (
	SourceKeypad   Source = "keypad"
	SourceSpoken   Source = "spoken"
	SourceCallerID Source = "caller_id"
	SourceReadOut  Source = "read_out" // we said it and the caller agreed
)

func (s Source) known() bool {
	switch s {
	case SourceKeypad, SourceSpoken, SourceCallerID, SourceReadOut:
		return true
	}
	return false
}

func (s Source) volunteered() bool { return s == SourceKeypad || s == SourceSpoken }

// MatchResult is how an offered identifier compares with what is on file.
type MatchResult string

// The results. Unavailable: the record lacks that identifier. Former: it
// matches only what is no longer current, such as an old address.
const (
	ResultMatch       MatchResult = "match"
	ResultNoMatch     MatchResult = "no_match"
	ResultFormer      MatchResult = "former"
	ResultUnreadable  MatchResult = "unreadable"
	ResultUnavailable MatchResult = "unavailable"
)

// Intent is what the caller wants.
type Intent string

// The intents, as the menu has them.
const (
	IntentAppointments  Intent = "appointments"
	IntentPrescriptions Intent = "prescriptions"
	IntentBilling       Intent = "billing"
	IntentAgent         Intent = "agent"
	IntentOptOut        Intent = "opt_out"
)

func (i Intent) known() bool {
	switch i {
	case IntentAppointments, IntentPrescriptions, IntentBilling, IntentAgent, IntentOptOut:
		return true
	}
	return false
}

// CallerIDState is what the network showed.
type CallerIDState string

// The states; none of them refuses a caller or verifies one.
const (
	CallerIDShown   CallerIDState = "shown"
	CallerIDBlocked CallerIDState = "blocked"
	CallerIDOnFile  CallerIDState = "on_file"
)

// Speaker is who answers.
type Speaker string

// The speakers.
const (
	SpeakerPatient        Speaker = "patient"
	SpeakerGuarantor      Speaker = "guarantor"
	SpeakerRepresentative Speaker = "representative"
)

// VisitStatus follows the FHIR R4 Encounter, plus no_show.
type VisitStatus string

// The statuses. Only finished and in-progress visits have a date of service.
const (
	VisitPlanned        VisitStatus = "planned"
	VisitArrived        VisitStatus = "arrived"
	VisitInProgress     VisitStatus = "in-progress"
	VisitOnLeave        VisitStatus = "onleave"
	VisitFinished       VisitStatus = "finished"
	VisitCancelled      VisitStatus = "cancelled"
	VisitNoShow         VisitStatus = "no_show"
	VisitEnteredInError VisitStatus = "entered-in-error"
)

// InvoiceStatus follows the FHIR R4 Invoice, plus void.
type InvoiceStatus string

// The statuses. Only issued and balanced invoices open billing.
const (
	InvoiceDraft          InvoiceStatus = "draft"
	InvoiceIssued         InvoiceStatus = "issued"
	InvoiceBalanced       InvoiceStatus = "balanced"
	InvoiceCancelled      InvoiceStatus = "cancelled"
	InvoiceVoid           InvoiceStatus = "void"
	InvoiceEnteredInError InvoiceStatus = "entered-in-error"
)

// BillingKind is which extra the caller gave.
type BillingKind string

// The kinds.
const (
	BillingDate    BillingKind = "date_of_service"
	BillingInvoice BillingKind = "invoice"
)

// Category is the kind of information disclosed.
type Category string

// The categories. General facts (hours, address) and facts of the call itself
// (language, menu choice, verified or not, recorded or not) are no PHI; all
// others are, that somebody is a patient included. Answers and stored values
// of identifiers are never passed on.
const (
	CategoryGeneral         Category = "general"
	CategoryCall            Category = "call"
	CategoryPatientStatus   Category = "patient_status"
	CategoryDemographic     Category = "demographic"
	CategoryScheduling      Category = "scheduling"
	CategoryPrescription    Category = "prescription"
	CategoryClinical        Category = "clinical"
	CategoryBilling         Category = "billing"
	CategoryIdentityAnswers Category = "identity_answers"
)

func (c Category) known() bool {
	switch c {
	case CategoryGeneral, CategoryCall, CategoryPatientStatus, CategoryDemographic, CategoryScheduling,
		CategoryPrescription, CategoryClinical, CategoryBilling, CategoryIdentityAnswers:
		return true
	}
	return false
}

func (c Category) phi() bool { return c != CategoryGeneral && c != CategoryCall }

// Channel is how it is disclosed.
type Channel string

// The channels.
const (
	ChannelSayToPatient   Channel = "say_to_patient"
	ChannelShowToAgent    Channel = "show_to_agent"
	ChannelWhisperToAgent Channel = "whisper_to_agent"
	ChannelSend           Channel = "send"
)

func (c Channel) known() bool {
	switch c {
	case ChannelSayToPatient, ChannelShowToAgent, ChannelWhisperToAgent, ChannelSend:
		return true
	}
	return false
}

// Voice is who discloses.
type Voice string

// The voices: the machine's prompts, or a live agent.
const (
	VoiceIVR   Voice = "ivr"
	VoiceAgent Voice = "agent"
)

// Audience is who gets a reply.
type Audience string

// The audiences.
const (
	AudienceCaller Audience = "caller"
	AudienceAgent  Audience = "agent"
)

// Situation is when a reply is given.
type Situation string

// The situations.
const (
	SituationAsking   Situation = "asking"
	SituationFailed   Situation = "failed"
	SituationVerified Situation = "verified"
)
