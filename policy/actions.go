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

// run decides f by the docket d; without a docket or a request it denies.
func run[T any](action string, d *docket[T], f *T) Decision {
	if d == nil || f == nil {
		return noProfile(action)
	}
	return d.decide(f)
}

func tell[T any](d *docket[T], f *T) []Finding {
	if d == nil || f == nil {
		return nil
	}
	return d.explain(f)
}

// decide lets an emergency call through even when there is no profile.
func (f *PlaceCall) decide(p *Policy) Decision {
	if f != nil && p.on().placeCall == nil && EmergencyNumber(f.Digits) {
		d := defaultPolicy.placeCall.decide(f)
		d.Profile = ""
		return d
	}
	return run(f.Action(), p.on().placeCall, f)
}

func (f *ConnectLeg) decide(p *Policy) Decision {
	return run(f.Action(), p.on().connectLeg, f)
}

func (f *KeepRecord) decide(p *Policy) Decision {
	return run(f.Action(), p.on().keepRecord, f)
}

func (f *StartRecording) decide(p *Policy) Decision {
	return run(f.Action(), p.on().startRecording, f)
}

func (f *ContinueRecording) decide(p *Policy) Decision {
	return run(f.Action(), p.on().continueRecording, f)
}

func (f *RouteCall) decide(p *Policy) Decision {
	return run(f.Action(), p.on().routeCall, f)
}

func (f *Verify) decide(p *Policy) Decision {
	return run(f.Action(), p.on().verify, f)
}

func (f *VerifyBilling) decide(p *Policy) Decision {
	return run(f.Action(), p.on().verifyBilling, f)
}

func (f *Disclose) decide(p *Policy) Decision {
	return run(f.Action(), p.on().disclose, f)
}

func (f *Reply) decide(p *Policy) Decision {
	return run(f.Action(), p.on().reply, f)
}

func (f *AnnounceAgent) decide(p *Policy) Decision {
	return run(f.Action(), p.on().announceAgent, f)
}

func (f *JoinQueue) decide(p *Policy) Decision {
	return run(f.Action(), p.on().joinQueue, f)
}

func (f *PlaceCall) explain(p *Policy) []Finding         { return tell(p.on().placeCall, f) }
func (f *ConnectLeg) explain(p *Policy) []Finding        { return tell(p.on().connectLeg, f) }
func (f *KeepRecord) explain(p *Policy) []Finding        { return tell(p.on().keepRecord, f) }
func (f *StartRecording) explain(p *Policy) []Finding    { return tell(p.on().startRecording, f) }
func (f *ContinueRecording) explain(p *Policy) []Finding { return tell(p.on().continueRecording, f) }
func (f *RouteCall) explain(p *Policy) []Finding         { return tell(p.on().routeCall, f) }
func (f *Verify) explain(p *Policy) []Finding            { return tell(p.on().verify, f) }
func (f *VerifyBilling) explain(p *Policy) []Finding     { return tell(p.on().verifyBilling, f) }
func (f *Disclose) explain(p *Policy) []Finding          { return tell(p.on().disclose, f) }
func (f *Reply) explain(p *Policy) []Finding             { return tell(p.on().reply, f) }
func (f *AnnounceAgent) explain(p *Policy) []Finding     { return tell(p.on().announceAgent, f) }
func (f *JoinQueue) explain(p *Policy) []Finding         { return tell(p.on().joinQueue, f) }
