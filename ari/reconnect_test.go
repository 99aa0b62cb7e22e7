package ari_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/callward/callward/ari"
	"github.com/callward/callward/ari/aritest"
)

func TestGapMidPrompt(t *testing.T) {
	var said, second error
	var gaps []ari.Gap
	var got ari.Answer
	var ended chan struct{}
	play(t, func(ctx context.Context, c *ari.Call) {
		defer close(ended)
		said = c.Say(ctx, "sound:ten-seconds")
		second = c.Say(ctx, "sound:ten-seconds")
		gaps = c.Gaps()
		got, _ = c.Ask(ctx, ari.Ask{MaxDigits: 2, FirstDigit: 30 * time.Second})
	}, func(s *scene) {
		ended = make(chan struct{})
		s.PlayTime(func(string) time.Duration { return 10 * time.Second })
		began := time.Now()
		s.Incoming("c1")
		s.after(5 * time.Second)
		s.Down()
		s.after(20 * time.Second) // the prompt ends unheard of
		s.Up()
		s.back(t)
		s.after(30*time.Second - time.Since(began) + 10*time.Second)
		assert.NoError(t, said)
		assert.NoError(t, second)
		require.Len(t, gaps, 1)
		assert.LessOrEqual(t, gaps[0].From.Sub(began), 5*time.Second, "from the last proof of life")
		assert.GreaterOrEqual(t, gaps[0].To.Sub(gaps[0].From), 20*time.Second)
		s.Press("c1", "1")
		synctest.Wait()
		s.Cut()
		s.back(t)
		<-ended
		assert.Equal(t, "1", got.Digits.Reveal())
		assert.True(t, got.Gap, "a key may be missing")
		assert.Equal(t, []string{"sound:ten-seconds", "sound:ten-seconds"}, s.Played("c1"))
	})
}

func TestRequestCutOffIsRepeated(t *testing.T) {
	var err error
	var up bool
	var ended chan struct{}
	play(t, func(ctx context.Context, c *ari.Call) {
		defer close(ended)
		err = c.Answer(ctx)
		up = c.Up()
		leg, oerr := c.Originate(ctx, ari.Originate{Role: "agent", Endpoint: "PJSIP/a"})
		require.NoError(t, oerr)
		assert.True(t, leg.Up())
	}, func(s *scene) {
		ended = make(chan struct{})
		cut := map[string]bool{}
		s.OnRequest(func(op string) {
			// Cut once just before each of these is carried out: it is done, its answer is lost.
			if (op == "channels.answer" || op == "channels.originateWithId") && !cut[op] {
				cut[op] = true
				s.Cut()
			}
		})
		s.Incoming("c1")
		<-ended
		assert.NoError(t, err)
		assert.True(t, up)
		assert.Len(t, cut, 2)
	})
}

func TestHangUpInAGap(t *testing.T) {
	var cause error
	play(t, func(ctx context.Context, c *ari.Call) {
		_ = c.Say(ctx, "sound:x")
		<-ctx.Done()
		cause = context.Cause(ctx)
	}, func(s *scene) {
		s.Incoming("c1")
		synctest.Wait()
		s.Down()
		s.HangUp("c1", ari.CauseNormal)
		s.after(time.Second)
		s.Up()
		s.back(t)
		synctest.Wait()
		var hung *ari.HungUp
		require.ErrorAs(t, cause, &hung)
		assert.Zero(t, hung.Cause)
	})
}

func TestAsteriskRestartLosesCalls(t *testing.T) {
	var cause error
	var again bool
	play(t, func(ctx context.Context, c *ari.Call) {
		if cause != nil {
			again = true
			return
		}
		_, err := c.Originate(ctx, ari.Originate{Role: "agent", Endpoint: "PJSIP/a"})
		require.NoError(t, err)
		<-ctx.Done()
		cause = context.Cause(ctx)
	}, func(s *scene) {
		s.Incoming("c1")
		s.after(2 * time.Second)
		s.Restart()
		s.back(t)
		synctest.Wait()
		var lost *ari.Lost
		require.ErrorAs(t, cause, &lost)
		assert.True(t, lost.Restarted)
		assert.ErrorIs(t, cause, ari.ErrGone)
		require.True(t, s.Incoming("c1"), "the new process may use the id again")
		synctest.Wait()
		assert.True(t, again)
	})
}

func TestCallsOfAnUnreachableAsteriskAreLostInTheEnd(t *testing.T) {
	var cause error
	var ended chan struct{}
	play(t, func(ctx context.Context, c *ari.Call) {
		<-ctx.Done()
		cause = context.Cause(ctx)
		close(ended)
	}, func(s *scene) {
		ended = make(chan struct{})
		s.Incoming("c1")
		synctest.Wait()
		s.Down()
		began := time.Now()
		<-ended
		assert.InDelta(t, 65*time.Second, time.Since(began), float64(5*time.Second))
		var lost *ari.Lost
		require.ErrorAs(t, cause, &lost)
		assert.False(t, lost.Restarted)
		s.Up()
		s.back(t)
	})
}

func TestReconnectIsCappedJitteredAndVisible(t *testing.T) {
	play(t, func(context.Context, *ari.Call) {}, func(s *scene) {
		s.after(10 * time.Second) // it held
		s.Down()
		s.after(time.Minute)
		s.Up()
		s.back(t)
		var waits []time.Duration
		for _, st := range s.states {
			if st.Phase == ari.Disconnected {
				waits = append(waits, st.RetryIn)
				assert.Error(t, st.Err)
			}
		}
		require.Greater(t, len(waits), 6)
		assert.Equal(t, []time.Duration{75, 75, 150, 300, 600, 1200}, milli(waits[:6]))
		assert.Equal(t, 3750*time.Millisecond, waits[len(waits)-1], "5 s, of which half is certain and half random")
		assert.Equal(t, ari.Connected, s.states[len(s.states)-1].Phase)
		assert.False(t, s.states[len(s.states)-1].Gap.From.IsZero())
	}, func(c *ari.Config, _ *ari.Handler) { c.Rand = func() float64 { return 0.5 } })
}

func milli(ds []time.Duration) []time.Duration {
	out := make([]time.Duration, len(ds))
	for i, d := range ds {
		out[i] = d / time.Millisecond
	}
	return out
}

// TestAdoption: one controller dies mid-call, the next finds the call.
func TestAdoption(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := aritest.New()
		defer a.Close()
		var agentID, bridgeID string
		serve := func(instance string, h ari.Handler) (*ari.Controller, func()) {
			cfg := a.Config()
			cfg.Instance = instance
			ctl, err := ari.New(cfg)
			require.NoError(t, err)
			ctx, stop := context.WithCancel(t.Context())
			served := make(chan error, 1)
			go func() { served <- ctl.Serve(ctx, h) }()
			require.NoError(t, ctl.Ready(ctx))
			return ctl, func() { stop(); require.NoError(t, <-served) }
		}
		_, stop := serve("first", ari.Handler{Call: func(ctx context.Context, c *ari.Call) {
			agent, err := c.Originate(ctx, ari.Originate{Role: "agent", Endpoint: "PJSIP/a"})
			require.NoError(t, err)
			b, err := c.Bridge(ctx, "talk")
			require.NoError(t, err)
			require.NoError(t, b.Add(ctx, c.Leg, agent))
			agentID, bridgeID = agent.ID(), b.ID()
			<-ctx.Done()
		}})
		a.Incoming("c1", "in", "es")
		after(2 * time.Second)
		synctest.Wait()
		stop()
		synctest.Wait()
		require.False(t, a.Incoming("c2"), "nobody is there")

		var adopted *ari.Call
		var agentErr error
		var keys []byte
		_, stop = serve("second", ari.Handler{
			Call: func(context.Context, *ari.Call) { t.Error("an adopted call is not new") },
			Adopt: func(ctx context.Context, c *ari.Call) {
				adopted = c
				assert.True(t, c.Adopted())
				assert.Equal(t, []string{"in", "es"}, c.Args())
				assert.Len(t, c.Gaps(), 1)
				agent, err := c.AdoptLeg(ctx, agentID, "agent")
				require.NoError(t, err)
				b, err := c.AdoptBridge(ctx, bridgeID)
				require.NoError(t, err)
				require.NoError(t, b.Play(ctx, "sound:recording-goes-on"))
				require.NoError(t, b.Remove(ctx, agent))
				require.NoError(t, b.Add(ctx, agent))
				c.WatchKeys(func(k byte, _ time.Time) { keys = append(keys, k) })
				<-ctx.Done()
				<-agent.Done()
				agentErr = agent.Err()
			}})
		after(3 * time.Second)
		synctest.Wait()
		require.NotNil(t, adopted)
		assert.Equal(t, []string{"c1", agentID}, sorted(a.Channels()))
		assert.Equal(t, []string{"c1", agentID}, sorted(a.Bridges()[bridgeID]), "a bridge of two live parties is never swept")
		a.Press("c1", "9")
		a.HangUp("c1", ari.CauseNormal)
		a.HangUp(agentID, ari.CauseNormal)
		after(5 * time.Second)
		synctest.Wait()
		assert.Equal(t, "9", string(keys))
		assert.ErrorIs(t, agentErr, ari.ErrGone)
		assert.Empty(t, a.Channels())
		assert.Empty(t, a.Bridges())
		stop()
	})
}

func sorted(ids []string) []string {
	if len(ids) == 2 && ids[0] > ids[1] {
		return []string{ids[1], ids[0]}
	}
	return ids
}

// A crash leaves tools behind; the next run removes them and nothing else.
func TestLeftoversAreSwept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := aritest.New()
		defer a.Close()
		raw, err := ari.NewClient(a.Config())
		require.NoError(t, err)
		defer raw.Close()
		crash, err := ari.New(a.Config())
		require.NoError(t, err)
		ctx, stop := context.WithCancel(t.Context())
		served := make(chan error, 1)
		go func() {
			served <- crash.Serve(ctx, ari.Handler{Call: func(ctx context.Context, c *ari.Call) { <-ctx.Done() }})
		}()
		require.NoError(t, crash.Ready(ctx))
		a.Incoming("c1")
		synctest.Wait()
		stop()
		require.NoError(t, <-served)
		// What a run that was killed leaves of a call that lives and of one that does not.
		for _, call := range []string{"c1", "c0"} {
			_, err := raw.Channels.ExternalMedia(t.Context(), ari.ChannelsExternalMedia{
				ChannelID: "callward~" + call + "~rec-in.media~old-7", App: aritest.App, Format: "ulaw"})
			require.NoError(t, err)
			_, err = raw.Bridges.CreateWithID(t.Context(), ari.BridgesCreateWithID{BridgeID: "callward~" + call + "~rec-in.stream~old-8"})
			require.NoError(t, err)
			_, err = raw.Bridges.CreateWithID(t.Context(), ari.BridgesCreateWithID{BridgeID: "callward~" + call + "~talk.bridge~old-9"})
			require.NoError(t, err)
		}
		_, err = raw.Bridges.CreateWithID(t.Context(), ari.BridgesCreateWithID{BridgeID: "somebody-elses"})
		require.NoError(t, err)

		cfg := a.Config()
		cfg.Instance = "new"
		ctl, err := ari.New(cfg)
		require.NoError(t, err)
		ctx, stop = context.WithCancel(t.Context())
		go func() {
			served <- ctl.Serve(ctx, ari.Handler{Call: func(context.Context, *ari.Call) {},
				Adopt: func(ctx context.Context, c *ari.Call) { <-ctx.Done() }})
		}()
		require.NoError(t, ctl.Ready(ctx))
		after(time.Second)
		synctest.Wait()
		assert.Equal(t, []string{"c1"}, a.Channels())
		assert.Equal(t, map[string][]string{"callward~c1~talk.bridge~old-9": nil, "somebody-elses": nil}, a.Bridges())
		stop()
		require.NoError(t, <-served)
	})
}

func TestServeEndsOnWhatCannotBeMended(t *testing.T) {
	tests := map[string]struct {
		prepare func(*aritest.Asterisk, *ari.Config)
		want    error
		mend    string
	}{
		"too old":        {func(a *aritest.Asterisk, _ *ari.Config) { a.Version("22.9.0") }, ari.ErrOldAsterisk, "upgrade Asterisk"},
		"too old major":  {func(a *aritest.Asterisk, _ *ari.Config) { a.Version("20.14.1") }, ari.ErrOldAsterisk, "upgrade Asterisk"},
		"not a release":  {func(a *aritest.Asterisk, _ *ari.Config) { a.Version("GIT-master-1a2b") }, ari.ErrOldAsterisk, "install a release"},
		"wrong password": {func(_ *aritest.Asterisk, c *ari.Config) { c.Password = "wrong" }, ari.ErrUnauthorized, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := aritest.New()
				defer a.Close()
				cfg := a.Config()
				tt.prepare(a, &cfg)
				ctl, err := ari.New(cfg)
				require.NoError(t, err)
				err = ctl.Serve(t.Context(), ari.Handler{Call: func(context.Context, *ari.Call) {}})
				assert.ErrorIs(t, err, tt.want)
				assert.ErrorContains(t, err, tt.mend)
				assert.Error(t, ctl.Ready(t.Context()))
			})
		})
	}
}

func TestReplacedApplicationEndsServe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := aritest.New()
		defer a.Close()
		var cause error
		first, err := ari.New(a.Config())
		require.NoError(t, err)
		served := make(chan error, 1)
		go func() {
			served <- first.Serve(t.Context(), ari.Handler{Call: func(ctx context.Context, c *ari.Call) {
				<-ctx.Done()
				cause = context.Cause(ctx)
			}})
		}()
		require.NoError(t, first.Ready(t.Context()))
		a.Incoming("c1")
		synctest.Wait()
		ctx, stop := context.WithCancel(t.Context())
		second, err := ari.New(a.Config())
		require.NoError(t, err)
		again := make(chan error, 1)
		go func() { again <- second.Serve(ctx, ari.Handler{Call: func(context.Context, *ari.Call) {}}) }()
		err = <-served
		assert.ErrorIs(t, err, ari.ErrReplaced)
		assert.ErrorContains(t, err, "another application name")
		assert.ErrorIs(t, cause, ari.ErrReplaced)
		stop()
		require.NoError(t, <-again)
		assert.Equal(t, []string{"c1"}, a.Channels(), "the other has the call now")
	})
}

func TestCallThatArrivesWhileStoppingStartsCancelled(t *testing.T) {
	var first chan struct{}
	var cause error
	play(t, func(ctx context.Context, c *ari.Call) {
		if c.ID() == "c1" {
			<-first
			return
		}
		cause = context.Cause(ctx)
		assert.NoError(t, c.Continue(context.WithoutCancel(ctx), "away", "s", 1))
	}, func(s *scene) {
		first = make(chan struct{})
		s.Incoming("c1")
		synctest.Wait()
		go func() {
			s.after(time.Second)
			s.Incoming("c2")
			synctest.Wait()
			assert.ErrorIs(t, cause, ari.ErrStopping)
			_, sent := s.Continued("c2")
			assert.True(t, sent)
			close(first)
		}()
	})
}
