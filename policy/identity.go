package policy

import "time"

// class is a set of identifier categories; kinds of one category count once.
type class uint8

const (
	classBirthDate class = 1 << iota
	classAddress
	classContact
	classMRN
	classMember
	className
	classSSN4
)

// class is the category a kind counts in, for this profile; 0: it never counts.
func (k IdentifierKind) class(p *Params) class {
	switch k {
	case KindBirthDate:
		return classBirthDate
	case KindAddress, KindHouseZIP:
		return classAddress
	case KindPhone, KindHomePhone, KindMobilePhone:
		return classContact
	case KindMRN:
		return classMRN
	case KindMemberID, KindAccount:
		return classMember
	case KindName:
		if p.NameCounts {
			return className
		}
	case KindSSNLast4:
		if p.SSNLast4Count {
			return classSSN4
		}
	}
	return 0
}

func (k IdentifierKind) known() bool {
	switch k {
	case KindBirthDate, KindPhone, KindHomePhone, KindMobilePhone, KindAddress, KindHouseZIP, KindZIP, KindCity,
		KindMRN, KindMemberID, KindAccount, KindName, KindLastVisit, KindSSN, KindSSNLast4, KindCallerID, KindVoiceprint:
		return true
	}
	return false
}

func (c class) count() int {
	n := 0
	for ; c != 0; c &= c - 1 {
		n++
	}
	return n
}

// tally is what a submitted set comes to.
type tally struct {
	credit     class // categories that match, as volunteered
	wrong      int   // volunteered and not matching what is on file now
	unreadable int
	hints      int // caller id, voice: never credited
	broken     bool
}

// tried is a try with its tally, which most rules look at.
type tried struct {
	*Verify
	tally tally
}

func (f *Verify) try(p *Params) tried { return tried{f, f.tally(p)} }

func (f *Verify) tally(p *Params) tally {
	var t tally
	for i := range f.Offered {
		o := &f.Offered[i]
		if !o.Kind.known() || !o.Source.known() {
			t.broken = true
		}
		switch o.Result {
		case ResultMatch, ResultNoMatch, ResultFormer, ResultUnreadable, ResultUnavailable:
		default:
			t.broken = true
		}
		switch {
		case o.Kind == KindCallerID || o.Kind == KindVoiceprint || o.Source == SourceCallerID:
			t.hints++
		case o.Kind == KindSSN || o.Kind == KindSSNLast4 && !p.SSNLast4Count || !o.Source.volunteered():
			// never asked for, or not volunteered: neither for nor against
		case o.Result == ResultMatch:
			t.credit |= o.Kind.class(p)
		case o.Result == ResultNoMatch || o.Result == ResultFormer:
			t.wrong++
		case o.Result == ResultUnreadable:
			t.unreadable++
		}
	}
	return t
}

func (t tally) enough(p *Params) bool { return !t.broken && t.credit.count() >= p.Identifiers }

// fails says whether the try counts as a failure: something was wrong, or no
// record has all of it, or the free unreadable answers are used up.
func (f tried) fails(p *Params) bool {
	t := f.tally
	return t.wrong > 0 || t.enough(p) && f.Candidates.n() == 0 ||
		!t.enough(p) && t.unreadable > 0 && !free(p, f.UnreadableUsed, t.unreadable)
}

func free(p *Params, used Count, more int) bool {
	return used.known() && used.n()+more <= p.FreeUnreadable
}

func completeVerify(p *Params, f tried) verdict {
	var g gaps
	g.need(!f.At.IsZero(), "at")
	g.need(f.CallID != "", "call_id")
	g.need(f.Candidates.known(), "candidates")
	g.need(f.PatientID == "" || f.Candidates.n() == 1, "patient_id")
	g.need(f.Intent.known(), "intent")
	f.caps().gaps(&g, p, f.At)
	g.need(f.UnreadableUsed.known(), "unreadable_used")
	for i := range f.Offered {
		o := &f.Offered[i]
		g.need(o.Kind.known(), "offered.kind")
		g.need(o.Source.known(), "offered.source")
		switch o.Result {
		case ResultMatch, ResultNoMatch, ResultFormer, ResultUnreadable, ResultUnavailable:
		default:
			g.need(false, "offered.result")
		}
	}
	return g.verdict()
}

// twoIdentifiers: enough distinct ones, all right, of one record.
func twoIdentifiers(p *Params, f tried) verdict {
	t := f.tally
	switch {
	case t.broken:
		return verdict{saw: "an offered identifier is of no known kind"}
	case t.wrong > 0:
		return verdict{saw: "an answer does not match", must: dutyCountFailure, cure: cureRetry}
	case !t.enough(p) && t.unreadable > 0:
		return verdict{saw: "too few identifiers could be read"}
	case !t.enough(p):
		return verdict{saw: "too few distinct identifiers that count", cure: cureAskAnother}
	case f.Candidates.n() == 0:
		return verdict{saw: "no one record has all of the answers", must: dutyCountFailure, cure: cureRetry}
	}
	return verdict{word: satisfied, saw: "enough distinct identifiers match one record"}
}

// callerIDHint: the network's word, or the sound of a voice, is no identifier.
func callerIDHint(p *Params, f tried) verdict {
	t := f.tally
	switch {
	case t.hints == 0:
		return verdict{word: satisfied, saw: "no hint is offered as an identifier"}
	case t.enough(p):
		return verdict{word: satisfied, saw: "a hint is offered and gets no credit"}
	}
	return verdict{saw: "a hint is offered as an identifier", cure: cureAskAnother}
}

// readable: an answer that is no value at all is asked again; two are free.
func readable(p *Params, f tried) verdict {
	t := f.tally
	switch {
	case t.broken:
		return verdict{saw: "an offered identifier is of no known kind"}
	case t.unreadable == 0:
		return verdict{word: satisfied, saw: "all answers could be read"}
	case t.enough(p):
		return verdict{word: satisfied, saw: "an unreadable answer beside enough others"}
	case free(p, f.UnreadableUsed, t.unreadable):
		return verdict{saw: "an answer could not be read", must: dutyCountUnreadable, cure: cureRetry}
	}
	return verdict{saw: "an answer could not be read, once too often", must: dutyCountUnreadable | dutyCountFailure, cure: cureRetry}
}

// oneCandidate: the right answers must leave one record.
func oneCandidate(p *Params, f tried) verdict {
	t := f.tally
	n := f.Candidates.n()
	switch {
	case !t.enough(p) || t.wrong > 0 || f.Candidates.known() && n == 0:
		return verdict{word: silent, saw: "there are no candidates to tell apart yet"}
	case n == 1 && f.PatientID != "":
		return verdict{word: satisfied, saw: "one record is left"}
	case n > 1 && f.SamePerson == Yes:
		return verdict{saw: "several records of one person", must: dutyDataQuality, cure: cureAlternate}
	case n > 1:
		return verdict{saw: "several records are left", cure: cureDiscriminate}
	}
	return verdict{saw: "the record left is not named", cure: cured(Remedy{Kind: RemedyProvide, Input: "patient_id"})}
}

// billingNext: who is verified for billing is asked the extra next.
func billingNext(p *Params, f tried) verdict {
	if !p.BillingExtra || f.Intent != IntentBilling {
		return verdict{word: silent, saw: "no billing extra is needed"}
	}
	return verdict{word: satisfied, saw: "billing needs an extra answer next", must: dutyAskBilling}
}

// attempts: guessing is capped for the call and for the record, this try
// included when it fails.
func attempts(p *Params, f tried) verdict {
	return f.caps().verdict(p, f.At, f.fails(p))
}

func (f *Verify) caps() caps {
	return caps{f.FailuresThisCall, f.FailuresRecord24h, f.FifthFailure, f.FifthFailureAt}
}

// caps are the counters before a try.
type caps struct {
	call, record Count
	fifth        YesNo
	fifthAt      time.Time
}

func (c caps) verdict(p *Params, now time.Time, fails bool) verdict {
	unlock := c.fifthAt.Add(p.LockFor)
	switch {
	case !c.call.known() || !c.record.known() || !c.fifth.known():
		return verdict{saw: "it is not known how often it was tried"}
	case c.fifthAt.IsZero() && (c.fifth == Yes || c.record.n() >= p.FailuresPerRecord):
		return verdict{saw: "the record is locked", cure: cureAlternate}
	case c.fifth == Yes && now.Before(unlock):
		return verdict{saw: "the record is locked", cure: cured(Remedy{Kind: RemedyAlternateChannel, NotBefore: unlock})}
	case fails && c.record.n()+1 >= p.FailuresPerRecord:
		return verdict{
			saw: "this failure locks the record", must: dutyLockRecord,
			cure: cured(Remedy{Kind: RemedyAlternateChannel, NotBefore: now.Add(p.LockFor)}),
		}
	case c.call.n() >= p.FailuresPerCall:
		return verdict{saw: "too many failed tries on this call", cure: cureAlternate}
	case fails && c.call.n()+1 >= p.FailuresPerCall:
		return verdict{saw: "this was the last failed try on this call", cure: cureAlternate}
	}
	return verdict{word: satisfied, saw: "tries are left"}
}

func (c caps) gaps(g *gaps, p *Params, now time.Time) {
	g.need(c.call.known(), "failures_this_call")
	g.need(c.record.known(), "failures_record_24h")
	g.need(c.fifth.known(), "fifth_failure")
	g.need(c.fifth == Yes || c.record.n() < p.FailuresPerRecord, "fifth_failure")
	g.need((c.fifth == Yes) == !c.fifthAt.IsZero() && !c.fifthAt.After(now), "fifth_failure_at")
}

func auditVerify(_ *Params, f tried) verdict { return auditFirst(f.AuditWritable) }

// settleTries: when only another way is left, nothing more is asked.
func settleTries(must duties, cure []Remedy) (duties, []Remedy) {
	over := false
	for _, r := range cure {
		over = over || r.Kind == RemedyAlternateChannel
	}
	if !over {
		return must, cure
	}
	kept := cure[:0:0]
	for _, r := range cure {
		switch r.Kind {
		case RemedyAskAnother, RemedyAskDiscriminator, RemedyRetry, RemedyAskDOSOrInvoice:
		default:
			kept = append(kept, r)
		}
	}
	return must, kept
}
