package ari_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/callward/callward/ari"
	"github.com/callward/callward/ari/aritest"
)

func TestOriginate(t *testing.T) {
	tests := map[string]struct {
		outcome aritest.Outcome
		timeout time.Duration
		reason  ari.Reason
		cause   int
		took    time.Duration
	}{
		"answered":    {aritest.Answered(2 * time.Second), 10 * time.Second, "", 0, 2 * time.Second},
		"busy":        {aritest.Busy(), 10 * time.Second, ari.Busy, 0, 0},
		"rejected":    {aritest.Rejected(time.Second), 10 * time.Second, ari.Rejected, 21, time.Second},
		"no answer":   {aritest.NoAnswer(), 3500 * time.Millisecond, ari.NoAnswer, 19, 4 * time.Second},
		"unreachable": {aritest.Unreachable(), 10 * time.Second, ari.Unreachable, 0, 0},
		"congestion":  {aritest.Outcome{Status: "CONGESTION"}, 10 * time.Second, ari.Congestion, 0, 0},
		"no route":    {aritest.Outcome{Status: "CHANUNAVAIL", Cause: 3}, 10 * time.Second, ari.Unreachable, 3, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var ended chan struct{}
			handled := 0
			play(t, func(ctx context.Context, c *ari.Call) {
				defer close(ended)
				handled++
				began := time.Now()
				leg, err := c.Originate(ctx, ari.Originate{Role: "agent", Endpoint: "PJSIP/agent-alice", Timeout: tt.timeout})
				// An end is learned a little late when the channel never was.
				assert.InDelta(t, tt.took, time.Since(began), float64(400*time.Millisecond))
				if tt.reason == "" {
					require.NoError(t, err)
					assert.True(t, leg.Up())
					assert.Equal(t, "agent", leg.Role())
					return
				}
				var not *ari.NotAnswered
				require.ErrorAs(t, err, &not)
				assert.Equal(t, tt.reason, not.Reason)
				assert.Equal(t, tt.cause, not.Cause)
				assert.NotContains(t, err.Error(), "alice")
			}, func(s *scene) {
				ended = make(chan struct{})
				var asked aritest.Originated
				s.OnOriginate(func(o aritest.Originated) aritest.Outcome { asked = o; return tt.outcome })
				s.Incoming("c1")
				<-ended
				synctest.Wait()
				assert.Equal(t, "PJSIP/agent-alice", asked.Endpoint)
				assert.True(t, strings.HasPrefix(asked.ID, "callward~c1~agent.leg~"), asked.ID)
				s.after(time.Second)
				assert.Empty(t, s.Channels(), "what the handler leaves is hung up")
				assert.Equal(t, 1, handled, "an originated channel is never a new call")
			})
		})
	}
}

func TestPatientHangsUpWhileAgentRings(t *testing.T) {
	var err error
	var ended chan struct{}
	play(t, func(ctx context.Context, c *ari.Call) {
		defer close(ended)
		_, err = c.Originate(ctx, ari.Originate{Role: "agent", Endpoint: "PJSIP/a", Timeout: time.Minute})
	}, func(s *scene) {
		ended = make(chan struct{})
		s.OnOriginate(func(aritest.Originated) aritest.Outcome { return aritest.NoAnswer() })
		s.Incoming("c1")
		synctest.Wait()
		require.Len(t, s.Channels(), 2)
		s.HangUp("c1", ari.CauseNormal)
		<-ended
		var not *ari.NotAnswered
		require.ErrorAs(t, err, &not)
		assert.Equal(t, ari.Cancelled, not.Reason)
		var hung *ari.HungUp
		assert.ErrorAs(t, err, &hung)
		assert.Empty(t, s.Channels(), "the agent's phone stops ringing")
	})
}

func TestBridge(t *testing.T) {
	var keys []byte
	var ended chan struct{}
	play(t, func(ctx context.Context, c *ari.Call) {
		defer close(ended)
		agent, err := c.Originate(ctx, ari.Originate{Role: "agent", Endpoint: "PJSIP/a"})
		require.NoError(t, err)
		b, err := c.Bridge(ctx, "talk")
		require.NoError(t, err)
		same, err := c.Bridge(ctx, "talk")
		require.NoError(t, err)
		assert.Same(t, b, same)
		defer c.WatchKeys(func(k byte, _ time.Time) { keys = append(keys, k) })()
		require.NoError(t, b.Add(ctx, c.Leg, agent))
		require.NoError(t, b.Play(ctx, "sound:recorded"))
		require.NoError(t, b.Remove(ctx, agent))
		require.NoError(t, b.Remove(ctx, agent))
		require.NoError(t, agent.Say(ctx, "sound:whisper"))
		require.NoError(t, b.Add(ctx, agent))
		<-agent.Done()
		assert.ErrorIs(t, agent.Err(), ari.ErrGone)
		assert.ErrorIs(t, b.Add(ctx, agent), ari.ErrGone)
		require.NoError(t, ctx.Err(), "the agent's end is not the patient's")
		require.NoError(t, b.Destroy(ctx))
		require.NoError(t, b.Destroy(ctx))
		assert.ErrorIs(t, b.Play(ctx, "sound:x"), ari.ErrGone)
	}, func(s *scene) {
		ended = make(chan struct{})
		s.Incoming("c1")
		s.after(3500 * time.Millisecond)
		bridges := s.Bridges()
		require.Len(t, bridges, 1)
		var agent string
		for id, members := range bridges {
			require.Len(t, members, 2)
			assert.Equal(t, []string{"sound:recorded"}, s.Played(id))
			agent = members[1]
		}
		assert.Equal(t, []string{"sound:whisper"}, s.Played(agent))
		s.Press("c1", "9")
		s.Press(agent, "5")
		s.HangUp(agent, ari.CauseNormal)
		<-ended
		assert.Equal(t, "9", string(keys), "each leg has its own keys")
		assert.Empty(t, s.Bridges())
	})
}

func TestLegVerbs(t *testing.T) {
	var ended chan struct{}
	play(t, func(ctx context.Context, c *ari.Call) {
		defer close(ended)
		require.NoError(t, c.Ring(ctx))
		require.NoError(t, c.StopRing(ctx))
		require.NoError(t, c.Answer(ctx))
		require.NoError(t, c.Answer(ctx))
		require.NoError(t, c.Hold(ctx, ""))
		require.NoError(t, c.Unhold(ctx))
		require.NoError(t, c.SetVar(ctx, "LANG", "es"))
		v, err := c.Var(ctx, "LANG")
		require.NoError(t, err)
		assert.Equal(t, "es", v)
		v, err = c.Var(ctx, "OTHER")
		require.NoError(t, err)
		assert.Empty(t, v)
		name, number := c.Caller()
		assert.Equal(t, "Ann Example", name.Reveal())
		assert.Equal(t, "+12025550123", number.Reveal())
		assert.ErrorIs(t, c.Say(ctx, "sound:missing"), ari.ErrPlayback)
		cut, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		assert.ErrorIs(t, c.Say(cut, "sound:an-hour"), context.DeadlineExceeded)
		require.NoError(t, c.Continue(ctx, "queue", "s", 1))
		assert.ErrorIs(t, context.Cause(ctx), ari.ErrLeft)
		assert.ErrorIs(t, c.Say(context.WithoutCancel(ctx), "sound:x"), ari.ErrLeft)
	}, func(s *scene) {
		ended = make(chan struct{})
		s.Missing("sound:missing")
		s.PlayTime(func(string) time.Duration { return time.Hour })
		s.IncomingFrom("c1", "Ann Example", "+12025550123")
		<-ended
		synctest.Wait()
		assert.Equal(t, []string{"c1"}, s.Channels(), "a call that was sent on is not hung up")
		to, ok := s.Continued("c1")
		assert.True(t, ok)
		assert.Equal(t, aritest.Continued{Context: "queue", Exten: "s", Priority: "1"}, to)
	})
}

func TestPanicEndsTheCallAndNothingElse(t *testing.T) {
	var other chan struct{}
	play(t, func(ctx context.Context, c *ari.Call) {
		if c.ID() == "c1" {
			panic("the script is wrong")
		}
		<-other
	}, func(s *scene) {
		other = make(chan struct{})
		s.Incoming("c2")
		s.Incoming("c1")
		synctest.Wait()
		assert.Equal(t, []string{"c2"}, s.Channels())
		close(other)
	})
}

func TestStoppingLeavesCallsForTheNextRun(t *testing.T) {
	var cause error
	var a *aritest.Asterisk
	play(t, func(ctx context.Context, c *ari.Call) {
		agent, err := c.Originate(ctx, ari.Originate{Role: "agent", Endpoint: "PJSIP/a"})
		require.NoError(t, err)
		b, err := c.Bridge(ctx, "talk")
		require.NoError(t, err)
		require.NoError(t, b.Add(ctx, c.Leg, agent))
		_, err = c.Stream(ctx, ari.StreamOptions{Direction: ari.SpyIn, Role: "rec"}, func([]byte, time.Time) {})
		require.NoError(t, err)
		<-ctx.Done()
		cause = context.Cause(ctx)
	}, func(s *scene) {
		a = s.Asterisk
		s.Incoming("c1")
		s.after(3 * time.Second)
	})
	assert.True(t, errors.Is(cause, ari.ErrStopping))
	assert.Len(t, a.Channels(), 2, "the parties talk on, the recording's channels are gone")
	assert.Len(t, a.Bridges(), 1)
}
