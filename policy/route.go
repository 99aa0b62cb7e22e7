package policy

func completeRoute(_ *Params, f *RouteCall) verdict {
	var g gaps
	g.need(!f.At.IsZero(), "at")
	g.need(f.What.known(), "what")
	g.need(f.Because.known(), "because")
	// A denial or a fault never ends a call.
	g.need(f.What != RouteTerminate || f.Because != BecauseNotVerified && f.Because != BecauseTrouble, "because")
	g.need(f.RecordingRefused.known(), "recording_refused")
	if f.What == RouteQueue {
		g.need(f.QueueRequiresRecording.known(), "queue_requires_recording")
	}
	return g.verdict()
}

// noDetriment: who refuses is served as if they had not.
func noDetriment(_ *Params, f *RouteCall) verdict {
	switch {
	case f.Because.detriment():
		return verdict{saw: "a refusal, or a quota, is no reason", cure: cureSameService}
	case f.What == RouteQueue && f.RecordingRefused != No && f.QueueRequiresRecording != No:
		return verdict{saw: "the queue insists on recording and the caller refused", cure: cureUnrecorded}
	}
	return verdict{word: satisfied, saw: "the reason has nothing to do with recording"}
}

func auditRoute(_ *Params, f *RouteCall) verdict { return auditBuffered(f.AuditWritable) }

func completeReply(_ *Params, f *Reply) verdict {
	var g gaps
	g.need(!f.At.IsZero(), "at")
	g.need(f.Audience == AudienceCaller || f.Audience == AudienceAgent, "audience")
	g.need(f.Situation == SituationAsking || f.Situation == SituationFailed || f.Situation == SituationVerified, "situation")
	g.need(f.NamesItem.known(), "names_item")
	g.need(f.ConfirmsRecord.known(), "confirms_record")
	g.need(f.OffersChoice.known(), "offers_choice")
	g.need(f.ShowsStoredValue.known(), "shows_stored_value")
	if f.Situation == SituationFailed && f.Audience == AudienceCaller {
		g.need(f.SameWording.known(), "same_wording")
		g.need(f.SameTiming.known(), "same_timing")
	}
	return g.verdict()
}

// noOracle: words that would teach a guesser are not said, and to agents only
// match or no match is shown.
func noOracle(_ *Params, f *Reply) verdict {
	why := ""
	switch {
	case f.ShowsStoredValue != No:
		why = "it would give away what is on file"
	case f.OffersChoice != No:
		why = "it would offer answers to choose from"
	case f.NamesItem != No:
		why = "it would name the item that failed"
	case f.ConfirmsRecord != No && f.Situation != SituationVerified:
		why = "it would tell whether there is a record"
	case f.Situation == SituationFailed && f.Audience != AudienceAgent && (f.SameWording != Yes || f.SameTiming != Yes):
		why = "it would differ from other failures"
	default:
		return verdict{word: satisfied, saw: "it teaches nothing"}
	}
	return verdict{saw: why, cure: cureNeutral}
}

func auditReply(_ *Params, f *Reply) verdict { return auditBuffered(f.AuditWritable) }
