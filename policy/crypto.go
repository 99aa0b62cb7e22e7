package policy

func completeLeg(_ *Params, f *ConnectLeg) verdict {
	if f.Emergency == Yes {
		return verdict{word: silent, saw: "an emergency call is not gated"}
	}
	var g gaps
	g.need(!f.At.IsZero(), "at")
	g.need(f.Leg.known(), "leg")
	g.need(f.Change == LegNew || f.Change == LegReinvite, "change")
	if f.Leg == LegPSTNTrunk {
		g.need(f.Trunk == TrunkCircuit || f.Trunk == TrunkSIP, "trunk")
	} else {
		g.need(f.Trunk == "", "trunk")
	}
	s := &f.Signalling
	g.need(s.Transport.known(), "signalling.transport")
	g.need((s.Transport == TransportCircuit) == (f.Trunk == TrunkCircuit), "signalling.transport")
	if s.Transport == TransportTLS || s.Transport == TransportWSS {
		g.need(s.TLSVersion == TLS10 || s.TLSVersion == TLS11 || s.TLSVersion == TLS12 || s.TLSVersion == TLS13, "signalling.tls_version")
		switch s.Certificate {
		case CertificateValid, CertificateExpired, CertificateWrongName, CertificateUntrusted:
		default:
			g.need(false, "signalling.certificate")
		}
	}
	g.need(f.Media.known(), "media")
	g.need((f.Media == MediaCircuit) == (f.Trunk == TrunkCircuit), "media")
	g.need(f.Media != MediaTLSSocket || f.Leg == LegMediaSocket, "media")
	return g.verdict()
}

// encryptedLeg: SRTP and TLS on every leg we control; the hand-off to a carrier
// is marked; a change to plain media is put on hold.
func encryptedLeg(p *Params, f *ConnectLeg) verdict {
	if f.Emergency == Yes {
		return verdict{word: silent, saw: "an emergency call is not gated"}
	}
	var mark duties
	if f.Leg == LegPSTNTrunk {
		mark = dutyMarkPSTN
	}
	plain := plainPart(f)
	switch {
	case plain == "":
		return verdict{word: satisfied, saw: "signalling and media are encrypted", must: mark}
	case mark != 0 && f.Trunk == TrunkCircuit:
		return verdict{word: satisfied, saw: "a circuit of the carrier, where our encryption ends", must: mark}
	case p.AddressableEncryption && f.Documented && f.Leg.known():
		return verdict{word: satisfied, saw: "not encrypted; the addressable decision is on file", must: mark}
	}
	v := verdict{saw: plain, cure: cureEncrypt(p)}
	if f.Change != LegNew {
		v.must = dutyDropMedia
	}
	return v
}

// plainPart names what is not encrypted, or nothing.
func plainPart(f *ConnectLeg) string {
	s := &f.Signalling
	switch {
	case s.Transport != TransportTLS && s.Transport != TransportWSS:
		return "the signalling is not encrypted"
	case s.TLSVersion != TLS12 && s.TLSVersion != TLS13:
		return "the TLS version is too old"
	case s.Certificate != CertificateValid:
		return "the certificate is not valid"
	case f.Media == MediaSDES, f.Media == MediaDTLS:
		return ""
	case f.Media == MediaTLSSocket && f.Leg == LegMediaSocket:
		return ""
	}
	return "the media are not encrypted"
}

func auditLeg(_ *Params, f *ConnectLeg) verdict { return auditBuffered(f.AuditWritable) }

func completeKeep(_ *Params, f *KeepRecord) verdict {
	var g gaps
	g.need(!f.At.IsZero(), "at")
	g.need(f.Use == UseWrite || f.Use == UseRead, "use")
	g.need(f.Store.known(), "store")
	g.need(f.Algorithm.known(), "algorithm")
	sealed := f.Algorithm != NoCipher
	g.need((f.KeyID != "") == sealed, "key_id")
	g.need(f.KeyState.known() == sealed, "key_state")
	checked := f.Integrity == IntegrityVerified || f.Integrity == IntegrityFailed
	g.need(checked == (sealed && f.Use == UseRead), "integrity")
	return g.verdict()
}

// atRest: authenticated encryption with a usable key that is held apart.
func atRest(p *Params, f *KeepRecord) verdict {
	documented := p.AddressableEncryption && f.Documented
	switch {
	case f.KeyState == KeyRevoked:
		return verdict{saw: "the key is revoked", cure: cureRestoreKey}
	case f.Use == UseRead && f.Integrity == IntegrityFailed:
		return verdict{saw: "what was read is not authentic", must: dutyQuarantine | dutyIncident}
	case f.Algorithm == NoCipher && documented:
		return verdict{word: satisfied, saw: "not encrypted; the addressable decision is on file"}
	case f.KeyState != KeyReady:
		return verdict{saw: "there is no usable key", cure: cured(Remedy{Kind: RemedyProvide, Input: "key_state"})}
	case documented:
		return verdict{word: satisfied, saw: "the addressable decision is on file"}
	case !f.Algorithm.strong():
		return verdict{saw: "no accepted algorithm", cure: cureEncrypt(p)}
	case !f.KeysApart:
		return verdict{saw: "the key is not held apart from the data", cure: cured(Remedy{Kind: RemedyProvide, Input: "keys_apart"})}
	}
	return verdict{word: satisfied, saw: "encrypted, with a key held apart"}
}

// keepEvidence: a recording without a consent record is locked away.
func keepEvidence(_ *Params, f *KeepRecord) verdict {
	switch {
	case f.Store != StoreRecording:
		return verdict{word: silent, saw: "no recording"}
	case f.ConsentRecord == "":
		return verdict{saw: "a recording without a consent record", must: dutyQuarantine | dutyIncident}
	}
	return verdict{word: satisfied, saw: "the consent record is known"}
}

// keepSecure: a recording is authenticated ciphertext when written, and not
// played when it is not authentic.
func keepSecure(p *Params, f *KeepRecord) verdict {
	switch {
	case f.Store != StoreRecording:
		return verdict{word: silent, saw: "no recording"}
	case f.Use == UseRead && f.Integrity == IntegrityFailed:
		return verdict{saw: "the recording is not authentic: it is not played", must: dutyQuarantine | dutyIncident}
	case f.Algorithm.strong() || p.AddressableEncryption && f.Documented:
		return verdict{word: satisfied, saw: "authenticated ciphertext, or its documented decision", must: dutySealOnClose | dutyVerifyOnRead}
	}
	return verdict{saw: "a recording in plain", cure: cureEncrypt(p)}
}

func auditKeep(_ *Params, f *KeepRecord) verdict { return auditFirst(f.AuditWritable) }
