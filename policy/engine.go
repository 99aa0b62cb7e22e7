package policy

import "strings"

// gaps collects the names of facts that are missing, unknown or contradict
// another.
type gaps struct{ names []string }

func (g *gaps) need(ok bool, name string) {
	if !ok {
		g.add(name)
	}
}

func (g *gaps) add(name string) {
	for _, have := range g.names {
		if have == name {
			return
		}
	}
	if g.names == nil {
		g.names = make([]string, 0, 16)
	}
	g.names = append(g.names, name)
}

func (g *gaps) verdict() verdict {
	if len(g.names) == 0 {
		return verdict{word: satisfied, saw: "all facts are there and agree"}
	}
	cure := make([]Remedy, 0, len(g.names)+1)
	for _, n := range g.names {
		cure = append(cure, Remedy{Kind: RemedyProvide, Input: n})
	}
	return verdict{
		saw:  "missing, unknown or contradictory: " + strings.Join(g.names, ", "),
		cure: cured(cure...),
	}
}

// auditFirst denies when the decision cannot be written before it takes effect.
func auditFirst(writable bool) verdict {
	if writable {
		return verdict{word: satisfied, saw: "the audit log is writable"}
	}
	return verdict{saw: "the audit log is not writable", cure: cureAudit}
}

// auditBuffered lets the call go on while the audit log is down: it is kept,
// or is an emergency, and the decision is written locally until the log is back.
func auditBuffered(writable bool) verdict {
	v := verdict{word: satisfied, saw: "the audit log is writable"}
	if !writable {
		v.saw, v.must = "the audit log is not writable; the call is kept", dutyBufferAudit
	}
	return v
}

// Shared remedies; never changed.
var (
	cureAudit             = cured(Remedy{Kind: RemedyRestoreAudit})
	cureVerify            = cured(Remedy{Kind: RemedyVerify})
	cureAskAnother        = cured(Remedy{Kind: RemedyAskAnother})
	cureDiscriminate      = cured(Remedy{Kind: RemedyAskDiscriminator})
	cureRetry             = cured(Remedy{Kind: RemedyRetry})
	cureBillingExtra      = cured(Remedy{Kind: RemedyAskDOSOrInvoice})
	cureSupervisor        = cured(Remedy{Kind: RemedyBillingSupervisor})
	cureAuthority         = cured(Remedy{Kind: RemedyRepresentative})
	cureAlternate         = cured(Remedy{Kind: RemedyAlternateChannel})
	cureAnnounce          = cured(Remedy{Kind: RemedyAnnounceAgent})
	cureTrain             = cured(Remedy{Kind: RemedyTrain})
	cureSameService       = cured(Remedy{Kind: RemedySameService})
	cureUnrecorded        = cured(Remedy{Kind: RemedyUnrecordedQueue})
	cureNeutral           = cured(Remedy{Kind: RemedyNeutralReply})
	cureRestoreKey        = cured(Remedy{Kind: RemedyOfficerRestore})
	cureDisk              = cured(Remedy{Kind: RemedyFreeDisk})
	cureEncryptOnly       = cured(Remedy{Kind: RemedyEncrypt})
	cureEncryptOrDocument = cured(Remedy{Kind: RemedyEncrypt}, Remedy{Kind: RemedyDocumentAddressing})
	cureSegment           = cured(Remedy{Kind: RemedyNewSegment})
)

// cureEncrypt offers encryption, and in a profile that takes it the document.
func cureEncrypt(p *Params) *[]Remedy {
	if p.AddressableEncryption {
		return cureEncryptOrDocument
	}
	return cureEncryptOnly
}
