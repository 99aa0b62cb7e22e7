package policy

// running adapts a rule on the shared facts to ContinueRecording.
func running(look func(*Params, *RecordingFacts) verdict) func(*Params, *ContinueRecording) verdict {
	return orStop(func(p *Params, f *ContinueRecording) verdict { return look(p, &f.RecordingFacts) })
}

// orStop makes every denial of a running recording stop it, unless the rule
// only asks to pause.
func orStop(look func(*Params, *ContinueRecording) verdict) func(*Params, *ContinueRecording) verdict {
	return func(p *Params, f *ContinueRecording) verdict {
		v := look(p, f)
		if v.word == denies && v.must&dutyPause == 0 {
			v.must |= dutyStop
		}
		return v
	}
}

// settleStart drops what only a running recording can do.
func settleStart(must duties, cure []Remedy) (duties, []Remedy) {
	return must &^ (dutyPause | dutyStop | dutySealExisting), cure
}

// settleContinue: to stop is more than to pause.
func settleContinue(must duties, cure []Remedy) (duties, []Remedy) {
	if must&dutyStop != 0 {
		must &^= dutyPause
	}
	return must, cure
}

func (f *RecordingFacts) gaps(g *gaps) {
	g.need(!f.At.IsZero(), "at")
	g.need(f.CallID != "", "call_id")
	g.need(f.Emergency.known(), "emergency")
	g.need(f.Relay.known(), "relay")
	g.need(f.Purpose.known(), "purpose")
	g.need(len(f.Parties) > 0, "parties")
	for i := range f.Parties {
		p := &f.Parties[i]
		g.need(p.ID != "", "parties.id")
		for j := range i {
			g.need(f.Parties[j].ID != p.ID, "parties.id")
		}
		g.need(p.Kind.known(), "parties.kind")
		g.need(p.Kind != PartyRelayOperator || f.Relay == Yes, "relay")
		g.need(p.Withdrawn.known(), "parties.withdrawn")
		g.need((p.Withdrawn == Yes) == !p.WithdrawnAt.IsZero(), "parties.withdrawn_at")
		g.need(!p.WithdrawnAt.After(f.At), "parties.withdrawn_at")
		for k := range p.Answers {
			g.need(p.Answers[k].complete(f.At), "parties.answers")
		}
	}
	switch f.Recorder {
	case RecorderOff, RecorderBuffering, RecorderWriting, RecorderPaused:
	default:
		g.need(false, "recorder")
	}
	switch f.Writer.Means {
	case MeansSealedRecorder, MeansTranscription, MeansMixMonitor, MeansQueueRecording, MeansBridgeRecording, MeansLiveVoicemail:
	default:
		g.need(false, "writer.means")
	}
	g.need(f.Writer.Algorithm.known(), "writer.algorithm")
	g.need(f.Writer.Algorithm == NoCipher || f.Writer.KeyState.known(), "writer.key_state")
	g.need(f.PlaintextFound.known(), "plaintext_found")
}

func completeStart(_ *Params, f *RecordingFacts) verdict {
	var g gaps
	f.gaps(&g)
	return g.verdict()
}

func completeContinue(_ *Params, f *ContinueRecording) verdict {
	var g gaps
	f.gaps(&g)
	g.need(f.Event.known(), "event")
	g.need(!f.AllowedAt.IsZero() && !f.AllowedAt.After(f.At), "allowed_at")
	g.need(!f.SegmentStartedAt.IsZero() && !f.SegmentStartedAt.After(f.At), "segment_started_at")
	g.need(!f.AnnouncedAt.After(f.At), "announced_at")
	return g.verdict()
}

// offStart: nothing may have been taken before the decision, not even into a
// buffer.
func offStart(_ *Params, f *RecordingFacts) verdict {
	if f.Recorder == RecorderOff {
		return verdict{word: satisfied, saw: "nothing is being taken yet"}
	}
	return verdict{saw: "audio is taken already, or was before the decision"}
}

// offContinue: the segment stands on an earlier allowance.
func offContinue(_ *Params, f *ContinueRecording) verdict {
	switch {
	case f.Recorder != RecorderWriting && f.Recorder != RecorderPaused:
		return verdict{saw: "there is no recording that could go on"}
	case f.AllowedAt.IsZero() || f.SegmentStartedAt.Before(f.AllowedAt):
		return verdict{saw: "the segment holds audio from before its allowance", must: dutyQuarantine | dutyIncident}
	}
	return verdict{word: satisfied, saw: "the segment began after it was allowed"}
}

// evidenceStart: the file's first words repeat the consent, and its record is
// stored.
func evidenceStart(_ *Params, f *RecordingFacts) verdict {
	if f.AnnouncePrompt == "" {
		return verdict{
			saw:  "nothing would repeat the consent on the file",
			cure: cured(Remedy{Kind: RemedyProvide, Input: "announce_prompt"}),
		}
	}
	return verdict{
		word: satisfied, saw: "the consent will be repeated on the file",
		must: dutyAnnounce | dutyStoreConsent,
	}
}

// evidenceContinue: the record exists, and the words came in time or still can.
func evidenceContinue(p *Params, f *ContinueRecording) verdict {
	late := f.SegmentStartedAt.Add(p.AnnounceWithin)
	switch {
	case !f.ConsentStored:
		return verdict{saw: "a file without a consent record", must: dutyQuarantine | dutyIncident}
	case f.AnnouncedAt.IsZero() && f.At.After(late):
		return verdict{saw: "the consent was not repeated on the file in time", must: dutyIncident}
	case f.AnnouncedAt.IsZero():
		return verdict{word: satisfied, saw: "the consent is still to be repeated on the file", must: dutyAnnounce}
	case f.AnnouncedAt.Before(f.SegmentStartedAt) || f.AnnouncedAt.After(late):
		return verdict{saw: "the consent is not among the first words of the file", must: dutyIncident}
	}
	return verdict{word: satisfied, saw: "the file's first words repeat the consent"}
}

// secure: authenticated ciphertext only, and room for it. Where that fails the
// parties are told, what exists is sealed, and the call goes on.
func secure(p *Params, f *RecordingFacts) verdict {
	w := &f.Writer
	documented := p.AddressableEncryption && w.Documented
	switch {
	case f.PlaintextFound != No:
		return verdict{saw: "unsealed audio was found at start", must: dutyQuarantine | dutyIncident | dutyTellParties}
	case !f.DiskFree:
		return verdict{saw: "there is no room for the sealed file", must: dutySealExisting | dutyTellParties, cure: cureDisk}
	case w.Algorithm != NoCipher && w.KeyState != KeyReady:
		return verdict{
			saw: "there is no usable key", must: dutySealExisting | dutyTellParties,
			cure: cured(Remedy{Kind: RemedyProvide, Input: "writer.key_state"}),
		}
	case documented:
		return verdict{word: satisfied, saw: "the addressable decision is on file", must: dutySealOnClose | dutyVerifyOnRead}
	case w.Means != MeansSealedRecorder && w.Means != MeansTranscription:
		return verdict{saw: "this way of recording writes a plain file", must: dutyTellParties, cure: cureEncrypt(p)}
	case !w.Sealed || !w.Algorithm.strong() || !w.PerFileKey:
		return verdict{saw: "the file would not be authenticated ciphertext under its own key", must: dutyTellParties, cure: cureEncrypt(p)}
	}
	return verdict{word: satisfied, saw: "sealed in memory, under the file's own key", must: dutySealOnClose | dutyVerifyOnRead}
}

func auditRecording(_ *Params, f *RecordingFacts) verdict {
	v := auditFirst(f.AuditWritable)
	if v.word == denies {
		v.must = dutyTellParties
	}
	return v
}
