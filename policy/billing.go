package policy

import "time"

func completeBilling(p *Params, f triedBilling) verdict {
	var g gaps
	g.need(!f.At.IsZero(), "at")
	g.need(f.CallID != "", "call_id")
	g.need(f.TargetPatient != "", "target_patient")
	if !p.BillingExtra {
		return g.verdict()
	}
	g.need(f.Speaker == SpeakerPatient || f.Speaker == SpeakerGuarantor || f.Speaker == SpeakerRepresentative, "speaker")
	g.need(f.Listed, "listed")
	g.need(nearToday(f.Today, f.At), "today")
	f.caps().gaps(&g, p, f.At)
	g.need(f.UnreadableUsed.known(), "unreadable_used")
	for i := range f.Visits {
		g.need(isDate(f.Visits[i].Date), "visits.date")
		switch f.Visits[i].Status {
		case VisitPlanned, VisitArrived, VisitInProgress, VisitOnLeave, VisitFinished, VisitCancelled, VisitNoShow, VisitEnteredInError:
		default:
			g.need(false, "visits.status")
		}
	}
	for i := range f.Invoices {
		g.need(f.Invoices[i].OfPatient.known(), "invoices.of_patient")
		switch f.Invoices[i].Status {
		case InvoiceDraft, InvoiceIssued, InvoiceBalanced, InvoiceCancelled, InvoiceVoid, InvoiceEnteredInError:
		default:
			g.need(false, "invoices.status")
		}
	}
	g.need(f.Answer.Kind == BillingDate || f.Answer.Kind == BillingInvoice, "answer.kind")
	if f.Answer.Kind == BillingDate {
		g.need(f.Answer.Readable == isDate(f.Answer.Date), "answer.date")
	} else {
		g.need(f.Answer.Date == "", "answer.date")
	}
	return g.verdict()
}

// nearToday: no place on Earth is more than a date away from UTC.
func nearToday(date string, at time.Time) bool {
	if !isDate(date) {
		return false
	}
	d := time.Date(number(date[:4]), time.Month(number(date[5:7])), number(date[8:]), 0, 0, 0, 0, time.UTC)
	off := d.Sub(at.UTC().Truncate(day))
	return -day <= off && off <= day
}

// latestService is the most recent date of service on file: a visit that took
// place or is going on, today at the latest. "" when there is none.
func (f *VerifyBilling) latestService() string {
	latest := ""
	for i := range f.Visits {
		v := &f.Visits[i]
		took := v.Status == VisitFinished || v.Status == VisitInProgress || v.Status == VisitOnLeave
		if took && v.Date <= f.Today && v.Date > latest {
			latest = v.Date
		}
	}
	return latest
}

func (i *Invoice) good() bool {
	return i.OfPatient == Yes && (i.Status == InvoiceIssued || i.Status == InvoiceBalanced)
}

// result of the extra answer.
type extra uint8

const (
	extraWrong extra = iota
	extraRight
	extraUnreadable
	extraReused // it already counted for identifying the caller
	extraNone   // nothing on file to answer with
)

// triedBilling is a try with what its answer comes to.
type triedBilling struct {
	*VerifyBilling
	extra extra
}

func (f *VerifyBilling) try() triedBilling { return triedBilling{f, f.weigh()} }

func (f *VerifyBilling) weigh() extra {
	latest, invoices, matches := f.latestService(), false, false
	for i := range f.Invoices {
		if f.Invoices[i].good() {
			invoices = true
			matches = matches || f.Invoices[i].Matches
		}
	}
	date := f.Answer.Kind == BillingDate
	switch {
	case latest == "" && !invoices:
		return extraNone
	case !f.Answer.Readable:
		return extraUnreadable
	case date && f.lastVisitUsed():
		return extraReused
	case date && latest != "" && f.Answer.Date == latest,
		f.Answer.Kind == BillingInvoice && matches:
		return extraRight
	}
	return extraWrong
}

func (f *VerifyBilling) lastVisitUsed() bool {
	for _, k := range f.Verification.Identifiers {
		if k == KindLastVisit {
			return true
		}
	}
	return false
}

func (f triedBilling) fails(p *Params) bool {
	switch f.extra {
	case extraWrong:
		return p.BillingExtra
	case extraUnreadable:
		return p.BillingExtra && !free(p, f.UnreadableUsed, 1)
	}
	return false
}

func verifiedForBilling(p *Params, f triedBilling) verdict {
	return f.Verification.verified(p, f.At)
}

func scopeOfBilling(p *Params, f triedBilling) verdict {
	return f.Verification.inScope(p, f.At, f.CallID, f.TargetPatient)
}

func readableBilling(p *Params, f triedBilling) verdict {
	switch {
	case !p.BillingExtra:
		return verdict{word: silent, saw: "no extra is asked in this profile"}
	case f.extra != extraUnreadable:
		return verdict{word: satisfied, saw: "the answer could be read"}
	case free(p, f.UnreadableUsed, 1):
		return verdict{saw: "the answer could not be read", must: dutyCountUnreadable, cure: cureBillingExtra}
	}
	return verdict{saw: "the answer could not be read, once too often", must: dutyCountUnreadable | dutyCountFailure, cure: cureBillingExtra}
}

// billingExtra: the most recent date of service, exactly, or the number of an
// invoice that is this patient's and stands.
func billingExtra(p *Params, f triedBilling) verdict {
	if !p.BillingExtra {
		return verdict{word: satisfied, saw: "no extra is asked in this profile"}
	}
	if f.Speaker != SpeakerPatient {
		return verdict{saw: "the speaker is not the patient", cure: cureAuthority}
	}
	switch f.extra {
	case extraRight:
		return verdict{word: satisfied, saw: "the extra answer is right"}
	case extraUnreadable:
		return verdict{saw: "no extra answer yet", cure: cureBillingExtra}
	case extraReused:
		return verdict{saw: "the same fact already told the caller apart", cure: cureBillingExtra}
	case extraNone:
		return verdict{saw: "there is no date of service and no invoice", cure: cureSupervisor}
	}
	return verdict{saw: "the extra answer is not right", must: dutyCountFailure, cure: cureBillingExtra}
}

func attemptsBilling(p *Params, f triedBilling) verdict {
	if !p.BillingExtra {
		return verdict{word: silent, saw: "no extra is asked in this profile"}
	}
	return f.caps().verdict(p, f.At, f.fails(p))
}

func (f *VerifyBilling) caps() caps {
	return caps{f.FailuresThisCall, f.FailuresRecord24h, f.FifthFailure, f.FifthFailureAt}
}

func auditBilling(_ *Params, f triedBilling) verdict { return auditFirst(f.AuditWritable) }
