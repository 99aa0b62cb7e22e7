package e2e

import (
	"context"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callward/callward/internal/lab/scene"
	"github.com/callward/callward/internal/lab/softphone"
)

var bo = scene.Agent{ID: "bo", Name: "Bo Tanaka", State: "WA"}

// TestNextAgent: a busy agent and one who does not answer are passed over, one
// without training and one off duty are never rung.
func TestNextAgent(t *testing.T) {
	t.Parallel()
	ctx, s := set(t, with("CALLWARD_QUEUE_RING_TIMEOUT=5s"), crew(
		scene.Agent{ID: "a1", Name: "Ada Busy"},
		scene.Agent{ID: "a2", Name: "Ben Untrained", Untrained: true},
		scene.Agent{ID: "a3", Name: "Cleo Away", OffDuty: true},
		scene.Agent{ID: "a4", Name: "Dan Slow"},
		scene.Agent{ID: "a5", Name: "Eve Ready"},
	))
	busy, untrained, off, slow, ready := agent(ctx, t, s, "a1"), agent(ctx, t, s, "a2"), agent(ctx, t, s, "a3"), agent(ctx, t, s, "a4"), agent(ctx, t, s, "a5")
	a := dial(ctx, t, s)
	unidentified(ctx, t, a, "2")
	require.NoError(t, incoming(ctx, t, busy).Reject(ctx, 486))
	rung := incoming(ctx, t, slow)
	require.NoError(t, rung.Ring(ctx))
	within(ctx, t, rung.Cancelled(), "the ring ends")
	b := answer(ctx, t, s, ready)
	step(ctx, t, s, "call.connected")
	chat(ctx, t, a, b, 0)
	require.Empty(t, untrained.Incoming(), "an untrained agent is never rung")
	require.Empty(t, off.Incoming(), "an agent off duty is never rung")
	why := map[string]string{}
	for _, ev := range s.Events.Since(0) {
		switch {
		case ev.Step == "agent.no_answer":
			why[ev.Detail["agent"]] = ev.Detail["reason"]
		case ev.Action == "JoinQueue" && ev.Decision == "deny":
			require.Contains(t, ev.Rules, "training.current")
		}
	}
	require.Equal(t, map[string]string{"a1": "busy", "a4": "no_answer"}, why)
	leaves(ctx, t, s, a)
}

func incoming(ctx context.Context, t *testing.T, p *softphone.Phone) *softphone.Invite {
	t.Helper()
	select {
	case i := <-p.Incoming():
		return i
	case <-ctx.Done():
		require.FailNow(t, "the phone was not rung")
		return nil
	}
}

func within(ctx context.Context, t *testing.T, done <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-done:
	case <-ctx.Done():
		require.FailNow(t, "waited in vain", what)
	}
}

// TestCallback: nobody is on duty, so a call back is offered; the number the
// caller keys is kept sealed.
func TestCallback(t *testing.T) {
	t.Parallel()
	const number = "3605550164"
	ctx, s := set(t, with("CALLWARD_QUEUE_OFFER_CALLBACK_AFTER=5s"),
		crew(scene.Agent{ID: "maria", Name: "Maria Lopez", OffDuty: true}))
	p := agent(ctx, t, s, "maria")
	a := dial(ctx, t, s)
	unidentified(ctx, t, a, "1")
	hears(ctx, t, a, "queue_wait")
	hears(ctx, t, a, "queue_offer_callback") // not wanted yet
	keys(ctx, t, a, "queue_offer_callback", "1")
	keys(ctx, t, a, "ask_phone", number)
	hears(ctx, t, a, "callback_done")
	hears(ctx, t, a, "goodbye")
	require.Equal(t, "callback", step(ctx, t, s, "call.ended").Detail["disposition"])
	within(ctx, t, a.Done(), "the call ends")
	require.Equal(t, "agent", step(ctx, t, s, "callback.requested").Detail["intent"])
	require.Empty(t, p.Incoming())
	require.Empty(t, recordings(t, s), "nobody to talk to, nothing to record")
	found, _ := search(t, s.Dir, append(encodings(number), encodings("+1"+number)...))
	require.Empty(t, found)
	tidy(ctx, t, s)
}

// TestWaitsForAgent: a second caller waits until the only agent has hung up and
// wrapped up; the first is told goodbye.
func TestWaitsForAgent(t *testing.T) {
	t.Parallel()
	const wrapUp = 4 * time.Second
	ctx, s := set(t, with("CALLWARD_QUEUE_WRAP_UP=4s"))
	p := agent(ctx, t, s, "maria")
	first, b := joined(ctx, t, s, p, "1")
	second := dial(ctx, t, s)
	unidentified(ctx, t, second, "2")
	hears(ctx, t, second, "queue_wait")
	chat(ctx, t, first, b, 10)
	require.Empty(t, p.Incoming(), "an agent who talks is not rung")
	require.NoError(t, b.Hangup(ctx))
	hears(ctx, t, first, "goodbye")
	within(ctx, t, first.Done(), "the first call ends")
	ended := step(ctx, t, s, "call.ended")
	require.Equal(t, "completed", ended.Detail["disposition"])
	require.Equal(t, "agent_hung_up", ended.Detail["reason"])
	rung := incoming(ctx, t, p)
	require.GreaterOrEqual(t, rung.At().Sub(step(ctx, t, s, "agent.wrapup").At), wrapUp-100*time.Millisecond)
	c, err := rung.Answer(ctx)
	require.NoError(t, err)
	again, err := s.Listen(ctx, c)
	require.NoError(t, err)
	hears(ctx, t, again, "agent_whisper_not_recorded")
	_, err = second.HearOut(ctx, "en/agent_announce/maria")
	require.NoError(t, err)
	mark := s.Events.Mark()
	require.NoError(t, second.Hangup(ctx))
	after(ctx, t, s, mark, "call.ended")
	oneRecording(t, s, "sealed", "agent_left")
	tidy(ctx, t, s)
}

// TestAgentStopsRecording: the patient said so, the agent presses star one. It
// stays stopped when callward is killed and comes back.
func TestAgentStopsRecording(t *testing.T) {
	t.Parallel()
	ctx, s := set(t, with("CALLWARD_RECORDING_DISCARD_UNDER=2s"))
	a, b := joined(ctx, t, s, agent(ctx, t, s, "maria"), "1")
	before, _ := chat(ctx, t, a, b, 20)
	require.NoError(t, b.Press(ctx, "1")) // no command without the star
	require.NoError(t, b.Press(ctx, "*1"))
	hearOut(ctx, t, "recording_off", a, b)
	require.Empty(t, a.HeardKeys(), "keys are for us, not for the other party")
	step(ctx, t, s, "consent.withdrawal_confirmed")
	require.NoError(t, s.Signal(syscall.SIGKILL))
	mark := s.Events.Mark()
	require.NoError(t, s.Serve(ctx))
	after(ctx, t, s, mark, "call.adopted")
	afterwards, _ := chat(ctx, t, a, b, 22)
	require.NoError(t, b.Hangup(ctx))
	hears(ctx, t, a, "goodbye")
	require.Equal(t, "completed", after(ctx, t, s, mark, "call.ended").Detail["disposition"])
	silent(ctx, t, s)
	expectAway(t, s)
	require.Equal(t, "set_by_agent", step(ctx, t, s, "consent.withdrawn").Detail["by"])
	tracks := oneRecording(t, s, "withdrawn", "consent_withdrawn")
	present(t, tracks[0], before, "what was said before")
	absent(t, tracks[0], afterwards, "what was said after")
}

// TestThirdParty brings the interpreter in: nothing is recorded while the
// newcomer is asked, and a refusal ends the recording for all.
func TestThirdParty(t *testing.T) {
	t.Parallel()
	for name, agrees := range map[string]bool{"agrees": true, "refuses": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, s := set(t)
			helper, err := s.InterpreterPhone(ctx)
			require.NoError(t, err)
			t.Cleanup(func() { _ = helper.Close() })
			a, b := joined(ctx, t, s, agent(ctx, t, s, "maria"), "1")
			before, _ := chat(ctx, t, a, b, 30)
			require.NoError(t, b.Press(ctx, "*3"))
			c := answer(ctx, t, s, helper)
			hears(ctx, t, c, "third_party_ask_consent")
			step(ctx, t, s, "recording.paused")
			asked, _ := chat(ctx, t, a, b, 32) // the two go on talking meanwhile
			key := "2"
			if agrees {
				key = "1"
			}
			require.NoError(t, c.Press(ctx, key))
			for _, who := range []*scene.Actor{a, b, c} {
				if !agrees && who != c {
					hears(ctx, t, who, "recording_off")
				}
				_, err := who.HearOut(ctx, "en/third_party_joined")
				require.NoError(t, err)
			}
			said := map[*scene.Actor][]int16{a: voice(34), b: voice(35), c: voice(36)}
			for _, who := range []*scene.Actor{a, b, c} { // one after the other: three at once drown each other
				marks := map[*scene.Actor]int{a: a.Samples(), b: b.Samples(), c: c.Samples()}
				says(ctx, t, map[*scene.Actor][]int16{who: said[who]})
				for hearer, mark := range marks {
					if hearer != who {
						heardBy(t, hearer, mark, said[who])
					}
				}
			}
			require.NoError(t, c.Hangup(ctx))
			step(ctx, t, s, "party.left")
			last, _ := chat(ctx, t, a, b, 37)
			leaves(ctx, t, s, a)
			if !agrees {
				tracks := oneRecording(t, s, "sealed", "not_allowed_resume")
				present(t, tracks[0], before, "what was said before")
				absent(t, tracks[0], said[a], "what was said after")
				return
			}
			tracks := oneRecording(t, s, "sealed", "call_ended")
			present(t, tracks[0], before, "what was said before")
			absent(t, tracks[0], asked, "what was said while the newcomer was asked")
			present(t, tracks[0], said[a], "the patient among three")
			present(t, tracks[1], said[b], "the agent among three")
			present(t, tracks[1], said[c], "the newcomer")
			present(t, tracks[0], last, "what was said when the newcomer had left")
		})
	}
}

// TestAgentWithoutConsent: an agent who has not agreed to be recorded is not,
// and is told so.
func TestAgentWithoutConsent(t *testing.T) {
	t.Parallel()
	ctx, s := set(t, crew(scene.Agent{ID: "maria", Name: "Maria Lopez", NoConsent: true}))
	p := agent(ctx, t, s, "maria")
	a := dial(ctx, t, s)
	unidentified(ctx, t, a, "1")
	_, told := reaches(ctx, t, s, p)
	require.Equal(t, []string{"agent_whisper_unverified", "agent_whisper_not_recorded"}, told)
	d := decision(ctx, t, s, "StartRecording")
	require.Equal(t, "deny", d.Decision)
	require.Contains(t, d.Rules, "recording.consent.all_parties")
	leaves(ctx, t, s, a)
	require.Empty(t, recordings(t, s))
	for _, m := range a.Matches() {
		require.NotEqual(t, "en/consent_evidence", m.ID)
	}
}

// TestTwoCalls at once: neither hears nor records the other, and the next
// caller gets the agent who has been idle longest.
func TestTwoCalls(t *testing.T) {
	t.Parallel()
	ctx, s := set(t, crew(bo, maria))
	phones := map[string]*softphone.Phone{"bo": agent(ctx, t, s, "bo"), "maria": agent(ctx, t, s, "maria")}
	type pair struct {
		patient, agent *scene.Actor
		call           string
		said           [2][]int16
	}
	var pairs []pair
	for _, with := range []string{"bo", "maria"} { // both idle for ever: in order of their ids
		mark := s.Events.Mark()
		a := dial(ctx, t, s)
		unidentified(ctx, t, a, "1")
		b := answer(ctx, t, s, phones[with])
		pairs = append(pairs, pair{patient: a, agent: b, call: after(ctx, t, s, mark, "agent.answered").Call})
	}
	for _, p := range pairs {
		stepOf(ctx, t, s, p.call, "call.connected")
	}
	all := map[*scene.Actor][]int16{}
	for i := range pairs {
		p := &pairs[i]
		p.said = [2][]int16{voice(50 + 2*i), voice(51 + 2*i)}
		all[p.patient], all[p.agent] = p.said[0], p.said[1]
	}
	says(ctx, t, all)
	for i, p := range pairs {
		other := pairs[1-i]
		heardBy(t, p.patient, 0, p.said[1])
		heardBy(t, p.agent, 0, p.said[0])
		for _, signal := range other.said {
			absent(t, p.patient.Heard(), signal, "the other call")
			absent(t, p.agent.Heard(), signal, "the other call")
		}
	}
	for _, i := range []int{1, 0} { // maria is free first
		require.Equal(t, "completed", hangsUp(ctx, t, s, pairs[i].patient).Detail["disposition"])
	}
	rows := recordings(t, s)
	require.Len(t, rows, 2)
	for _, r := range rows {
		i := 0
		if r.ID == pairs[1].call+"-r1" {
			i = 1
		}
		require.Equal(t, pairs[i].call+"-r1", r.ID)
		tracks := opened(t, s, r.Path)
		for n := range tracks {
			present(t, tracks[n], pairs[i].said[n], "its own voice")
			for m := range tracks {
				if m != n {
					absent(t, tracks[n], pairs[i].said[m], "the other track's voice")
				}
				absent(t, tracks[n], pairs[1-i].said[m], "a voice of the other call")
			}
		}
	}
	mark := s.Events.Mark()
	a := dial(ctx, t, s)
	unidentified(ctx, t, a, "2")
	answer(ctx, t, s, phones["maria"])
	require.Equal(t, "maria", after(ctx, t, s, mark, "agent.answered").Detail["agent"])
	require.Empty(t, phones["bo"].Incoming())
	hangsUp(ctx, t, s, a)
	tidy(ctx, t, s)
}
