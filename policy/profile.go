package policy

import (
	"errors"
	"fmt"
	"time"
)

// ErrUnknownProfile is returned by ByName.
var ErrUnknownProfile = errors.New("policy: no such profile: use \"default\" or \"federal\"")

// Params are what a profile sets. Rules are code; their numbers are here.
type Params struct {
	// AddressableEncryption lets a documented addressable decision stand in
	// for encryption (45 CFR 164.306(d)(3)).
	AddressableEncryption bool

	// ConsentPrompts is how often consent is asked; after that, silence and
	// unclear answers are a no. ConsentWait is the time given for each answer.
	ConsentPrompts int
	ConsentWait    time.Duration
	// NoticeSuffices: where one party's consent is enough, the others may be
	// recorded after notice, unless they say no.
	NoticeSuffices bool
	// RecordRelay lets relay calls be recorded at all.
	RecordRelay bool
	// AnnounceWithin is when the file must have repeated the consent.
	AnnounceWithin time.Duration
	// StopWithin is how soon a recording stops on withdrawal.
	StopWithin time.Duration
	// DiscardUnder: a withdrawn segment shorter than this is discarded; zero
	// keeps all.
	DiscardUnder time.Duration
	// OfficerOnlyAfterWithdrawal locks longer withdrawn segments away.
	OfficerOnlyAfterWithdrawal bool

	// Identifiers is how many distinct identifiers must match.
	Identifiers int
	// NameCounts and SSNLast4Count count those as identifiers.
	NameCounts    bool
	SSNLast4Count bool
	// BillingExtra asks for the date of service or invoice number.
	BillingExtra bool
	// FreeUnreadable is how many unreadable answers a call may give for free.
	FreeUnreadable int
	// FailuresPerCall ends identification on a call.
	FailuresPerCall int
	// FailuresPerRecord within 24 h locks verification of the record by phone
	// for LockFor, counted from that failure.
	FailuresPerRecord int
	LockFor           time.Duration
	// VerificationLife and HoldLimit end a verification; zero: with the call.
	VerificationLife time.Duration
	HoldLimit        time.Duration

	// AnnounceAgents: the agent is announced on every call, in both
	// directions.
	AnnounceAgents      bool
	AnnounceAgentWithin time.Duration

	// TrainingLife is how long training is good for; zero: until the policy
	// changes. ChangeGrace is the time to learn a material change. HireGrace
	// is how long a new hire may work untrained; zero: not at all.
	TrainingLife time.Duration
	ChangeGrace  time.Duration
	HireGrace    time.Duration
}

const day = 24 * time.Hour

// defaultParams is the stricter of the mission and the law, rule by rule.
var defaultParams = Params{
	ConsentPrompts: 2, ConsentWait: 8 * time.Second,
	AnnounceWithin: 5 * time.Second, StopWithin: 2 * time.Second,
	DiscardUnder: 10 * time.Second, OfficerOnlyAfterWithdrawal: true,
	Identifiers: 2, BillingExtra: true, FreeUnreadable: 2,
	FailuresPerCall: 3, FailuresPerRecord: 5, LockFor: day,
	VerificationLife: 30 * time.Minute, HoldLimit: 10 * time.Minute,
	AnnounceAgents: true, AnnounceAgentWithin: 30 * time.Second,
	TrainingLife: 365 * day, ChangeGrace: 30 * day,
}

// federalParams is what the cited federal text requires, nothing more.
var federalParams = Params{
	AddressableEncryption: true,
	ConsentPrompts:        2, ConsentWait: 8 * time.Second, NoticeSuffices: true, RecordRelay: true,
	AnnounceWithin: 5 * time.Second, StopWithin: 2 * time.Second,
	Identifiers: 2, NameCounts: true, SSNLast4Count: true, FreeUnreadable: 2,
	FailuresPerCall: 3, FailuresPerRecord: 5, LockFor: day,
	AnnounceAgentWithin: 30 * time.Second,
	ChangeGrace:         30 * day, HireGrace: 30 * day,
}

// Policy is one profile, immutable. Its zero value denies everything but
// emergency calls.
type Policy struct {
	name   string
	params Params

	dockets
}

// dockets are the rules heard for each action.
type dockets struct {
	placeCall         *docket[*PlaceCall]
	connectLeg        *docket[*ConnectLeg]
	keepRecord        *docket[*KeepRecord]
	startRecording    *docket[*RecordingFacts]
	continueRecording *docket[*ContinueRecording]
	routeCall         *docket[*RouteCall]
	verify            *docket[tried]
	verifyBilling     *docket[triedBilling]
	disclose          *docket[*Disclose]
	reply             *docket[*Reply]
	announceAgent     *docket[*AnnounceAgent]
	joinQueue         *docket[*JoinQueue]
}

// on is where the dockets are; a nil policy has none.
func (p *Policy) on() *dockets {
	if p == nil {
		return &dockets{}
	}
	return &p.dockets
}

var (
	defaultPolicy = newPolicy("default", defaultParams)
	federalPolicy = newPolicy("federal", federalParams)
)

// Default is the stricter of the mission and the law, for every rule.
func Default() *Policy { return defaultPolicy }

// Federal is what the cited federal text requires, nothing more.
func Federal() *Policy { return federalPolicy }

// ByName returns "default" or "federal"; another name is ErrUnknownProfile.
func ByName(name string) (*Policy, error) {
	switch name {
	case "default":
		return defaultPolicy, nil
	case "federal":
		return federalPolicy, nil
	}
	return nil, fmt.Errorf("%w (got %q)", ErrUnknownProfile, name)
}

// Name is the profile's name.
func (p *Policy) Name() string { return p.name }

// Params is a copy of the profile's parameters, for prompts and timers.
func (p *Policy) Params() Params { return p.params }

// Decide answers a request. It never fails: what it cannot decide, it denies.
// It is pure and may be used from many goroutines.
func (p *Policy) Decide(r Request) Decision {
	if r == nil {
		return noProfile("")
	}
	return r.decide(p)
}

// Explain says what each rule saw in a request and what it said of it, in
// catalogue order.
func (p *Policy) Explain(r Request) []Finding {
	if r == nil {
		return nil
	}
	return r.explain(p)
}
