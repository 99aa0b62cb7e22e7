package callflow

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/callward/callward/ari"
	"github.com/callward/callward/policy"
	"github.com/callward/callward/storage"
)

// Inbound is one patient's call, in the order the caller hears it. It returns
// when the call is over and settled.
func (f *Flow) Inbound(ctx context.Context, c *ari.Call) {
	k := f.contact(c)
	defer f.leave(k)
	defer k.settle(ctx)
	k.script(ctx)
	k.finished = true
}

// Adopt goes on with a call whose controller died. The interrupted step is
// repeated; nothing is inferred.
func (f *Flow) Adopt(ctx context.Context, c *ari.Call) {
	k := f.contact(c)
	if !k.restore(ctx) {
		return
	}
	defer f.leave(k)
	defer k.settle(ctx)
	k.observe(Event{Step: "call.adopted", Detail: map[string]string{"step": k.row.Step}})
	if !k.past(stepConnected) {
		k.tidy(ctx)
	}
	k.script(ctx)
	k.finished = true
}

// script runs the steps that are not behind us yet. A hang-up anywhere ends it.
func (k *contact) script(ctx context.Context) {
	steps := []struct {
		name string
		run  func(context.Context) error
	}{
		{stepReceived, k.receive},
		{stepGreeted, k.greet},
		{stepRouted, k.route},
		{stepIdentified, k.identify},
		{stepConsented, k.askRecording},
	}
	for _, s := range steps {
		if k.past(s.name) {
			continue
		}
		if err := s.run(ctx); err != nil {
			k.ended(ctx, err)
			return
		}
	}
	for {
		again, err := k.serve(ctx)
		if err != nil {
			k.ended(ctx, err)
			return
		}
		if !again {
			return
		}
	}
}

// errDone ends the script early with the disposition already set.
var errDone = errors.New("callflow: call is complete")

// ended keeps why the script stopped. The disposition stays what the script
// made it: hang-up causes lie.
func (k *contact) ended(ctx context.Context, err error) {
	if errors.Is(err, errDone) {
		return
	}
	var hungUp *ari.HungUp
	var lost *ari.Lost
	cause := context.Cause(ctx)
	switch {
	case errors.Is(cause, ari.ErrStopping), errors.Is(cause, ari.ErrReplaced):
		k.stopping = true
	case errors.Is(cause, ari.ErrLeft):
		k.left = true
		k.because("left_the_application")
	case errors.As(err, &hungUp) || errors.As(cause, &hungUp):
		k.row.HangupCause = hungUp.Cause
		k.because("caller_hung_up")
	case errors.As(err, &lost) || errors.As(cause, &lost):
		k.disposition = Failed
		k.because("asterisk_restarted")
	case errors.Is(err, ari.ErrGone):
		k.because("caller_hung_up")
	default:
		k.disposition = Failed
		k.because("fault")
		k.log.Error("call script stopped", "error", err)
	}
}

func (k *contact) because(reason string) {
	if k.reason == "" {
		k.reason = reason
	}
}

func (k *contact) receive(ctx context.Context) error {
	k.row.Step = stepReceived
	_, number := k.call.Caller()
	callerID := policy.CallerIDShown
	if number.IsZero() {
		callerID = policy.CallerIDBlocked
	}
	k.step(ctx, stepReceived, map[string]string{"caller_id": string(callerID)})
	if err := k.call.Answer(ctx); err != nil {
		return err
	}
	k.row.AnsweredAt = k.now()
	return k.connectLeg(ctx, k.call.Leg, policy.LegPatientPhone) // negotiated only now
}

// greet says who we are and what to do in an emergency, and lets the caller
// choose a language.
func (k *contact) greet(ctx context.Context) error {
	if err := k.say(ctx, "greeting"); err != nil {
		return err
	}
	if err := k.chooseLanguage(ctx); err != nil {
		return err
	}
	k.step(ctx, stepGreeted, map[string]string{"language": k.row.Language})
	return nil
}

// chooseLanguage asks in every language, each in its own words. Silence means
// the first one; whoever chooses another hears the greeting, with what to do in
// an emergency, in that language too.
func (k *contact) chooseLanguage(ctx context.Context) error {
	languages := k.f.Site.Languages
	if len(languages) < 2 {
		return nil
	}
	var choice []string
	for _, lang := range languages {
		media, _ := k.media(ctx, lang, k.vars(), "language_choice")
		choice = append(choice, media...)
	}
	for range tries {
		ans, err := k.call.Ask(ctx, ari.Ask{Media: choice, MaxDigits: 1, FirstDigit: firstDigit})
		if gone(ctx, err) {
			return err
		}
		key := ans.Digits.Reveal()
		if key == "" {
			return nil
		}
		i := int(key[0]) - '1'
		if i < 0 || i >= len(languages) {
			continue
		}
		k.row.Language = languages[i]
		if i > 0 {
			return k.say(ctx, "greeting")
		}
		return nil
	}
	return nil
}

var menu = map[string]policy.Intent{
	"1": policy.IntentAppointments, "2": policy.IntentPrescriptions, "3": policy.IntentBilling,
	"0": policy.IntentAgent, "4": policy.IntentAgent, "9": policy.IntentOptOut,
}

// route asks what the call is about. Whoever says nothing gets a human.
func (k *contact) route(ctx context.Context) error {
	intent := policy.IntentAgent
	for range tries {
		key, err := k.key(ctx, "menu")
		if err != nil {
			return err
		}
		chosen, ok := menu[key]
		if ok && chosen == policy.IntentOptOut {
			if err := k.optOut(ctx); err != nil {
				return err
			}
			continue // the caller may want something else too
		}
		if ok {
			intent = chosen
			break
		}
		id := "wrong_key"
		if key == "" {
			id = "no_input"
		}
		if err := k.say(ctx, id); err != nil {
			return err
		}
	}
	k.row.Intent = string(intent)
	if k.disposition == OptedOut {
		k.disposition, k.reason = Abandoned, ""
	}
	k.step(ctx, stepRouted, map[string]string{"intent": string(intent)})
	return nil
}

// optOut keeps the wish not to be called. It needs no identification: whoever
// uses a number may have it left alone (outbound.dnc.internal).
func (k *contact) optOut(ctx context.Context) error {
	_, number := k.call.Caller()
	phone, err := policy.NormalizePhone(number.Reveal())
	if err != nil {
		phone, err = k.askPhone(ctx)
		if err != nil {
			return err
		}
	}
	if phone == "" {
		return k.say(ctx, "no_input")
	}
	err = k.event(ctx, "optout.requested", map[string]string{"by": "keypad"}, func(tx storage.Tx, _ int64) error {
		return tx.AddOptOut(storage.OptOut{Phone: phone, Patient: k.row.VerifiedPatient, Channel: storage.OptOutAll, CallID: k.row.ID, At: k.now()})
	})
	if err != nil {
		return k.say(ctx, "trouble") // not kept: the agent will take it
	}
	k.disposition, k.reason = OptedOut, "caller_asked"
	return k.say(ctx, "opt_out_done")
}

// askPhone asks for a telephone number by keypad; "" when none was given.
func (k *contact) askPhone(ctx context.Context) (string, error) {
	for range tries {
		ans, _, err := k.ask(ctx, k.call.Leg, k.row.Language, ari.Ask{MaxDigits: 10, Terminator: "#"}, "ask_phone")
		if err != nil {
			return "", err
		}
		if ans.Digits.Len() == 0 {
			return "", nil
		}
		if phone, err := policy.NormalizePhone(ans.Digits.Reveal()); err == nil {
			return phone, nil
		}
		if err := k.say(ctx, "identify_unreadable"); err != nil {
			return "", err
		}
	}
	return "", nil
}

// settle ends the call once, whatever happened, on its own time.
func (k *contact) settle(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
	defer cancel()
	if !k.finished { // a panic is on its way through
		k.disposition, k.reason = Failed, "fault"
	}
	if k.unlisten != nil {
		k.unlisten()
	}
	if w, ok := k.lastWord(); ok {
		k.withdraw(ctx, w.at, w.by)
	}
	if k.stopping {
		// The parties go on talking; the next start adopts the call.
		k.stopRecording(ctx, k.now(), "controller_stopping")
		if k.agentLeg != nil && !k.past(stepConnected) {
			// Not joined yet: the next start rings again.
			_ = k.agentLeg.Hangup(ctx, ari.CauseNormal)
			if k.bridge != nil {
				_ = k.bridge.Destroy(ctx)
			}
			k.row.AgentID, k.row.AgentChannel, k.row.Bridge = "", "", ""
		}
		_ = k.event(ctx, "controller.stopping", nil)
		return
	}
	k.stopRecording(ctx, k.now(), "call_ended")
	if k.third != nil {
		_ = k.third.Hangup(ctx, ari.CauseNormal)
	}
	if k.agentLeg != nil {
		_ = k.agentLeg.Hangup(ctx, ari.CauseNormal)
	}
	if k.bridge != nil {
		_ = k.bridge.Destroy(ctx)
	}
	k.row.EndedAt = k.now()
	k.row.Disposition, k.row.Reason = string(k.disposition), k.reason
	k.releaseAgent(ctx)
	k.step(ctx, stepEnded, map[string]string{
		"disposition": k.row.Disposition, "reason": k.row.Reason,
		"duration_ms": milliseconds(k.row.EndedAt.Sub(k.row.StartedAt)),
	})
	if k.left {
		return
	}
	if k.disposition == Failed && k.reason == "fault" {
		// Never keep a patient from a human: the dialplan rings the agents.
		if err := k.call.Continue(ctx, "", "", 0); err == nil {
			return
		}
	}
	_ = k.call.Hangup(ctx, ari.CauseNormal)
}

// restore loads what the dead controller stored. It reports whether the call
// was one of ours and still open.
func (k *contact) restore(ctx context.Context) bool {
	var attempts []storage.Attempt
	var consents []storage.Consent
	var recordings []storage.Recording
	var joined []storage.StoredEntry
	err := k.f.view(ctx, func(tx storage.Tx) error {
		row, err := tx.Call(k.call.ID())
		if err != nil {
			return err
		}
		k.row = row
		if attempts, err = tx.Attempts(row.ID); err != nil {
			return err
		}
		if consents, err = tx.Consents(row.ID); err != nil {
			return err
		}
		if recordings, err = tx.Recordings(storage.RecordingFilter{CallID: row.ID}); err != nil {
			return err
		}
		for _, action := range []string{"party.joined", "party.left"} {
			all, err := tx.Entries(storage.EntryFilter{Call: row.ID, Action: action})
			if err != nil {
				return err
			}
			joined = append(joined, all...)
		}
		if row.VerifiedPatient != "" {
			p, err := tx.Patient(row.VerifiedPatient)
			if err != nil {
				return err
			}
			k.state = stateOf(p)
		}
		if row.AgentID != "" {
			if k.agent, err = tx.Agent(row.AgentID); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		// Unknown or unreadable: start from the top, trusting nothing.
		k.log.Warn("call found in Asterisk is not readable in the store; it starts anew", "error", err)
		k.row = storage.Call{ID: k.call.ID(), Language: k.f.Site.Languages[0], StartedAt: k.now()}
		return true
	}
	if !k.row.EndedAt.IsZero() {
		_ = k.call.Hangup(ctx, ari.CauseNormal)
		return false
	}
	for _, a := range attempts {
		switch a.Result {
		case storage.AttemptFailed:
			k.failures++
		case storage.AttemptUnreadable:
			k.unreadable++
		}
	}
	slices.SortFunc(joined, func(a, b storage.StoredEntry) int { return cmp.Compare(a.Number, b.Number) })
	for _, e := range joined {
		k.thirdWas = e.Entry.Detail["leg"] // of one who left there is none
	}
	for _, c := range consents {
		switch {
		case c.PartyKind == string(policy.PartyPatient):
			k.restoreConsent(c)
		case c.Party == k.thirdWas:
			k.thirdSaid = append(k.thirdSaid, answered(c))
		}
	}
	if !k.past(stepConnected) && k.row.AgentChannel != "" {
		// An agent who answered and was not joined waits in silence.
		if leg, err := k.call.AdoptLeg(ctx, k.row.AgentChannel, "agent"); err == nil {
			_ = leg.Hangup(ctx, ari.CauseNormal)
		}
		k.row.AgentID, k.row.AgentChannel = "", ""
	}
	for _, r := range recordings {
		k.segments = max(k.segments, r.Segment)
	}
	return true
}

func milliseconds(d time.Duration) string { return itoa(d.Milliseconds()) }
