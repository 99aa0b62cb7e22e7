package policy

import "slices"

// Rule is what the catalogue says of one rule.
type Rule struct {
	ID       RuleID `json:"id"`
	Sentence string `json:"sentence"`
	// Citations carry how well they are known: [V] primary text read, [S] a
	// secondary source only, [D] a draft, [U] unconfirmed, [P] a choice of the
	// product without a legal source.
	Citations []string `json:"citations"`
	// Seed are the bullets of the mission that the rule carries out.
	Seed []string `json:"seed,omitempty"`
	// Default and Federal are the rule's parameters in words.
	Default string `json:"default"`
	Federal string `json:"federal"`
}

const (
	same    = "the same in both profiles"
	choice  = "[P] a choice of the product"
	numbers = "[P] the numbers"
)

var (
	ruleEmergency = &Rule{
		ID:        "emergency.call.never_blocked",
		Sentence:  "A call to 911, 933 (test) or 988 is never gated by any other rule, and never recorded.",
		Citations: []string{"47 USC 623 [S]", "47 CFR 9.16 [S]", "988: [P] a choice of the product"},
		Default:   same, Federal: same,
	}
	ruleFailClosed = &Rule{
		ID:        "engine.fail_closed",
		Sentence:  "Missing, stale or contradictory input denies disclosure, dialling, sending and recording; the call stays up.",
		Citations: []string{"45 CFR 164.530(c) [V]", "45 CFR 164.306(a) [V]"},
		Default:   same, Federal: same,
	}
	ruleTransport = &Rule{
		ID:        "crypto.transport.voice",
		Sentence:  "Every leg we control uses encrypted media (SRTP) and encrypted signalling (TLS).",
		Citations: []string{"45 CFR 164.312(e)(1) [V]", "45 CFR 164.312(e)(2)(ii) [V]", "OCR audio-only telehealth guidance, 13 Jun 2022 [S]"},
		Seed:      []string{"S01"},
		Default:   "SDES or DTLS-SRTP, TLS 1.2 or later with a valid certificate", Federal: "the same, or a documented addressable decision",
	}
	ruleAtRest = &Rule{
		ID:        "crypto.at_rest",
		Sentence:  "Stored PHI, recordings, voicemail, transcripts, queues, logs and backups are encrypted with keys held apart.",
		Citations: []string{"45 CFR 164.312(a)(2)(iv) [V]", "74 FR 19006 [S]"},
		Seed:      []string{"S01"},
		Default:   "AES-256-GCM or ChaCha20-Poly1305, keys held apart", Federal: "the same, or a documented addressable decision",
	}
	ruleDefaultOff = &Rule{
		ID:        "recording.default_off",
		Sentence:  "No media is written until a recording decision allows it; to buffer or to transcribe is to record.",
		Citations: []string{choice, "45 CFR 164.530(c) [V]"},
		Seed:      []string{"S03"},
		Default:   same, Federal: same,
	}
	ruleConsentRequired = &Rule{
		ID:        "recording.consent.required",
		Sentence:  "Recording needs an affirmative yes on this call after notice.",
		Citations: []string{"18 USC 2511(2)(d) [S]", "Cal. Penal Code 632, 632.7 [S]"},
		Seed:      []string{"S03", "S04"},
		Default:   "each call, two prompts of 8 s, silence is no", Federal: "notice and going on is enough in one-party places",
	}
	ruleAllParties = &Rule{
		ID:        "recording.consent.all_parties",
		Sentence:  "Every human on the call must have consented.",
		Citations: []string{"wiretap statutes of CA CT DE FL IL MD MA MI MT NV NH OR PA WA [S]"},
		Seed:      []string{"S03"},
		Default:   "all, always; relay calls are not recorded", Federal: "all, when any location candidate of any party is in an all-party state or unknown",
	}
	ruleEvidence = &Rule{
		ID:        "recording.consent.evidence",
		Sentence:  "The consent must be provable, and the first words of the file repeat it.",
		Citations: []string{"RCW 9.73.030(3) [S]", "[P] six years of keeping"},
		Seed:      []string{"S03"},
		Default:   "repeated within 5 s of the start", Federal: "repeated within 5 s of the start",
	}
	ruleRevoked = &Rule{
		ID:        "recording.consent.revoked",
		Sentence:  "Any party may stop recording at any time.",
		Citations: []string{choice, "45 CFR 164.524 [V]"},
		Seed:      []string{"S02", "S03"},
		Default:   "stopped within 2 s; segments under 10 s are discarded, longer ones are the officer's only", Federal: "stopped within 2 s; earlier segments are kept",
	}
	ruleNoDetriment = &Rule{
		ID:        "recording.consent.no_detriment",
		Sentence:  "Refusing a recording changes nothing about the service.",
		Citations: []string{choice},
		Seed:      []string{"S02"},
		Default:   same, Federal: same,
	}
	ruleSecure = &Rule{
		ID:        "recording.secure",
		Sentence:  "A recording exists only as authenticated ciphertext, never as a plain file.",
		Citations: []string{"45 CFR 164.312(a)(2)(iv) [V]", "45 CFR 164.312(c)(1) [V]", "45 CFR 164.312(c)(2) [V]", "45 CFR 164.312(e)(2)(i) [V]"},
		Seed:      []string{"S02"},
		Default:   "AEAD chunks, a key for each file", Federal: "the same, or a documented addressable decision",
	}
	ruleVerify = &Rule{
		ID:        "identity.verify.before_phi",
		Sentence:  "No PHI is spoken, shown or sent on a call until the caller's identity is verified.",
		Citations: []string{"45 CFR 164.514(h)(1)(i) [V]", "45 CFR 164.312(d) [V]"},
		Seed:      []string{"S04", "S05"},
		Default:   same, Federal: same,
	}
	ruleTwo = &Rule{
		ID:        "identity.identifiers.two",
		Sentence:  "At least two distinct identifiers, volunteered by the caller, must match one record.",
		Citations: []string{"45 CFR 164.514(h) [V]", "two identifiers: Joint Commission NPSG.01.01.01 [S]", "not identity proofing: NIST SP 800-63A-4 2.5.1 [D]"},
		Seed:      []string{"S05"},
		Default:   "two of birth date, address, contact number, record number, member or account number; a name selects and does not count", Federal: "two; a name counts",
	}
	ruleCallerID = &Rule{
		ID:        "identity.identifiers.caller_id",
		Sentence:  "Caller ID is a hint, never an identifier.",
		Citations: []string{"47 USC 227(e) [S]", choice, "voice: NIST SP 800-63B-4 3.2.3 [D]"},
		Default:   same, Federal: same,
	}
	ruleNormalise = &Rule{
		ID:        "identity.match.normalise",
		Sentence:  "Canonical forms are compared, exactly.",
		Citations: []string{choice},
		Seed:      []string{"S05"},
		Default:   "two unreadable answers a call are free, then each counts", Federal: "two unreadable answers a call are free, then each counts",
	}
	ruleUnique = &Rule{
		ID:        "identity.match.unique",
		Sentence:  "The identifiers must leave exactly one candidate.",
		Citations: []string{"45 CFR 164.514(h) [V]"},
		Seed:      []string{"S05"},
		Default:   same, Federal: same,
	}
	ruleBilling = &Rule{
		ID:        "identity.billing.extra",
		Sentence:  "Billing talk additionally needs the most recent date of service or an invoice number.",
		Citations: []string{"45 CFR 164.514(h) [V]", choice},
		Seed:      []string{"S05"},
		Default:   "the exact date; the invoice must be this patient's and not void", Federal: "not required",
	}
	ruleAttempts = &Rule{
		ID:        "identity.attempts.limit",
		Sentence:  "Guessing is capped.",
		Citations: []string{"NIST SP 800-63B-4 3.2.2 [D]", "45 CFR 164.308(a)(5)(ii)(C) [V]", numbers},
		Default:   "3 failed tries a call; 5 a record in 24 h lock verification by phone for 24 h from the fifth", Federal: "3 failed tries a call; 5 a record in 24 h lock verification by phone for 24 h from the fifth",
	}
	ruleNoOracle = &Rule{
		ID:        "identity.no_oracle",
		Sentence:  "Failure must not teach.",
		Citations: []string{"45 CFR 164.530(c) [V]"},
		Default:   same, Federal: same,
	}
	ruleScope = &Rule{
		ID:        "identity.scope",
		Sentence:  "Verification lives for one call, one patient, one caller.",
		Citations: []string{"45 CFR 164.312(d) [V]", numbers},
		Seed:      []string{"S04"},
		Default:   "30 min; a hold of more than 10 min ends it; survives a transfer with its token", Federal: "the call; survives a transfer with its token",
	}
	ruleAgent = &Rule{
		ID:        "outbound.identification.agent",
		Sentence:  "The agent's name, organisation and a call-back number are given at the start, before any PHI, inbound too.",
		Citations: []string{"47 CFR 64.1200(d)(4) [V]", "47 CFR 64.1200(b)(1)-(2) [V]"},
		Seed:      []string{"S08"},
		Default:   "every call with an agent, both directions, within 30 s, again after a transfer", Federal: "prerecorded and telemarketing calls only",
	}
	ruleAudit = &Rule{
		ID:        "audit.every_decision",
		Sentence:  "Each decision, disclosure, consent and access is written before it takes effect.",
		Citations: []string{"45 CFR 164.312(b) [V]", "45 CFR 164.308(a)(1)(ii)(D) [V]", "45 CFR 164.528 [V]"},
		Seed:      []string{"S11"},
		Default:   same, Federal: same,
	}
	ruleTraining = &Rule{
		ID:        "training.current",
		Sentence:  "Only trained people handle PHI.",
		Citations: []string{"45 CFR 164.530(b)(1)-(2) [V]", "45 CFR 164.308(a)(5)(i) [V]", "47 CFR 64.1200(d)(2) [V]", "[P] yearly"},
		Seed:      []string{"S16"},
		Default:   "before the first PHI, every 365 days, within 30 days of a material change", Federal: "within 30 days of hire and of a material change",
	}
)

// catalogue is in the order of the design's catalogue; decisions report in it.
var catalogue = []*Rule{
	ruleEmergency, ruleFailClosed, ruleTransport, ruleAtRest,
	ruleDefaultOff, ruleConsentRequired, ruleAllParties, ruleEvidence, ruleRevoked, ruleNoDetriment, ruleSecure,
	ruleVerify, ruleTwo, ruleCallerID, ruleNormalise, ruleUnique, ruleBilling, ruleAttempts, ruleNoOracle, ruleScope,
	ruleAgent, ruleAudit, ruleTraining,
}

// Rules lists the catalogue, in order. The copy is the caller's.
func Rules() []Rule {
	out := make([]Rule, len(catalogue))
	for i, r := range catalogue {
		out[i] = *r
		out[i].Citations = slices.Clone(r.Citations)
		out[i].Seed = slices.Clone(r.Seed)
	}
	return out
}
