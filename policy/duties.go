package policy

// duties is a set of obligations; bit i is obligationKinds[i].
type duties uint32

// obligationKinds is the order of obligations in a decision.
var obligationKinds = [...]ObligationKind{
	NotifyFrontDesk, SendLocation, NoRecording, MarkPSTNBoundary, DropMediaToHold,
	PauseRecording, StopRecording, SealExisting, ConfirmToCaller, MarkWithdrawn,
	DiscardSegment, OfficerOnly, TellParties, AnnounceOnRecording, StoreConsentRecord,
	SealOnClose, VerifyOnRead, Quarantine, RaiseIncident, CountFailure,
	CountUnreadable, LockRecord, DataQualityTask, AskDOSOrInvoice, AnnounceAgentDuty,
	NeutralOrganisation, BufferAudit,
}

const (
	dutyNotifyFrontDesk duties = 1 << iota
	dutySendLocation
	dutyNoRecording
	dutyMarkPSTN
	dutyDropMedia
	dutyPause
	dutyStop
	dutySealExisting
	dutyConfirm
	dutyMarkWithdrawn
	dutyDiscard
	dutyOfficerOnly
	dutyTellParties
	dutyAnnounce
	dutyStoreConsent
	dutySealOnClose
	dutyVerifyOnRead
	dutyQuarantine
	dutyIncident
	dutyCountFailure
	dutyCountUnreadable
	dutyLockRecord
	dutyDataQuality
	dutyAskBilling
	dutyAnnounceAgent
	dutyNeutralName
	dutyBufferAudit
)

// list writes the set out, with the profile's times.
func (s duties) list(p *Params) []Obligation {
	var out []Obligation
	for i, k := range obligationKinds {
		if s&(1<<i) == 0 {
			continue
		}
		o := Obligation{Kind: k}
		switch k {
		case StopRecording, PauseRecording:
			o.Within = p.StopWithin
		case AnnounceOnRecording:
			o.Within = p.AnnounceWithin
		case AnnounceAgentDuty:
			o.Within = p.AnnounceAgentWithin
		}
		out = append(out, o)
	}
	return out[:len(out):len(out)]
}
