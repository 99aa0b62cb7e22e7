package callflow

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/callward/callward/ari"
	"github.com/callward/callward/internal/queue"
	"github.com/callward/callward/storage"
)

// An instant is a place in the scripted call at which something is done to it:
// before request n to Asterisk, before write n to the store, or at a time.
type instant struct {
	request, write int
	at             time.Duration
}

func (i instant) String() string {
	switch {
	case i.request > 0:
		return fmt.Sprintf("request %d", i.request)
	case i.write > 0:
		return fmt.Sprintf("write %d", i.write)
	}
	return i.at.String()
}

// scripted plays greeting, language, menu, identification, consent, queue,
// agent, announcement, conversation, withdrawal and hang-up. do is done at the
// instant; it may run in any goroutine.
func scripted(s *scene, i instant, do func()) {
	if i.request > 0 {
		s.each(func(n int, _ string) {
			if n == i.request {
				do()
			}
		})
	}
	if i.write > 0 {
		s.store.hook(func(n int) {
			if n == i.write {
				do()
			}
		})
	}
	if i.at > 0 {
		t := time.AfterFunc(i.at, do)
		defer t.Stop()
	}
	s.dial()
	s.until("conversation or end", func() bool { return s.did("call.connected") || s.gone() })
	s.after(3 * time.Second)
	s.Press(patientLeg, "*")
	s.after(3 * time.Second)
}

// gone tells that nobody runs the call any more.
func (s *scene) gone() bool {
	return s.did("call.ended") || s.did("controller.stopping")
}

// step between two instants at which nothing need happen.
const step = 400 * time.Millisecond

// instants are all of the call: each request, each write, and times a step
// apart. from is the step of the call they begin at.
func instants(t *testing.T, from string) []instant {
	t.Helper()
	var out []instant
	play(t, nil, func(s *scene) {
		began := time.Now()
		var at []time.Duration
		requests, writes := 0, 0
		s.each(func(n int, _ string) {
			s.mu.Lock()
			defer s.mu.Unlock()
			requests = n
			at = append(at, time.Since(began))
		})
		s.store.hook(func(n int) { writes = n })
		scripted(s, instant{}, nil)
		s.HangUp(patientLeg, ari.CauseNormal)
		s.over()
		first := time.Duration(0)
		fromRequest, fromWrite := 1, 1
		if from != "" {
			e := s.event(from)
			require.NotZero(t, e.At)
			first = e.At.Sub(began)
			fromRequest = 1 + slices.IndexFunc(at, func(d time.Duration) bool { return d >= first })
			fromWrite = writes - 8
		}
		for n := fromRequest; n <= requests; n++ {
			out = append(out, instant{request: n})
		}
		for n := fromWrite; n <= writes; n++ {
			out = append(out, instant{write: n})
		}
		for d := first; d < time.Since(began); d += step {
			at = append(at, d)
		}
		slices.Sort(at)
		for _, d := range slices.Compact(at) {
			if d >= first && d > 0 {
				out = append(out, instant{at: d})
			}
		}
	})
	return out
}

// TestHangUpAtEveryInstant plays one call once for each of its instants, and
// the patient hangs up there. Whatever the instant, the call is settled once
// and wholly, and no consent is inferred.
func TestHangUpAtEveryInstant(t *testing.T) {
	all := instants(t, "")
	require.Greater(t, len(all), 120)
	ends := map[string]int{}
	for _, i := range all {
		t.Run(i.String(), func(t *testing.T) {
			play(t, nil, func(s *scene) {
				scripted(s, i, func() { s.HangUp(patientLeg, ari.CauseNormal) })
				s.HangUp(patientLeg, ari.CauseNormal) // an instant after the last
				row := s.over()
				ends[row.Disposition+" "+row.Reason]++
				inferNothing(s)
			})
		})
	}
	assert.Len(t, ends, 2, "%v", ends)
	assert.Positive(t, ends["abandoned caller_hung_up"], "%v", ends)
	assert.Positive(t, ends["completed caller_hung_up"], "%v", ends)
}

// inferNothing: every yes was keyed, and a recording has one.
func inferNothing(s *scene) {
	s.t.Helper()
	for _, a := range s.answers() {
		// Who hangs up as the question begins may not hear it: a no.
		assert.True(s.t, a == storage.AnswerNo || s.hears("ask_consent"), "%s without a question", a)
	}
	if len(s.recordings()) > 0 {
		assert.Equal(s.t, storage.AnswerYes, s.answers()[0])
	}
	for _, r := range s.recordings() {
		assert.Contains(s.t, []storage.RecordingStatus{storage.RecordingSealed, storage.RecordingWithdrawn, storage.RecordingDiscarded}, r.Status, r.Reason)
	}
}

// TestAgentHangsUpAtEveryInstant: from the moment the agent's phone rings, the
// agent is lost at each instant. The patient is never hung up before an agent
// was there: the next one is rung.
func TestAgentHangsUpAtEveryInstant(t *testing.T) {
	all := instants(t, "agent.join")
	require.Greater(t, len(all), 50)
	ends := map[string]int{}
	for _, i := range all {
		t.Run(i.String(), func(t *testing.T) {
			play(t, func(s *scene) { s.second(nil) }, func(s *scene) {
				scripted(s, i, func() { s.HangUp(s.leg("agent"), ari.CauseNormal) })
				s.HangUp(s.leg("agent"), ari.CauseNormal)
				row := s.over()
				ends[row.Disposition+" "+row.Reason]++
				inferNothing(s)
				assert.True(t, s.hears("goodbye"))
				assert.GreaterOrEqual(t, s.times("agent.wrapup")+s.times("agent.no_answer"), s.times("agent.answered"))
			})
		})
	}
	assert.Equal(t, map[string]int{"completed agent_hung_up": len(all)}, ends)
}

// TestStopAtEveryInstant: the controller is stopped at each instant of the
// call. The call goes on without it, its recording is sealed, its row is open;
// the next controller takes it up and brings it to its end.
func TestStopAtEveryInstant(t *testing.T) {
	all := instants(t, "")
	ends := map[string]int{}
	for _, i := range all {
		t.Run(i.String(), func(t *testing.T) {
			play(t, nil, func(s *scene) {
				scripted(s, i, s.cancel)
				s.cancel()
				require.NoError(t, <-s.served)
				s.after(3 * time.Second)
				require.Contains(t, s.Channels(), patientLeg, "the caller is still there")
				row := s.row()
				assert.True(t, row.EndedAt.IsZero())
				assert.Zero(t, s.times("call.ended"))
				s.sealed()
				inferNothing(s)
				joined := row.Step == stepConnected
				for _, id := range s.Channels() {
					assert.True(t, id == patientLeg || joined && id == row.AgentChannel, "left behind: %s", id)
				}

				s.each(nil)
				s.store.hook(nil)
				s.queue = queue.New(queue.Options{WrapUp: time.Second})
				s.flow.Queue = s.queue
				require.NoError(t, s.flow.SyncAgents(t.Context()))
				s.mu.Lock()
				s.events, s.spoken = nil, map[string]int{}
				s.mu.Unlock()
				s.start()
				s.until("adopted", func() bool { return s.talk() != "" && s.leg("agent") != "" })
				s.after(time.Second)
				s.HangUp(patientLeg, ari.CauseNormal)
				row = s.over()
				ends[row.Disposition+" "+row.Reason]++
				inferNothing(s)
			})
		})
	}
	assert.Equal(t, map[string]int{"completed caller_hung_up": len(all)}, ends)
}
