package callflow

import (
	"context"
	"sync"
	"time"

	"github.com/callward/callward/ari"
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

type pressed struct {
	key   byte
	at    time.Time
	agent bool
}

// third is what happened with a third party who is being brought in.
type third struct {
	leg     *ari.Leg // answered; nil when nobody did
	consent *policy.Consent
}

// listen takes keys of both parties from now on; before the recorder runs, so
// that no withdrawal is ever missed.
func (k *contact) listen() {
	k.keys = make(chan pressed, 16)
	keys := k.keys
	push := func(agent bool) func(byte, time.Time) {
		return func(key byte, at time.Time) {
			select {
			case keys <- pressed{key, at, agent}:
			default: // sixteen keys behind: somebody leans on the pad
			}
		}
	}
	k.gaps = make(chan ari.Gap, 1)
	gaps := k.gaps
	stops := []func(){
		k.call.WatchKeys(push(false)),
		k.agentLeg.WatchKeys(push(true)),
		k.call.WatchEvents(func(e ari.Event) {
			if all := k.call.Gaps(); e.EventType() == "Gap" && len(all) > 0 {
				select {
				case gaps <- all[len(all)-1]:
				default: // one is waiting already
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
		case p := <-k.keys:
			k.obey(ctx, p)
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
	k.thirds = make(chan third, 2)
	thirdCtx, cancel := context.WithCancel(ctx)
	defer cancel()
	for {
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
			k.stopRecording(ctx, k.now(), "agent_left")
			k.because("agent_hung_up")
			if k.bridge != nil {
				_ = k.bridge.Destroy(ctx)
				k.bridge = nil
			}
			return false, k.say(ctx, "goodbye")
		case p := <-k.keys:
			if k.obey(ctx, p) == agentJoin {
				k.callThird(thirdCtx)
			}
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

// obey does what a key asks and returns the command that is left to the caller.
func (k *contact) obey(ctx context.Context, p pressed) (command byte) {
	switch {
	case !p.agent && p.key == keyWithdraw:
		k.recordingOff(ctx, p.at, policy.MethodKeypad)
	case p.agent && p.key == agentPrefix:
		k.prefix = p.at
	case p.agent && !k.prefix.IsZero() && p.at.Sub(k.prefix) <= agentWindow:
		k.prefix = time.Time{}
		if p.key == agentStop {
			k.recordingOff(ctx, p.at, policy.MethodSetByAgent)
			return 0
		}
		return p.key
	}
	return 0
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
func (k *contact) recordingOff(ctx context.Context, at time.Time, by policy.ConsentMethod) {
	if k.rec == nil && !k.withdrawn.IsZero() {
		return
	}
	k.withdraw(ctx, at, by)
	k.tell(ctx, "recording_off")
	_ = k.event(ctx, "consent.withdrawal_confirmed", nil)
}

// tell plays a prompt to everybody on the call, each in their language, at the
// same time. It goes to each leg and not to the bridge: what plays into a
// bridge needs a module that can record one too (asterisk-config).
func (k *contact) tell(ctx context.Context, id string) {
	listeners := map[*ari.Leg]string{k.call.Leg: k.row.Language}
	for _, leg := range []*ari.Leg{k.agentLeg, k.third} {
		if leg != nil {
			listeners[leg] = k.f.Site.Languages[0]
		}
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
	go func() {
		leg, err := k.call.Originate(ctx, ari.Originate{
			Role: "third", Endpoint: k.f.Site.Interpreter, CallerID: k.f.Site.Organisation, Timeout: k.f.Site.RingTimeout,
		})
		if err != nil {
			leg = nil
		}
		thirds <- third{leg: leg}
	}()
}

// thirdStep goes on with the newcomer. While the newcomer is asked, nothing is
// recorded; a refusal ends the recording for all
// (recording.consent.all_parties).
func (k *contact) thirdStep(ctx context.Context, t third) {
	switch {
	case t.consent != nil:
		_ = k.keepConsent(ctx, k.third.ID(), policy.PartyInterpreter, "third_party_ask_consent", *t.consent)
		if k.rec != nil {
			if d := k.reviewRecording(ctx, policy.EventResume); !d.Allowed() {
				k.tell(ctx, "recording_off")
			}
		}
		k.admitThird(ctx)
	case t.leg == nil:
		k.ringing = false
		_ = k.event(ctx, "party.no_answer", map[string]string{"party": string(policy.PartyInterpreter)})
	default:
		k.ringing = false
		if err := k.connectLeg(ctx, t.leg, policy.LegThirdParty); err != nil {
			return
		}
		k.third, k.thirdSaid = t.leg, nil
		if k.rec == nil {
			k.admitThird(ctx)
			return
		}
		k.reviewRecording(ctx, policy.EventJoined) // not asked yet: pauses
		thirds, lang := k.thirds, k.f.Site.Languages[0]
		go func() {
			c, _, err := k.askOnce(ctx, t.leg, lang, "third_party_ask_consent")
			if err != nil {
				c.Answer = policy.AnswerHungUp
			}
			thirds <- third{consent: &c}
		}()
	}
}

func (k *contact) admitThird(ctx context.Context) {
	select {
	case <-k.third.Done():
		return // converse sees it
	default:
	}
	if k.bridge == nil {
		return
	}
	if err := k.bridge.Add(ctx, k.third); err != nil {
		k.log.Warn("newcomer not joined", "error", err)
		_ = k.third.Hangup(ctx, ari.CauseNormal)
		return
	}
	_ = k.event(ctx, "party.joined", map[string]string{"party": string(policy.PartyInterpreter)})
	k.tell(ctx, "third_party_joined")
}

func (k *contact) thirdLeft(ctx context.Context) {
	k.third, k.thirdSaid = nil, nil
	_ = k.event(ctx, "party.left", map[string]string{"party": string(policy.PartyInterpreter)})
	k.reviewRecording(ctx, policy.EventLeft)
}
