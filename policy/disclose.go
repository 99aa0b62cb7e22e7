package policy

import "time"

// agentTakesPart: an agent speaks, sees or hears it.
func (f *Disclose) agentTakesPart() bool {
	return f.By == VoiceAgent || f.Channel == ChannelShowToAgent || f.Channel == ChannelWhisperToAgent
}

func completeDisclose(_ *Params, f *Disclose) verdict {
	var g gaps
	g.need(!f.At.IsZero(), "at")
	g.need(f.CallID != "", "call_id")
	g.need(f.Category.known(), "category")
	g.need(f.Channel.known(), "channel")
	g.need(f.By == VoiceIVR || f.By == VoiceAgent, "by")
	if f.Category.phi() {
		g.need(f.TargetPatient != "", "target_patient")
	}
	return g.verdict()
}

// verifiedFirst: PHI waits for the verification; that somebody is a patient is
// PHI.
func verifiedFirst(p *Params, f *Disclose) verdict {
	if !f.Category.phi() {
		return verdict{word: satisfied, saw: "no PHI"}
	}
	return f.Verification.verified(p, f.At)
}

func (v *Verification) verified(p *Params, now time.Time) verdict {
	var c class
	for _, k := range v.Identifiers {
		c |= k.class(p)
	}
	if v.CallID == "" || v.PatientID == "" || v.At.IsZero() || v.At.After(now) || c.count() < p.Identifiers {
		return verdict{saw: "the caller is not verified", cure: cureVerify}
	}
	return verdict{word: satisfied, saw: "the caller is verified"}
}

// inScope: one call, one patient, one caller, for a while.
func (v *Verification) inScope(p *Params, now time.Time, call, patient string) verdict {
	why := ""
	hold, known := v.LongestHold.Value()
	switch {
	case v.At.IsZero():
		return verdict{word: silent, saw: "there is no verification"}
	case v.CallID != call:
		why = "the verification is of another call"
	case v.PatientID != patient:
		why = "the verification is of another patient"
	case v.CallerChanged != No:
		why = "it is not known to be the same caller"
	case p.VerificationLife > 0 && now.Sub(v.At) >= p.VerificationLife:
		why = "the verification has expired"
	case !known || p.HoldLimit > 0 && hold > p.HoldLimit:
		why = "the caller was on hold too long"
	case !v.Transferred.known() || v.Transferred == Yes && !v.Token:
		why = "the verification did not come along with the transfer"
	default:
		return verdict{word: satisfied, saw: "same call, patient and caller"}
	}
	return verdict{saw: why, cure: cureVerify}
}

func scopeOfDisclose(p *Params, f *Disclose) verdict {
	switch {
	case !f.Category.phi():
		return verdict{word: silent, saw: "no PHI"}
	case f.Category == CategoryIdentityAnswers:
		return verdict{saw: "that the caller is verified is passed on, the answers never"}
	}
	return f.Verification.inScope(p, f.At, f.CallID, f.TargetPatient)
}

func billingFirst(p *Params, f *Disclose) verdict {
	switch {
	case f.Category != CategoryBilling || !p.BillingExtra:
		return verdict{word: silent, saw: "no billing extra is needed"}
	case f.Verification.Billing:
		return verdict{word: satisfied, saw: "the billing extra was given"}
	}
	return verdict{saw: "the billing extra was not given", cure: cureBillingExtra}
}

// announcedFirst: an agent speaks no PHI before the patient knows who speaks.
func announcedFirst(p *Params, f *Disclose) verdict {
	switch {
	case !p.AnnounceAgents:
		return verdict{word: silent, saw: "not asked of these calls in this profile"}
	case !f.Category.phi() || f.By == VoiceIVR || f.Channel != ChannelSayToPatient && f.Channel.known():
		return verdict{word: silent, saw: "no agent speaks PHI"}
	}
	a := &f.Announcement
	if a.fault() == "" && !a.SaidAt.IsZero() && !a.SaidAt.After(f.At) {
		return verdict{word: satisfied, saw: "the patient knows who speaks"}
	}
	return verdict{saw: "the agent has not been announced", must: dutyAnnounceAgent, cure: cureAnnounce}
}

// fault names the part of an announcement that is missing or wrong, or nothing.
func (a *Announcement) fault() string {
	users, _ := a.NameUsers.Value()
	switch {
	case a.AgentID == "" || a.AgentID != a.ForAgentID:
		return "agent_id"
	case !a.Name:
		return "name"
	case users != 1:
		return "name_users"
	case a.Organisation != OrganisationReal && a.Organisation != OrganisationNeutral:
		return "organisation"
	case a.Callback != NumberGeographic && a.Callback != NumberTollFree:
		return "callback"
	case a.Means != VoiceIVR && a.Means != VoiceAgent:
		return "means"
	}
	return ""
}

// trainedAgent: who handles PHI was trained when they took the call.
func trainedAgent(p *Params, f *Disclose) verdict {
	switch {
	case !f.Category.phi() || !f.agentTakesPart():
		return verdict{word: silent, saw: "no agent handles PHI"}
	case f.AgentJoinedAt.IsZero() || f.AgentJoinedAt.After(f.At):
		return verdict{saw: "it is not known when the agent took the call", cure: cured(Remedy{Kind: RemedyProvide, Input: "agent_joined_at"})}
	}
	return f.Training.current(p, f.AgentJoinedAt)
}

// auditDisclose: in a confirmed emergency the entry waits locally; never for
// billing.
func auditDisclose(_ *Params, f *Disclose) verdict {
	if f.Emergency == Yes && f.Category != CategoryBilling {
		return auditBuffered(f.AuditWritable)
	}
	return auditFirst(f.AuditWritable)
}
