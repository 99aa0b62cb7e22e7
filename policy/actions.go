package policy

// Action names, as they stand in decisions and in JSON.
const (
	actionPlaceCall         = "PlaceCall"
	actionConnectLeg        = "ConnectLeg"
	actionKeepRecord        = "KeepRecord"
	actionStartRecording    = "StartRecording"
	actionContinueRecording = "ContinueRecording"
	actionRouteCall         = "RouteCall"
	actionVerify            = "Verify"
	actionVerifyBilling     = "VerifyBilling"
	actionDisclose          = "Disclose"
	actionReply             = "Reply"
	actionAnnounceAgent     = "AnnounceAgent"
	actionJoinQueue         = "JoinQueue"
)

// requestFor makes an empty request for an action's name, or nil.
func requestFor(action string) Request {
	switch action {
	case actionPlaceCall:
		return new(PlaceCall)
	case actionConnectLeg:
		return new(ConnectLeg)
	case actionKeepRecord:
		return new(KeepRecord)
	case actionStartRecording:
		return new(StartRecording)
	case actionContinueRecording:
		return new(ContinueRecording)
	case actionRouteCall:
		return new(RouteCall)
	case actionVerify:
		return new(Verify)
	case actionVerifyBilling:
		return new(VerifyBilling)
	case actionDisclose:
		return new(Disclose)
	case actionReply:
		return new(Reply)
	case actionAnnounceAgent:
		return new(AnnounceAgent)
	case actionJoinQueue:
		return new(JoinQueue)
	}
	return nil
}

// Actions are the names of all requests.
func Actions() []string {
	return []string{
		actionPlaceCall, actionConnectLeg, actionKeepRecord, actionStartRecording,
		actionContinueRecording, actionRouteCall, actionVerify, actionVerifyBilling,
		actionDisclose, actionReply, actionAnnounceAgent, actionJoinQueue,
	}
}

// Action is "PlaceCall".
func (*PlaceCall) Action() string { return actionPlaceCall }

// Action is "ConnectLeg".
func (*ConnectLeg) Action() string { return actionConnectLeg }

// Action is "KeepRecord".
func (*KeepRecord) Action() string { return actionKeepRecord }

// Action is "StartRecording".
func (*StartRecording) Action() string { return actionStartRecording }

// Action is "ContinueRecording".
func (*ContinueRecording) Action() string { return actionContinueRecording }

// Action is "RouteCall".
func (*RouteCall) Action() string { return actionRouteCall }

// Action is "Verify".
func (*Verify) Action() string { return actionVerify }

// Action is "VerifyBilling".
func (*VerifyBilling) Action() string { return actionVerifyBilling }

// Action is "Disclose".
func (*Disclose) Action() string { return actionDisclose }

// Action is "Reply".
func (*Reply) Action() string { return actionReply }

// Action is "AnnounceAgent".
func (*AnnounceAgent) Action() string { return actionAnnounceAgent }

// Action is "JoinQueue".
func (*JoinQueue) Action() string { return actionJoinQueue }

// Without a request, or a profile to decide it by, nothing is allowed; but an
// emergency call goes through even then.

func (f *PlaceCall) decide(p *Policy) Decision {
	d := p.on().placeCall
	if f != nil && d == nil && EmergencyNumber(f.Digits) {
		out := defaultPolicy.placeCall.decide(f)
		out.Profile = ""
		return out
	}
	if f == nil || d == nil {
		return noProfile(actionPlaceCall)
	}
	return d.decide(f)
}

func (f *ConnectLeg) decide(p *Policy) Decision {
	d := p.on().connectLeg
	if f == nil || d == nil {
		return noProfile(actionConnectLeg)
	}
	return d.decide(f)
}

func (f *KeepRecord) decide(p *Policy) Decision {
	d := p.on().keepRecord
	if f == nil || d == nil {
		return noProfile(actionKeepRecord)
	}
	return d.decide(f)
}

func (f *StartRecording) decide(p *Policy) Decision {
	d := p.on().startRecording
	if f == nil || d == nil {
		return noProfile(actionStartRecording)
	}
	return d.decide(&f.RecordingFacts)
}

func (f *ContinueRecording) decide(p *Policy) Decision {
	d := p.on().continueRecording
	if f == nil || d == nil {
		return noProfile(actionContinueRecording)
	}
	return d.decide(f)
}

func (f *RouteCall) decide(p *Policy) Decision {
	d := p.on().routeCall
	if f == nil || d == nil {
		return noProfile(actionRouteCall)
	}
	return d.decide(f)
}

func (f *Verify) decide(p *Policy) Decision {
	d := p.on().verify
	if f == nil || d == nil {
		return noProfile(actionVerify)
	}
	return d.decide(f.try(d.params))
}

func (f *VerifyBilling) decide(p *Policy) Decision {
	d := p.on().verifyBilling
	if f == nil || d == nil {
		return noProfile(actionVerifyBilling)
	}
	return d.decide(f.try())
}

func (f *Disclose) decide(p *Policy) Decision {
	d := p.on().disclose
	if f == nil || d == nil {
		return noProfile(actionDisclose)
	}
	return d.decide(f)
}

func (f *Reply) decide(p *Policy) Decision {
	d := p.on().reply
	if f == nil || d == nil {
		return noProfile(actionReply)
	}
	return d.decide(f)
}

func (f *AnnounceAgent) decide(p *Policy) Decision {
	d := p.on().announceAgent
	if f == nil || d == nil {
		return noProfile(actionAnnounceAgent)
	}
	return d.decide(f)
}

func (f *JoinQueue) decide(p *Policy) Decision {
	d := p.on().joinQueue
	if f == nil || d == nil {
		return noProfile(actionJoinQueue)
	}
	return d.decide(f)
}

func (f *PlaceCall) explain(p *Policy) []Finding {
	d := p.on().placeCall
	if f == nil || d == nil {
		return nil
	}
	return d.explain(f)
}

func (f *ConnectLeg) explain(p *Policy) []Finding {
	d := p.on().connectLeg
	if f == nil || d == nil {
		return nil
	}
	return d.explain(f)
}

func (f *KeepRecord) explain(p *Policy) []Finding {
	d := p.on().keepRecord
	if f == nil || d == nil {
		return nil
	}
	return d.explain(f)
}

func (f *StartRecording) explain(p *Policy) []Finding {
	d := p.on().startRecording
	if f == nil || d == nil {
		return nil
	}
	return d.explain(&f.RecordingFacts)
}

func (f *ContinueRecording) explain(p *Policy) []Finding {
	d := p.on().continueRecording
	if f == nil || d == nil {
		return nil
	}
	return d.explain(f)
}

func (f *RouteCall) explain(p *Policy) []Finding {
	d := p.on().routeCall
	if f == nil || d == nil {
		return nil
	}
	return d.explain(f)
}

func (f *Verify) explain(p *Policy) []Finding {
	d := p.on().verify
	if f == nil || d == nil {
		return nil
	}
	return d.explain(f.try(d.params))
}

func (f *VerifyBilling) explain(p *Policy) []Finding {
	d := p.on().verifyBilling
	if f == nil || d == nil {
		return nil
	}
	return d.explain(f.try())
}

func (f *Disclose) explain(p *Policy) []Finding {
	d := p.on().disclose
	if f == nil || d == nil {
		return nil
	}
	return d.explain(f)
}

func (f *Reply) explain(p *Policy) []Finding {
	d := p.on().reply
	if f == nil || d == nil {
		return nil
	}
	return d.explain(f)
}

func (f *AnnounceAgent) explain(p *Policy) []Finding {
	d := p.on().announceAgent
	if f == nil || d == nil {
		return nil
	}
	return d.explain(f)
}

func (f *JoinQueue) explain(p *Policy) []Finding {
	d := p.on().joinQueue
	if f == nil || d == nil {
		return nil
	}
	return d.explain(f)
}
