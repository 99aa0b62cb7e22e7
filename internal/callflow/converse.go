package callflow

import (
	"context"
	"sync"
	"time"

	"github.com/callward/callward/ari"
	"github.com/callward/callward/internal/recording"
	"github.com/callward/callward/policy"
)

// Keys in a conversation. The patient's is one key, and works all through it.
const (
	keyWithdraw = '*' // patient: stop recording
	agentPrefix = '*' // agent: then one of the following within agentWindow
	agentStop   = '1' // the patient said so: stop recording
	agentJoin   = '3' // bring the interpreter in
	agentWindow = 3 * time.Second
)

// withdrawal is the patient's word that the recording is to stop.
type withdrawal struct {
	at time.Time
	by policy.ConsentMethod
}

// third is what happened with a third party who is being brought in.
type third struct {
	leg     *ari.Leg        // nil when nobody answered
	consent *policy.Consent // nil when the leg has just answered
}

// brake holds a recording at the instant of a key, whatever the owner of the
// call is doing then: saying something, or waiting for the store. The owner
// stops the recording after that, and says so. Once pulled it is pulled.
type brake struct {
	mu      sync.Mutex
	pulled  bool
	session *recording.Session
}

// pull takes no more audio from at on. It never waits.
func (b *brake) pull(at time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pulled = true
	if s := b.session; s != nil {
		go func() { _ = s.Pause(at) }() // over, or paused already: as good
	}
}

// guard puts the brake on a recording. It reports false when it was pulled
// before: then there may be none.
func (b *brake) guard(s *recording.Session) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.session = s
	return !b.pulled
}

func (b *brake) isPulled() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.pulled
}

// listen takes keys of both parties from now on; before the recorder runs, so
// that no withdrawal is ever missed. It runs in the call's own goroutine; what
// finds its channel full says what one who waits there says already.
func (k *contact) listen() {
	k.off, k.invite, k.gaps = make(chan withdrawal, 1), make(chan struct{}, 1), make(chan ari.Gap, 1)
	off, invite, gaps := k.off, k.invite, k.gaps
	brake := &brake{}
	k.brake = brake
	withdraw := func(at time.Time, by policy.ConsentMethod) {
		brake.pull(at)
		select {
		case off <- withdrawal{at, by}:
		default:
		}
	}
	var prefix time.Time // when the agent last pressed it
	stops := []func(){
		k.call.WatchKeys(func(key byte, at time.Time) {
			if key == keyWithdraw {
				withdraw(at, policy.MethodKeypad)
			}
		}),
		k.agentLeg.WatchKeys(func(key byte, at time.Time) {
			if key == agentPrefix {
				prefix = at
				return
			}
			if prefix.IsZero() || at.Sub(prefix) > agentWindow {
				return
			}
			prefix = time.Time{}
			switch key {
			case agentStop:
				withdraw(at, policy.MethodSetByAgent)
			case agentJoin:
				select {
				case invite <- struct{}{}:
				default:
				}
			}
		}),
		k.call.WatchEvents(func(e ari.Event) {
			if gap, ok := e.(*ari.GapEvent); ok {
				brake.pull(gap.To)
				select {
				case gaps <- gap.Gap:
				default:
				}
			}
		}),
	}
	k.unlisten = func() {
		for _, stop := range stops {
			stop()
		}
		k.unlisten = nil
	}
}

// sayListening plays prompts to the patient and obeys keys meanwhile.
func (k *contact) sayListening(ctx context.Context, vars map[string]string, ids ...string) (heard bool, err error) {
	type result struct {
		heard bool
		err   error
	}
	done := make(chan result, 1)
	lang := k.row.Language
	go func() {
		heard, err := k.sayTo(ctx, k.call.Leg, lang, vars, ids...)
		done <- result{heard, err}
	}()
	for {
		select {
		case r := <-done:
			return r.heard, r.err
		case w := <-k.off:
			k.recordingOff(ctx, w)
		case gap := <-k.gaps:
			k.gap(ctx, gap)
		}
	}
}

// converse stays with patient and agent until they part.
//
//	stateDiagram-v2
//	  [*] --> talking
//	  talking --> talking: star (recording off), agent star 1 (off), agent star 3 (third party)
//	  talking --> talking: recording broke (told), controller away for a while
//	  talking --> goodbye: agent hung up
//	  talking --> [*]: patient hung up
//	  goodbye --> [*]
func (k *contact) converse(ctx context.Context) (again bool, err error) {
	if k.unlisten == nil {
		k.listen()
	}
	defer k.unlisten()
	k.thirds = make(chan third, 1)
	thirdCtx, cancel := context.WithCancel(ctx)
	defer k.noThird(ctx, cancel)
	for {
		// What stops a recording comes before what may let it go on.
		select {
		case w := <-k.off:
			k.recordingOff(ctx, w)
			continue
		case gap := <-k.gaps:
			k.gap(ctx, gap)
			continue
		default:
		}
		var broke <-chan error
		var lost chan error
		if k.rec != nil {
			broke, lost = k.rec.session.Failed(), k.rec.lost
		}
		var thirdGone <-chan struct{}
		if k.third != nil {
			thirdGone = k.third.Done()
		}
		select {
		case <-ctx.Done():
			return false, context.Cause(ctx)
		case <-k.agentLeg.Done():
			if ctx.Err() != nil {
				return false, context.Cause(ctx)
			}
			k.stopRecording(ctx, k.now(), "agent_left")
			k.because("agent_hung_up")
			if k.bridge != nil {
				_ = k.bridge.Destroy(ctx)
				k.bridge = nil
			}
			return false, k.say(ctx, "goodbye")
		case w := <-k.off:
			k.recordingOff(ctx, w)
		case <-k.invite:
			k.callThird(thirdCtx)
		case err := <-broke:
			k.faultRecording(ctx, err)
		case err := <-lost:
			k.faultRecording(ctx, err)
		case t := <-k.thirds:
			k.thirdStep(thirdCtx, t)
		case <-thirdGone:
			k.thirdLeft(ctx)
		case gap := <-k.gaps:
			k.gap(ctx, gap)
		}
	}
}

// noThird ends what brings a third party in, and hangs up who has answered and
// not joined.
func (k *contact) noThird(ctx context.Context, cancel context.CancelFunc) {
	cancel()
	go func() {
		k.helpers.Wait()
		close(k.thirds)
	}()
	ctx, done := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
	defer done()
	for t := range k.thirds {
		switch {
		case t.consent != nil:
			_ = k.keepConsent(ctx, t.leg.ID(), policy.PartyInterpreter, "third_party_ask_consent", *t.consent)
		case t.leg != nil:
			_ = t.leg.Hangup(ctx, ari.CauseNormal)
		}
	}
	if k.third != nil && !k.thirdIn {
		_ = k.third.Hangup(ctx, ari.CauseNormal)
		k.third = nil
	}
}

// gap: for a while no key could be heard, so a withdrawal may have been missed.
// The recording stops; a new one needs a new yes.
func (k *contact) gap(ctx context.Context, gap ari.Gap) {
	_ = k.event(ctx, "controller.gap", map[string]string{"ms": milliseconds(gap.To.Sub(gap.From))})
	if k.rec == nil {
		return
	}
	k.stopRecording(ctx, k.now(), "controller_was_away")
	k.tellFault(ctx)
}

// recordingOff stops the recording for good and says so.
func (k *contact) recordingOff(ctx context.Context, w withdrawal) {
	if k.rec == nil && !k.withdrawn.IsZero() {
		return
	}
	k.withdraw(ctx, w.at, w.by)
	k.tell(ctx, "recording_off")
	_ = k.event(ctx, "consent.withdrawal_confirmed", nil)
}

// lastWord is a withdrawal nobody has handled yet: a key pressed before the end
// counts.
func (k *contact) lastWord() (withdrawal, bool) {
	select {
	case w := <-k.off:
		return w, k.rec != nil || k.withdrawn.IsZero()
	default:
		return withdrawal{}, false
	}
}

// tell plays a prompt to everybody on the call, each in their language, at the
// same time. It goes to each leg and not to the bridge: what plays into a
// bridge needs a module that can record one too (asterisk-config).
func (k *contact) tell(ctx context.Context, id string) {
	listeners := map[*ari.Leg]string{k.call.Leg: k.row.Language}
	if k.agentLeg != nil {
		listeners[k.agentLeg] = k.f.Site.Languages[0]
	}
	if k.third != nil && k.thirdIn {
		listeners[k.third] = k.f.Site.Languages[0]
	}
	var told sync.WaitGroup
	for leg, lang := range listeners {
		told.Go(func() { _, _ = k.sayTo(ctx, leg, lang, k.vars(), id) })
	}
	told.Wait()
}

// callThird rings the interpreter beside the conversation.
func (k *contact) callThird(ctx context.Context) {
	if k.third != nil || k.ringing || k.f.Site.Interpreter == "" {
		return
	}
	k.ringing = true
	thirds := k.thirds
	k.helpers.Go(func() {
		leg, err := k.call.Originate(ctx, ari.Originate{
			Role: "third", Endpoint: k.f.Site.Interpreter, CallerID: k.f.Site.Organisation, Timeout: k.f.Site.RingTimeout,
		})
		if err != nil {
			leg = nil
		}
		thirds <- third{leg: leg}
	})
}

// thirdStep goes on with the newcomer. While the newcomer is asked, nothing is
// recorded; anything but a yes ends the recording for all
// (recording.consent.all_parties).
func (k *contact) thirdStep(ctx context.Context, t third) {
	switch {
	case t.consent != nil:
		k.thirdAnswered(ctx, t)
	case t.leg == nil:
		k.ringing = false
		_ = k.event(ctx, "party.no_answer", map[string]string{"party": string(policy.PartyInterpreter)})
	default:
		k.ringing = false
		if err := k.connectLeg(ctx, t.leg, policy.LegThirdParty); err != nil {
			return
		}
		k.third, k.thirdSaid, k.thirdIn = t.leg, nil, false
		if k.rec == nil {
			k.admitThird(ctx)
			return
		}
		k.reviewRecording(ctx, policy.EventJoined) // not asked yet: pauses
		thirds, lang := k.thirds, k.f.Site.Languages[0]
		k.helpers.Go(func() {
			c, _, err := k.askOnce(ctx, t.leg, lang, "third_party_ask_consent")
			if err != nil {
				c.Answer, c.Key = policy.AnswerHungUp, ""
			}
			thirds <- third{leg: t.leg, consent: &c}
		})
	}
}

// thirdAnswered keeps the newcomer's answer. One who hung up meanwhile has
// never joined: the recording is theirs who stay.
func (k *contact) thirdAnswered(ctx context.Context, t third) {
	_ = k.keepConsent(ctx, t.leg.ID(), policy.PartyInterpreter, "third_party_ask_consent", *t.consent)
	if k.third != t.leg || t.leg.Err() != nil {
		return // thirdLeft goes on, or has
	}
	if k.rec != nil {
		if d := k.reviewRecording(ctx, policy.EventResume); !d.Allowed() {
			k.stopRecording(ctx, k.now(), "newcomer_did_not_agree")
			k.tell(ctx, "recording_off")
		}
	}
	k.admitThird(ctx)
}

func (k *contact) admitThird(ctx context.Context) {
	if k.third.Err() != nil || k.bridge == nil {
		return // converse sees it
	}
	if err := k.bridge.Add(ctx, k.third); err != nil {
		k.log.Warn("newcomer not joined", "error", err)
		_ = k.third.Hangup(ctx, ari.CauseNormal)
		return
	}
	k.thirdIn = true
	_ = k.event(ctx, "party.joined", map[string]string{"party": string(policy.PartyInterpreter), "leg": k.third.ID()})
	k.tell(ctx, "third_party_joined")
}

func (k *contact) thirdLeft(ctx context.Context) {
	k.third, k.thirdSaid, k.thirdIn = nil, nil, false
	_ = k.event(ctx, "party.left", map[string]string{"party": string(policy.PartyInterpreter)})
	k.reviewRecording(ctx, policy.EventLeft)
}
