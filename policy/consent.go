package policy

import "time"

// stance is where a party stands on being recorded, after all their answers.
type stance uint8

const (
	stanceBroken  stance = iota // an answer is incomplete or contradictory
	stanceRefused               // no, hung up, or withdrawn
	stanceSpent                 // silent or unclear as often as it is asked
	stanceUnasked               // never validly asked
	stanceAskMore               // silent or unclear, and may be asked again
	stanceYes
)

// standing is a stance, whether notice was given without a no, and when the
// deciding answer came.
type standing struct {
	stance  stance
	noticed bool
	at      time.Time
}

// standing weighs the party's answers: the later one wins, and of two at the
// same instant the less permissive. Answers for another call or purpose do not
// count, nor a yes that an agent set for somebody else, nor one to a prompt in
// a language the party does not have. The order of the list does not matter.
func (p *Party) standing(params *Params, f *RecordingFacts) standing {
	var s standing
	s.stance = stanceUnasked
	asked := 0
	for i := range p.Answers {
		a := &p.Answers[i]
		if !a.complete(f.At) {
			return standing{}
		}
		got, ok := a.reading(p, f)
		if !ok {
			continue
		}
		if got == stanceAskMore {
			asked++
		}
		if a.Method != MethodSetByAgent && a.Method != MethodOnFile && a.Answer != AnswerHungUp {
			s.noticed = true
		}
		if s.at.IsZero() || a.At.After(s.at) || a.At.Equal(s.at) && got < s.stance {
			s.stance, s.at = got, a.At
			if got == stanceYes && a.Method == MethodOnFile && p.Withdrawn != No {
				s.stance = stanceRefused // a standing consent does not outlive a withdrawal
			}
		}
	}
	if s.stance == stanceAskMore && asked >= params.ConsentPrompts {
		s.stance = stanceSpent
	}
	if p.Withdrawn != No && (s.stance != stanceYes || !s.at.After(p.WithdrawnAt) || p.WithdrawnAt.IsZero()) {
		s.stance = stanceRefused
	}
	return s
}

// complete says whether an answer can be relied on: known, in the past, and
// given after the notice it answers.
func (a *Consent) complete(now time.Time) bool {
	if a.At.IsZero() || a.At.After(now) || !a.Purpose.known() {
		return false
	}
	switch a.Answer {
	case AnswerYes, AnswerNo, AnswerSilence, AnswerUnclear, AnswerHungUp:
	default:
		return false
	}
	switch a.Method {
	case MethodOnFile:
		return true
	case MethodSetByAgent:
		return a.CallID != ""
	case MethodKeypad, MethodSpoken:
		return a.CallID != "" && a.PromptVersion != "" && a.Language != "" &&
			!a.NoticeAt.IsZero() && !a.NoticeAt.After(a.At)
	}
	return false
}

// reading is what an answer says for this call and purpose; false: nothing.
func (a *Consent) reading(p *Party, f *RecordingFacts) (stance, bool) {
	if a.Purpose != f.Purpose {
		return 0, false
	}
	said := a.Answer
	switch a.Method {
	case MethodOnFile:
		if !p.Kind.staff() {
			return 0, false
		}
	case MethodSetByAgent:
		if a.CallID != f.CallID || said == AnswerYes {
			return 0, false
		}
	default:
		if a.CallID != f.CallID {
			return 0, false
		}
		if a.Method == MethodKeypad && !a.keyAgrees() {
			said = AnswerNo
		}
		if a.Language != p.Language && said != AnswerNo {
			return 0, false
		}
	}
	switch said {
	case AnswerYes:
		return stanceYes, true
	case AnswerSilence, AnswerUnclear:
		return stanceAskMore, true
	}
	return stanceRefused, true
}

// keyAgrees says whether a keypad answer is what its key says: 1 is yes, no key
// is silence or a hang-up, and every other key is no, whatever was noted.
func (a *Consent) keyAgrees() bool {
	switch a.Answer {
	case AnswerYes:
		return a.Key == "1"
	case AnswerSilence, AnswerHungUp:
		return a.Key == ""
	}
	return false
}

// allMustSay says whether every party has to say yes: always, or where a
// location candidate of any party is in an all-party state or unknown.
func (f *RecordingFacts) allMustSay(p *Params) bool {
	if !p.NoticeSuffices {
		return true
	}
	for i := range f.Parties {
		if len(f.Parties[i].Locations) == 0 {
			return true
		}
		for _, l := range f.Parties[i].Locations {
			if !OnePartyState(l) {
				return true
			}
		}
	}
	return false
}

// consents hears the parties, staff too or not. A pending answer pauses a
// running recording, a refusal stops it.
func (f *RecordingFacts) consents(p *Params, staffToo bool) verdict {
	strict := f.allMustSay(p)
	heard, yes := 0, 0
	var v verdict
	var cure []Remedy
	v.must = dutyPause
	for i := range f.Parties {
		party := &f.Parties[i]
		if party.Kind.staff() && !staffToo {
			continue
		}
		heard++
		s := party.standing(p, f)
		switch {
		case s.stance == stanceYes:
			yes++
			continue
		case (s.stance == stanceAskMore || s.stance == stanceSpent) && !strict && s.noticed:
			continue
		case s.stance == stanceUnasked:
			cure = append(cure, Remedy{Kind: RemedyAskConsent, Party: party.ID})
		case s.stance == stanceAskMore:
			cure = append(cure, Remedy{Kind: RemedyAskAgain, Party: party.ID})
		default:
			v.must |= dutyStop
		}
		if len(party.Answers) > 0 {
			v.must |= dutyStoreConsent
		}
		v.saw = "a party has not said yes"
	}
	switch {
	case heard == 0:
		v.saw = "nobody is there who could say yes"
		v.must |= dutyStop
	case v.saw != "":
	case staffToo && yes == 0:
		v.saw = "not one party has said yes"
	default:
		return verdict{word: satisfied, saw: "said yes, or was told where that is enough"}
	}
	v.cure = cured(cure...)
	return v
}

// consentRequired: who is not staff must have said yes on this call.
func consentRequired(p *Params, f *RecordingFacts) verdict { return f.consents(p, false) }

// consentAllParties: so must everybody else; relay calls are not recorded.
func consentAllParties(p *Params, f *RecordingFacts) verdict {
	if !p.RecordRelay && f.Relay != No {
		return verdict{saw: "a relay call is not recorded", must: dutyNoRecording | dutyStop}
	}
	return f.consents(p, true)
}

// revokedStart: who withdrew must have said yes anew.
func revokedStart(p *Params, f *RecordingFacts) verdict {
	for i := range f.Parties {
		party := &f.Parties[i]
		if party.Withdrawn != No && party.standing(p, f).stance != stanceYes {
			return verdict{saw: "a party has withdrawn and not said yes anew"}
		}
	}
	return verdict{word: satisfied, saw: "nobody has withdrawn, or said yes anew"}
}

// revokedContinue: a segment that somebody withdrew from ends, whatever they
// say later; a later yes begins a new one.
func revokedContinue(p *Params, f *ContinueRecording) verdict {
	var v verdict
	v.must = dutyStop | dutyConfirm | dutyMarkWithdrawn
	gone, anew := false, true
	for i := range f.Parties {
		party := &f.Parties[i]
		if party.Withdrawn == No {
			continue
		}
		s := party.standing(p, &f.RecordingFacts)
		if s.stance == stanceYes && !s.at.After(f.SegmentStartedAt) {
			continue // this segment began after the new yes
		}
		gone = true
		anew = anew && s.stance == stanceYes
		v.must |= f.afterWithdrawal(p, party)
	}
	if !gone {
		return verdict{word: satisfied, saw: "nobody has withdrawn from this segment"}
	}
	v.saw = "a party has withdrawn"
	if anew {
		v.cure = cureSegment
	}
	return v
}

// afterWithdrawal says what becomes of the segment so far.
func (f *ContinueRecording) afterWithdrawal(p *Params, party *Party) duties {
	if f.SegmentStartedAt.IsZero() || party.WithdrawnAt.IsZero() {
		return dutyOfficerOnly
	}
	length := party.WithdrawnAt.Sub(f.SegmentStartedAt)
	switch {
	case length < 0:
		return dutyQuarantine | dutyIncident // it began after the withdrawal
	case length < p.DiscardUnder:
		return dutyDiscard
	case p.OfficerOnlyAfterWithdrawal:
		return dutyOfficerOnly
	}
	return 0
}
