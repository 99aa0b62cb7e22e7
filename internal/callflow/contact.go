package callflow

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/callward/callward/ari"
	"github.com/callward/callward/internal/queue"
	"github.com/callward/callward/policy"
	"github.com/callward/callward/storage"
)

// The steps, in order. The last completed one is in storage.Call.Step.
const (
	stepReceived   = "received"
	stepGreeted    = "greeted"
	stepRouted     = "routed"
	stepIdentified = "identified"
	stepConsented  = "consented"
	stepQueued     = "queued"
	stepConnected  = "connected"
	stepEnded      = "ended"
)

var stepOrder = map[string]int{
	stepReceived: 1, stepGreeted: 2, stepRouted: 3, stepIdentified: 4,
	stepConsented: 5, stepQueued: 6, stepConnected: 7, stepEnded: 8,
}

// Disposition is the business ending of a call. It never comes from a hang-up
// cause.
type Disposition string

// The dispositions.
const (
	Completed Disposition = "completed" // talked to an agent
	Abandoned Disposition = "abandoned" // left before an agent answered
	Callback  Disposition = "callback"  // left a call-back request
	OptedOut  Disposition = "opted_out" // called to be called no more
	Failed    Disposition = "failed"    // our fault; the dialplan took over
)

// contact is one running call. One goroutine owns it.
type contact struct {
	f    *Flow
	call *ari.Call
	row  storage.Call
	log  *slog.Logger

	failures   int // failed tries of this call
	unreadable int
	billing    bool // the billing extra was answered
	consents   []policy.Consent
	consentID  int64
	withdrawn  time.Time
	state      string // the verified patient's US state
	longest    time.Duration
	handedOver bool // talked to an agent before this one

	offer     *queue.Offer
	agent     storage.Agent
	agentLeg  *ari.Leg
	joinedAt  time.Time
	announced policy.Announcement
	bridge    *ari.Bridge
	rec       *live
	segments  int
	third     *ari.Leg
	thirdIn   bool   // has joined the conversation
	thirdWas  string // who had joined it when the controller died
	thirdSaid []policy.Consent
	thirds    chan third
	ringing   bool           // a third party
	helpers   sync.WaitGroup // who bring the third party in

	brake    *brake
	off      chan withdrawal // one is enough
	invite   chan struct{}   // one is enough
	gaps     chan ari.Gap
	unlisten func()

	debts       []debt // owed to the log
	disposition Disposition
	reason      string
	stopping    bool // our process ends; the call does not
	left        bool // the call went on without us
	finished    bool // the script came to its end, whichever
}

func (f *Flow) contact(c *ari.Call) *contact {
	return &contact{
		f: f, call: c,
		row:         storage.Call{ID: c.ID(), Language: f.Site.Languages[0], StartedAt: f.Clock()},
		log:         f.Log.With("call", c.ID()),
		disposition: Abandoned, brake: &brake{},
	}
}

func (k *contact) now() time.Time { return k.f.Clock() }

// past tells whether a step was completed before, by us or by a controller
// that died.
func (k *contact) past(step string) bool { return stepOrder[k.row.Step] >= stepOrder[step] }

// observe tells the observer and the log.
func (k *contact) observe(e Event) {
	e.Call = k.row.ID
	if e.At.IsZero() {
		e.At = k.now()
	}
	if k.f.Observe != nil {
		k.f.Observe(e)
	}
}

// write is one transaction that survives a hang-up but not a dead store: it is
// given storeTimeout. The call's row goes with it, so what is stored is always
// whole.
func (k *contact) write(ctx context.Context, fn func(storage.Tx) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	version, bad := k.row.Version, -1
	err := k.f.Store.Update(ctx, func(tx storage.Tx) (err error) {
		row := k.row
		if row.Version == 0 { // the channel came back, or its row could not be read
			have, err := tx.Call(row.ID)
			if err != nil && !errors.Is(err, storage.ErrNotFound) {
				return err
			}
			row.Version = have.Version
		}
		version = row.Version
		if err := tx.PutCall(row); err != nil {
			return err
		}
		if bad, err = k.pay(tx); err != nil {
			return err
		}
		return fn(tx)
	})
	switch {
	case err == nil:
		k.row.Version, k.debts = version+1, nil
	case bad >= 0 && !away(err):
		k.log.Error("what is owed to the log cannot be written", "action", k.debts[bad].entry.Action, "error", err)
		k.debts = slices.Delete(k.debts, bad, bad+1)
	}
	return err
}

func (k *contact) entry(action string) storage.Entry {
	return storage.Entry{
		At: k.now(), Actor: "callward", Call: k.row.ID, Patient: k.row.VerifiedPatient,
		Action: action, Outcome: storage.OutcomeEvent, Profile: k.f.Policy.Name(),
	}
}

// decide asks the policy and writes the answer to the audit log, in one
// transaction with what with writes. When the log cannot be written, the policy
// is asked again with that fact, which denies: nothing is done that leaves no
// trace, and the call goes on.
func (k *contact) decide(ctx context.Context, step string, build func(auditWritable bool) policy.Request, with ...func(storage.Tx, int64) error) policy.Decision {
	req := build(true)
	d := k.f.Policy.Decide(req)
	e := k.entry(d.Action)
	e.Outcome = storage.OutcomeDeny
	if d.Allowed() {
		e.Outcome = storage.OutcomeAllow
	}
	e.Detail = map[string]string{"step": step}
	for _, r := range d.Rules {
		e.Rules = append(e.Rules, string(r))
	}
	if facts, err := policy.EncodeRequest(req); err == nil {
		e.Facts = facts
	}
	var n int64
	err := k.write(ctx, func(tx storage.Tx) (err error) {
		if n, err = tx.Audit(e); err != nil {
			return err
		}
		for _, fn := range with {
			if err := fn(tx, n); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		k.log.Error("decision could not be written to the audit log; denied", "action", d.Action, "error", err)
		d, n = k.f.Policy.Decide(build(false)), 0
		e.Rules = e.Rules[:0]
		for _, r := range d.Rules {
			e.Rules = append(e.Rules, string(r))
		}
	}
	k.observe(Event{Step: step, Action: d.Action, Decision: d.Outcome.String(), Rules: e.Rules, Reason: d.Reason, Entry: n})
	return d
}

// event writes something that happened and needed no decision.
func (k *contact) event(ctx context.Context, action string, detail map[string]string, with ...func(storage.Tx, int64) error) error {
	d := debt{k.entry(action), with}
	d.entry.Detail = detail
	return k.note(ctx, d)
}

func (k *contact) note(ctx context.Context, d debt) error {
	e, action, detail := d.entry, d.entry.Action, d.entry.Detail
	var n int64
	err := k.write(ctx, func(tx storage.Tx) (err error) {
		n, err = d.write(tx)
		return err
	})
	if err != nil {
		n = 0
		k.log.Error("event could not be written to the audit log", "action", action, "error", err)
	}
	k.observe(Event{At: e.At, Step: action, Entry: n, Detail: detail})
	return err
}

// step marks a step as completed.
func (k *contact) step(ctx context.Context, name string, detail map[string]string) {
	k.row.Step = name
	mark := k.event
	if name == stepEnded {
		mark = k.must
	}
	id, at := k.row.ID, k.now()
	_ = mark(ctx, "call."+name, detail, func(tx storage.Tx, n int64) error {
		return tx.AddStep(id, storage.Step{Name: name, At: at, Entry: n})
	})
}

// gone says whether err means that the caller's leg has ended or the call must
// end; anything else is a fault to live with.
func gone(ctx context.Context, err error) bool {
	return err != nil && (ctx.Err() != nil || errors.Is(err, ari.ErrGone))
}

// media makes prompts playable; one that cannot be made is left out, logged,
// and reported by ok.
func (k *contact) media(ctx context.Context, lang string, vars map[string]string, ids ...string) (media []string, ok bool) {
	ok = true
	for _, id := range ids {
		m, err := k.f.Prompts.Media(ctx, lang, id, vars)
		if err != nil {
			k.log.Error("prompt cannot be played", "prompt", id, "language", lang, "error", err)
			ok = false
			continue
		}
		media = append(media, m)
	}
	return media, ok
}

func (k *contact) vars() map[string]string {
	return map[string]string{"organisation": k.f.Site.Organisation, "callback": k.f.Site.Callback}
}

// say plays prompts to the caller. Its error means that the caller has gone.
func (k *contact) say(ctx context.Context, ids ...string) error {
	heard, err := k.sayTo(ctx, k.call.Leg, k.row.Language, k.vars(), ids...)
	_ = heard
	return err
}

// sayTo plays prompts to a leg and tells whether all were heard to the end.
func (k *contact) sayTo(ctx context.Context, leg *ari.Leg, lang string, vars map[string]string, ids ...string) (heard bool, err error) {
	media, ok := k.media(ctx, lang, vars, ids...)
	if len(media) == 0 {
		return false, ctx.Err()
	}
	if err := leg.Say(ctx, media...); err != nil {
		if gone(ctx, err) {
			return false, err
		}
		k.log.Warn("prompt not played", "prompts", ids, "error", err)
		return false, nil
	}
	return ok, nil
}

// ask plays prompts and gathers keys. heard is false when a prompt could not be
// played: then whatever was keyed is no answer to it.
func (k *contact) ask(ctx context.Context, leg *ari.Leg, lang string, a ari.Ask, ids ...string) (ans ari.Answer, heard bool, err error) {
	media, ok := k.media(ctx, lang, k.vars(), ids...)
	if !ok {
		return ari.Answer{}, false, ctx.Err()
	}
	a.Media = media
	if a.FirstDigit == 0 {
		a.FirstDigit = firstDigit
	}
	if a.InterDigit == 0 {
		a.InterDigit = interDigit
	}
	ans, err = leg.Ask(ctx, a)
	if err != nil && !gone(ctx, err) {
		k.log.Warn("keys not gathered", "prompts", ids, "error", err)
		return ari.Answer{}, false, nil
	}
	return ans, err == nil, err
}

// key asks for one key: "" is none.
func (k *contact) key(ctx context.Context, ids ...string) (string, error) {
	ans, _, err := k.ask(ctx, k.call.Leg, k.row.Language, ari.Ask{MaxDigits: 1}, ids...)
	return ans.Digits.Reveal(), err
}

func revision(a storage.Agent) string {
	b, _ := json.Marshal(struct {
		T []storage.Training
		H time.Time
		E string
	}{a.Trainings, a.HiredAt, a.Endpoint})
	return string(b)
}
