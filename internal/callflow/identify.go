package callflow

import (
	"context"
	"slices"
	"time"

	"github.com/callward/callward/ari"
	"github.com/callward/callward/policy"
	"github.com/callward/callward/storage"
)

// An item is one identifier that can be keyed. The order is the order asked.
type item struct {
	kind   storage.IdentifierKind
	prompt []string
	digits []int // keys per prompt
	read   func(k *contact, keys []string) (string, error)
}

var items = []item{
	{storage.KindBirthDate, []string{"ask_birth_date"}, []int{8}, func(k *contact, keys []string) (string, error) {
		return policy.NormalizeBirthDate(keys[0], k.today())
	}},
	{storage.KindPhone, []string{"ask_phone"}, []int{10}, func(_ *contact, keys []string) (string, error) {
		return policy.NormalizePhone(keys[0])
	}},
	{storage.KindMRN, []string{"ask_mrn"}, []int{16}, func(_ *contact, keys []string) (string, error) {
		return policy.NormalizeIdentifier(keys[0])
	}},
	{storage.KindHouseZIP, []string{"ask_house", "ask_zip"}, []int{8, 5}, func(_ *contact, keys []string) (string, error) {
		return policy.NormalizeHouseZIP(keys[0], keys[1])
	}},
}

// offer is one identifier the caller keyed. It holds PHI and is never printed.
type given struct {
	kind   storage.IdentifierKind
	value  string
	result policy.MatchResult
}

func (k *contact) today() time.Time {
	return k.now().In(k.f.Site.Location)
}

// identify asks any two identifiers. The pound key passes one over. Whoever
// cannot be verified goes on to a human, marked unverified.
//
//	stateDiagram-v2
//	  [*] --> asking
//	  asking --> asking: pound (next kind), unreadable (again)
//	  asking --> submitted: enough identifiers
//	  asking --> unverified: nothing more to ask
//	  submitted --> verified: allow
//	  submitted --> asking: retry, one more kind for twins
//	  submitted --> unverified: third failure, record locked, store away
//	  verified --> billing: billing was chosen
//	  billing --> [*]
//	  verified --> [*]
//	  unverified --> [*]
func (k *contact) identify(ctx context.Context) error {
	verified := false
	intro := []string{"identify_intro"}
	for round := 0; round < tries && k.failures < tries; round++ {
		have, err := k.collect(ctx, nil, 2, intro...)
		if err != nil {
			return err
		}
		if countReadable(have) == 0 && !anyUnreadable(have) {
			break // nothing was keyed: a human will help
		}
		d, err := k.submit(ctx, have)
		if err != nil {
			return err
		}
		// Twins: one more kind splits them. Every other denial, an identifier
		// that is not on file included, gets the one neutral answer below.
		for !d.Allowed() && wants(d, policy.RemedyAskDiscriminator) {
			before := len(have)
			if err := k.say(ctx, "ask_discriminator"); err != nil {
				return err
			}
			if have, err = k.collect(ctx, have, before+1); err != nil {
				return err
			}
			if len(have) == before {
				break
			}
			if d, err = k.submit(ctx, have); err != nil {
				return err
			}
		}
		if d.Allowed() {
			verified = true
			break
		}
		if !wants(d, policy.RemedyRetry, policy.RemedyAskAnother) || k.failures >= tries {
			break
		}
		intro = nil
		if k.reply(ctx, policy.SituationFailed) {
			intro = []string{"identify_retry"}
		}
	}
	id := "identify_failed"
	if verified {
		id = "identify_done"
	}
	if err := k.say(ctx, id); err != nil {
		return err
	}
	k.step(ctx, stepIdentified, map[string]string{"verified": yesNo(verified), "failures": itoa(int64(k.failures))})
	if verified && k.row.Intent == string(policy.IntentBilling) {
		return k.identifyBilling(ctx)
	}
	return nil
}

// collect asks kinds not given yet until there are n. Whoever keeps silent is
// not asked the next kind: a human will help.
func (k *contact) collect(ctx context.Context, have []given, n int, intro ...string) ([]given, error) {
	for _, it := range items {
		if len(have) >= n {
			break
		}
		if slices.ContainsFunc(have, func(g given) bool { return g.kind == it.kind }) {
			continue
		}
		g, end, err := k.askItem(ctx, it, intro)
		if err != nil {
			return have, err
		}
		intro = nil
		switch end {
		case itemGiven:
			have = append(have, g)
		case itemSilence:
			return have, nil
		}
	}
	return have, nil
}

// itemEnd is how asking for one identifier ended.
type itemEnd int

const (
	itemPassed  itemEnd = iota // the pound key, or never readable
	itemGiven                  // an answer, readable or counting as unreadable
	itemSilence                // nothing was keyed, twice
)

// askItem asks one identifier: again when it cannot be read, once more on
// silence. A key stops the introduction too.
func (k *contact) askItem(ctx context.Context, it item, intro []string) (g given, end itemEnd, err error) {
	silent := false
	for range tries {
		keys, passed, err := k.askKeys(ctx, it, intro)
		if err != nil || passed {
			return given{}, itemPassed, err
		}
		if len(keys) < len(it.prompt) {
			if silent {
				return given{}, itemSilence, nil
			}
			silent, intro = true, []string{"no_input"}
			continue
		}
		value, err := it.read(k, keys)
		if err == nil {
			return given{kind: it.kind, value: value}, itemGiven, nil
		}
		if k.unreadable >= freeUnreadable {
			// From now on an unreadable answer is part of the try and counts.
			return given{kind: it.kind, result: policy.ResultUnreadable}, itemGiven, nil
		}
		k.unreadable++
		if err := k.noteAttempt(ctx, storage.AttemptUnreadable, []storage.IdentifierKind{it.kind}, nil); err != nil {
			k.log.Error("unreadable answer not kept", "error", err)
		}
		intro = []string{"identify_unreadable"}
	}
	return given{}, itemPassed, nil
}

// askKeys plays an item's questions and gathers the keys of each; fewer
// answers than questions is silence.
func (k *contact) askKeys(ctx context.Context, it item, intro []string) (keys []string, passed bool, err error) {
	for i, prompt := range it.prompt {
		ans, _, err := k.ask(ctx, k.call.Leg, k.row.Language, ari.Ask{MaxDigits: it.digits[i], Terminator: "#"}, append(intro, prompt)...)
		if err != nil {
			return nil, false, err
		}
		if ans.Digits.Len() == 0 {
			return nil, ans.End == ari.EndTerminator, nil
		}
		keys, intro = append(keys, ans.Digits.Reveal()), nil
	}
	return keys, false, nil
}

// freeUnreadable is how many unreadable answers of a call cost nothing
// (identity.match.normalise).
const freeUnreadable = 2

// submit is one try: look up, decide, and keep the attempt in the decision's
// own transaction.
func (k *contact) submit(ctx context.Context, have []given) (policy.Decision, error) {
	now := k.now()
	facts, touched, err := k.lookup(ctx, have, now)
	if err != nil {
		k.log.Error("patients cannot be looked up; the caller stays unverified", "error", err)
	}
	facts.AuditWritable = true
	decided := k.f.Policy.Decide(&facts)
	attempt := storage.Attempt{CallID: k.row.ID, At: now, Result: storage.AttemptMatched, Patients: touched}
	for _, g := range have {
		attempt.Offered = append(attempt.Offered, g.kind)
	}
	switch {
	case decided.Obliges(policy.CountFailure):
		attempt.Result = storage.AttemptFailed
	case !decided.Allowed() && decided.Obliges(policy.CountUnreadable):
		attempt.Result = storage.AttemptUnreadable
	case !decided.Allowed():
		attempt.Result = storage.AttemptAmbiguous
	default:
		k.row.VerifiedPatient, k.row.VerifiedAt = storage.PatientID(facts.PatientID), now
		k.row.VerifiedBy = attempt.Offered
	}
	d := k.decide(ctx, "identify", func(w bool) policy.Request {
		f := facts
		f.AuditWritable = w
		return &f
	}, func(tx storage.Tx, _ int64) error { return tx.AddAttempt(attempt) })
	if !d.Allowed() {
		k.row.VerifiedPatient, k.row.VerifiedAt, k.row.VerifiedBy, k.state = "", time.Time{}, nil, ""
	}
	if d.Obliges(policy.CountFailure) || err != nil {
		k.failures++
	}
	return d, nil
}

// lookup turns what was keyed into facts: how each identifier compares, how
// many records they leave, how often those records were guessed at. Each
// failure takes the same path, whether or not such a patient exists.
func (k *contact) lookup(ctx context.Context, have []given, now time.Time) (policy.Verify, []storage.PatientID, error) {
	facts := policy.Verify{
		At: now, CallID: k.row.ID, Intent: policy.Intent(k.row.Intent),
		FailuresThisCall: policy.CountOf(k.failures), UnreadableUsed: policy.CountOf(k.unreadable),
		CallerID: policy.CallerIDShown,
	}
	_, number := k.call.Caller()
	if number.IsZero() {
		facts.CallerID = policy.CallerIDBlocked
	}
	var offered []storage.Identifier
	for _, g := range have {
		if g.value != "" {
			offered = append(offered, storage.Identifier{Kind: g.kind, Value: g.value})
		}
	}
	var touched []storage.PatientID
	err := k.f.view(ctx, func(tx storage.Tx) error {
		matches, err := tx.MatchPatients(offered)
		if err != nil {
			return err
		}
		best := bestMatches(matches)
		left := candidates(best)
		facts.Candidates = policy.CountOf(len(left))
		if len(left) == 1 {
			facts.PatientID = string(left[0].Patient)
		}
		facts.SamePerson = policy.No
		worst, fifth := 0, time.Time{}
		for _, m := range matches {
			touched = append(touched, m.Patient)
		}
		for _, m := range best {
			n, at, err := tx.CountFailures(m.Patient, now.Add(-24*time.Hour))
			if err != nil {
				return err
			}
			if n > worst {
				worst = n
			}
			if at.After(fifth) {
				fifth = at
			}
			if len(best) == 1 {
				p, err := tx.Patient(m.Patient)
				if err != nil {
					return err
				}
				k.state = stateOf(p)
			}
		}
		facts.FailuresRecord24h, facts.FifthFailure, facts.FifthFailureAt = k.lock(worst, fifth, now)
		for _, g := range have {
			o := policy.Offered{Kind: policy.IdentifierKind(g.kind), Source: policy.SourceKeypad, Result: g.result}
			if o.Result == "" {
				o.Result = compare(g.kind, best)
			}
			facts.Offered = append(facts.Offered, o)
		}
		return nil
	})
	if err != nil {
		// No facts, no verification: the policy denies what it does not know.
		return policy.Verify{At: now, CallID: k.row.ID, Intent: facts.Intent}, nil, err
	}
	return facts, touched, nil
}

// lock turns a record's failures into facts: a lock lasts 24 h from the fifth
// failure. Failures within an old lock did not count to a new one.
func (k *contact) lock(n int, fifth, now time.Time) (policy.Count, policy.YesNo, time.Time) {
	if fifth.After(now.Add(-24 * time.Hour)) {
		return policy.CountOf(n), policy.Yes, fifth
	}
	return policy.CountOf(min(n, k.f.Policy.Params().FailuresPerRecord-1)), policy.No, time.Time{}
}

// candidates are the records that all identifiers with a match match together:
// a birth date of one person and a telephone number of another leave none.
func candidates(best []storage.PatientMatch) []storage.PatientMatch {
	union := map[storage.IdentifierKind]bool{}
	for _, m := range best {
		for _, kind := range m.Matched {
			union[kind] = true
		}
	}
	var out []storage.PatientMatch
	for _, m := range best {
		if len(m.Matched) == len(union) && len(union) > 0 {
			out = append(out, m)
		}
	}
	return out
}

// bestMatches are the records matched by the most identifiers.
func bestMatches(matches []storage.PatientMatch) []storage.PatientMatch {
	most := 0
	for _, m := range matches {
		most = max(most, len(m.Matched))
	}
	var out []storage.PatientMatch
	for _, m := range matches {
		if len(m.Matched) == most {
			out = append(out, m)
		}
	}
	return out
}

// compare says how an identifier of a kind fares with the best records.
func compare(kind storage.IdentifierKind, best []storage.PatientMatch) policy.MatchResult {
	onFile := false
	for _, m := range best {
		if slices.Contains(m.Matched, kind) {
			return policy.ResultMatch
		}
		onFile = onFile || slices.Contains(m.OnFile, kind)
	}
	if len(best) > 0 && !onFile {
		return policy.ResultUnavailable
	}
	return policy.ResultNoMatch
}

// reply asks whether our words after a failed try may be said. They always
// may, being the neutral ones; the question is asked so that the log shows it.
func (k *contact) reply(ctx context.Context, s policy.Situation) bool {
	return k.decide(ctx, "identify.reply", func(w bool) policy.Request {
		return &policy.Reply{
			At: k.now(), AuditWritable: w, Audience: policy.AudienceCaller, Situation: s,
			NamesItem: policy.No, ConfirmsRecord: policy.No, OffersChoice: policy.No,
			ShowsStoredValue: policy.No, SameWording: policy.Yes, SameTiming: policy.Yes,
		}
	}).Allowed()
}

// identifyBilling asks the most recent date of service, or an invoice number
// after the pound key.
func (k *contact) identifyBilling(ctx context.Context) error {
	for k.failures < tries {
		ans, invoice, err := k.askBilling(ctx)
		if err != nil {
			return err
		}
		if ans.Kind == "" {
			break // neither is known: a person decides
		}
		d, err := k.submitBilling(ctx, ans, invoice)
		if err != nil {
			return err
		}
		if d.Allowed() {
			k.billing = true
			return nil
		}
		if !wants(d, policy.RemedyRetry, policy.RemedyAskDOSOrInvoice) {
			break
		}
		if k.reply(ctx, policy.SituationFailed) {
			if err := k.say(ctx, "identify_retry"); err != nil {
				return err
			}
		}
	}
	return k.say(ctx, "billing_failed")
}

func (k *contact) askBilling(ctx context.Context) (ans policy.BillingAnswer, invoice string, err error) {
	got, _, err := k.ask(ctx, k.call.Leg, k.row.Language, ari.Ask{MaxDigits: 8, Terminator: "#"}, "billing_ask_date")
	if err != nil {
		return ans, "", err
	}
	if got.Digits.Len() > 0 {
		ans.Kind = policy.BillingDate
		date, err := policy.NormalizeBirthDate(got.Digits.Reveal(), k.today())
		if err == nil {
			ans.Readable, ans.Date = true, date
		}
		return ans, "", nil
	}
	got, _, err = k.ask(ctx, k.call.Leg, k.row.Language, ari.Ask{MaxDigits: 16, Terminator: "#"}, "billing_ask_invoice")
	if err != nil || got.Digits.Len() == 0 {
		return ans, "", err
	}
	ans.Kind = policy.BillingInvoice
	if invoice, err := policy.NormalizeIdentifier(got.Digits.Reveal()); err == nil {
		ans.Readable = true
		return ans, invoice, nil
	}
	return ans, "", nil
}

func (k *contact) submitBilling(ctx context.Context, ans policy.BillingAnswer, invoice string) (policy.Decision, error) {
	now := k.now()
	facts := policy.VerifyBilling{
		At: now, CallID: k.row.ID, TargetPatient: string(k.row.VerifiedPatient), Verification: k.verification(),
		Speaker: policy.SpeakerPatient, Today: k.today().Format(time.DateOnly), Answer: ans,
		FailuresThisCall: policy.CountOf(k.failures), UnreadableUsed: policy.CountOf(k.unreadable),
	}
	err := k.f.view(ctx, func(tx storage.Tx) error {
		visits, err := tx.Visits(k.row.VerifiedPatient)
		if err != nil {
			return err
		}
		invoices, err := tx.Invoices(k.row.VerifiedPatient)
		if err != nil {
			return err
		}
		n, fifth, err := tx.CountFailures(k.row.VerifiedPatient, now.Add(-24*time.Hour))
		if err != nil {
			return err
		}
		for _, v := range visits {
			facts.Visits = append(facts.Visits, policy.Visit{Date: v.Date, Status: visitStatus(v.Status)})
		}
		for _, i := range invoices {
			status := policy.InvoiceIssued
			if i.Void {
				status = policy.InvoiceVoid
			}
			facts.Invoices = append(facts.Invoices, policy.Invoice{Status: status, OfPatient: policy.Yes, Matches: i.Number == invoice && invoice != ""})
		}
		facts.Listed = true
		facts.FailuresRecord24h, facts.FifthFailure, facts.FifthFailureAt = k.lock(n, fifth, now)
		return nil
	})
	if err != nil {
		k.log.Error("visits and invoices cannot be read; billing stays closed", "error", err)
	}
	facts.AuditWritable = true
	decided := k.f.Policy.Decide(&facts)
	d := k.decide(ctx, "identify.billing", func(w bool) policy.Request {
		f := facts
		f.AuditWritable = w
		return &f
	}, func(tx storage.Tx, _ int64) error {
		result := storage.AttemptMatched
		if decided.Obliges(policy.CountFailure) {
			result = storage.AttemptFailed
		} else if !decided.Allowed() {
			result = storage.AttemptUnreadable
		}
		return tx.AddAttempt(storage.Attempt{CallID: k.row.ID, At: now, Result: result, Patients: []storage.PatientID{k.row.VerifiedPatient}})
	})
	if d.Obliges(policy.CountFailure) || err != nil {
		k.failures++
	} else if d.Obliges(policy.CountUnreadable) {
		k.unreadable++
	}
	return d, nil
}

// verification is what the rules need to know of it later.
func (k *contact) verification() policy.Verification {
	v := policy.Verification{
		CallID: k.row.ID, PatientID: string(k.row.VerifiedPatient), At: k.row.VerifiedAt, Billing: k.billing,
		CallerChanged: policy.No, LongestHold: policy.SpanOf(k.longest), Transferred: policy.YesIf(k.handedOver), Token: k.handedOver,
	}
	for _, kind := range k.row.VerifiedBy {
		v.Identifiers = append(v.Identifiers, policy.IdentifierKind(kind))
	}
	return v
}

func (k *contact) noteAttempt(ctx context.Context, r storage.AttemptResult, kinds []storage.IdentifierKind, touched []storage.PatientID) error {
	return k.event(ctx, "identify."+string(r), map[string]string{"kind": string(kinds[0])}, func(tx storage.Tx, _ int64) error {
		return tx.AddAttempt(storage.Attempt{CallID: k.row.ID, At: k.now(), Result: r, Offered: kinds, Patients: touched})
	})
}

func visitStatus(s storage.VisitStatus) policy.VisitStatus {
	if s == storage.VisitInProgress {
		return policy.VisitInProgress
	}
	return policy.VisitStatus(s)
}

func stateOf(p storage.Patient) string {
	for _, a := range p.Addresses {
		if a.State != "" {
			return a.State
		}
	}
	return ""
}

func wants(d policy.Decision, kinds ...policy.RemedyKind) bool {
	for _, kind := range kinds {
		if _, ok := d.Remedy(kind); ok {
			return true
		}
	}
	return false
}

func countReadable(have []given) (n int) {
	for _, g := range have {
		if g.value != "" {
			n++
		}
	}
	return n
}

func anyUnreadable(have []given) bool { return countReadable(have) < len(have) }
