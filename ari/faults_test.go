package ari_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/callward/callward/ari"
	"github.com/callward/callward/ari/aritest"
)

// Known fault of other clients: a connect to something that accepts and never
// answers blocks for ever.
func TestConnectThatIsNeverAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := aritest.New()
		defer a.Close()
		conns := make(chan net.Conn, 100)
		cfg := a.Config()
		real := cfg.Dial
		var talks atomic.Bool
		cfg.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			if talks.Load() {
				return real(ctx, network, addr)
			}
			near, far := net.Pipe()
			conns <- far
			return near, nil
		}
		var states []ari.State
		cfg.OnState = func(s ari.State) { states = append(states, s) }
		ctl, err := ari.New(cfg)
		require.NoError(t, err)
		ctx, stop := context.WithCancel(t.Context())
		served := make(chan error, 1)
		go func() { served <- ctl.Serve(ctx, ari.Handler{Call: func(context.Context, *ari.Call) {}}) }()
		after(20 * time.Second)
		synctest.Wait()
		require.GreaterOrEqual(t, len(conns), 3, "it tries again")
		tried := states[len(states)-1]
		assert.NotEqual(t, ari.Connected, tried.Phase)
		assert.GreaterOrEqual(t, tried.Attempt, 3)
		ready, cancel := context.WithTimeout(ctx, time.Second)
		assert.ErrorIs(t, ctl.Ready(ready), context.DeadlineExceeded)
		cancel()
		talks.Store(true)
		require.NoError(t, ctl.Ready(ctx))
		stop()
		require.NoError(t, <-served)
		close(conns)
		for c := range conns {
			_ = c.Close()
		}
	})
}

// Known fault: events past a buffer's size are dropped and nobody is told.
func TestFullMailboxEndsTheCall(t *testing.T) {
	var cause error
	var otherOK bool
	play(t, func(ctx context.Context, c *ari.Call) {
		if c.ID() == "c2" {
			_, err := c.Ask(ctx, ari.Ask{MaxDigits: 1, FirstDigit: time.Minute})
			otherOK = err == nil
			return
		}
		block := make(chan struct{})
		c.WatchKeys(func(byte, time.Time) { <-block }) // breaks its promise to return soon
		<-ctx.Done()
		cause = context.Cause(ctx)
		close(block)
	}, func(s *scene) {
		s.Incoming("c1")
		s.Incoming("c2")
		synctest.Wait()
		s.Press("c1", strings.Repeat("1", 30))
		synctest.Wait()
		assert.ErrorIs(t, cause, ari.ErrOverflow)
		s.Press("c2", "1")
		synctest.Wait()
		assert.True(t, otherOK, "other calls go on")
		assert.Empty(t, s.Channels())
	}, func(c *ari.Config, _ *ari.Handler) { c.MailboxLimit = 20 })
}

// Known fault: one call's events reach another, through an id that is empty or
// a prefix of another's.
func TestNoCrossTalk(t *testing.T) {
	const calls = 20
	got := make([]string, calls)
	causes := make([]int, calls)
	play(t, func(ctx context.Context, c *ari.Call) {
		var i int
		_, err := fmt.Sscanf(c.ID(), "c%d", &i)
		assert.NoError(t, err)
		a, err := c.Ask(ctx, ari.Ask{Media: []string{"sound:q"}, MaxDigits: 4, FirstDigit: time.Minute, InterDigit: time.Minute})
		assert.NoError(t, err)
		got[i] = a.Digits.Reveal()
		<-ctx.Done()
		if h, ok := context.Cause(ctx).(*ari.HungUp); ok {
			causes[i] = h.Cause
		}
	}, func(s *scene) {
		for i := range calls {
			s.Incoming(fmt.Sprintf("c%d", i))
		}
		synctest.Wait()
		for d := range 4 {
			for i := range calls {
				s.Press(fmt.Sprintf("c%d", i), string(fmt.Sprintf("%04d", i)[d]))
			}
		}
		s.Emit(`{"type":"ChannelDtmfReceived","digit":"9","channel":{"id":""}}`)
		s.Emit(`{"type":"ChannelDestroyed","cause":1,"channel":{"id":""}}`)
		s.Emit(`{"type":"StasisStart","channel":{"id":""},"args":[]}`)
		s.after(time.Second)
		for i := range calls {
			s.HangUp(fmt.Sprintf("c%d", i), ari.Cause(i+1))
		}
		s.after(time.Second)
		for i := range calls {
			assert.Equal(t, fmt.Sprintf("%04d", i), got[i])
			assert.Equal(t, i+1, causes[i])
		}
	})
}

// Known fault: "not found" is read as end of file, and so as success.
func TestNotFoundIsGone(t *testing.T) {
	play(t, nil, func(s *scene) {
		_, err := s.ctl.Client().Channels.Get(s.ctx, ari.ChannelsGet{ChannelID: "nobody"})
		var e *ari.Error
		require.ErrorAs(t, err, &e)
		assert.Equal(t, "channels.get", e.Op)
		assert.Equal(t, 404, e.Status)
		assert.ErrorIs(t, err, ari.ErrGone)
	}, func(_ *ari.Config, h *ari.Handler) { h.Call = func(context.Context, *ari.Call) {} })
}

// Known fault: the client says "connected" long after the network went.
func TestSilentSocketIsFoundByPing(t *testing.T) {
	play(t, func(context.Context, *ari.Call) {}, func(s *scene) {
		s.Freeze()
		s.after(10*time.Second + time.Millisecond)
		synctest.Wait()
		assert.NotEqual(t, ari.Connected, s.ctl.State().Phase)
		require.NotEmpty(t, s.states)
		s.Thaw()
		s.back(t)
	})
}

func TestLiesAndDelays(t *testing.T) {
	tests := map[string]struct {
		op   string
		do   func(context.Context, *ari.Call) error
		took time.Duration
	}{
		"answer":   {"channels.answer", func(ctx context.Context, c *ari.Call) error { return c.Answer(ctx) }, 5 * time.Second},
		"say":      {"channels.playWithId", func(ctx context.Context, c *ari.Call) error { return c.Say(ctx, "sound:x") }, 5 * time.Second},
		"continue": {"channels.continueInDialplan", func(ctx context.Context, c *ari.Call) error { return c.Continue(ctx, "a", "b", 1) }, 5 * time.Second},
		"hangup":   {"channels.hangup", func(ctx context.Context, c *ari.Call) error { return c.Hangup(ctx, ari.CauseNormal) }, 5 * time.Second},
		"bridge": {"bridges.addChannel", func(ctx context.Context, c *ari.Call) error {
			b, err := c.Bridge(ctx, "talk")
			if err != nil {
				return err
			}
			return b.Add(ctx, c.Leg)
		}, 5 * time.Second},
	}
	for name, tt := range tests {
		for _, fault := range []string{"lie", "delay", "refuse", "mute"} {
			t.Run(name+" "+fault, func(t *testing.T) {
				var err error
				var took time.Duration
				var done chan struct{}
				play(t, func(ctx context.Context, c *ari.Call) {
					began := time.Now()
					err = tt.do(ctx, c)
					took = time.Since(began)
					close(done)
				}, func(s *scene) {
					done = make(chan struct{})
					var want error
					switch fault {
					case "lie":
						s.Lie(tt.op, true)
						want = ari.ErrNotDone
					case "delay":
						s.Delay(tt.op, time.Minute)
						want = ari.ErrNoReply
					case "refuse":
						s.Refuse(tt.op, 412)
						want = ari.ErrState
					case "mute": // it is done, but no event tells
						s.DropEvents("ChannelStateChange", "PlaybackStarted", "PlaybackFinished", "StasisEnd", "ChannelDestroyed", "ChannelEnteredBridge")
						want = ari.ErrNotDone
					}
					s.Incoming("c1")
					<-done
					assert.ErrorIs(t, err, want)
					switch {
					case fault == "refuse":
					case name == "say" && fault != "delay": // sent again meanwhile
						assert.LessOrEqual(t, took, 3*time.Second+tt.took)
					default:
						assert.Equal(t, tt.took, took)
					}
					s.Lie(tt.op, false)
					s.Delay(tt.op, 0)
					s.Refuse(tt.op, 0)
					s.KeepEvents()
				})
			})
		}
	}
}

func TestLostPlaybackFinishedIsFoundByAsking(t *testing.T) {
	var err error
	var took time.Duration
	play(t, func(ctx context.Context, c *ari.Call) {
		began := time.Now()
		err = c.Say(ctx, "sound:x")
		took = time.Since(began)
	}, func(s *scene) {
		s.DropEvents("PlaybackFinished")
		s.Incoming("c1")
		s.after(30 * time.Second)
		assert.NoError(t, err)
		assert.Equal(t, 10*time.Second, took)
	})
}

func TestUnknownAndBrokenEventsAreRouted(t *testing.T) {
	var seen []ari.Event
	var stray []ari.Event
	play(t, func(ctx context.Context, c *ari.Call) {
		c.WatchEvents(func(e ari.Event) { seen = append(seen, e) })
		<-ctx.Done()
	}, func(s *scene) {
		s.Incoming("c1")
		synctest.Wait()
		s.Emit(`{"type":"ChannelFlewAway","channel":{"id":"c1"},"height":3}`)
		s.Emit(`{"type":"ChannelFlewAway","channel":{"id":"other"}}`)
		s.Emit(`{"type":"ChannelDtmfReceived","digit":7,"channel":{"id":"c1"}}`)
		s.Emit(`{"notype":1}`)
		synctest.Wait()
		require.Len(t, seen, 2)
		assert.Equal(t, "ChannelFlewAway", seen[0].EventType())
		u, ok := seen[0].(*ari.UnknownEvent)
		require.True(t, ok)
		assert.Contains(t, string(u.Raw.Reveal()), `"height":3`)
		assert.NotContains(t, fmt.Sprint(u), "height")
		assert.Equal(t, "ChannelDtmfReceived", seen[1].EventType(), "a known type in an unknown form is not dropped")
		require.Len(t, stray, 1)
		s.HangUp("c1", ari.CauseNormal)
	}, func(c *ari.Config, _ *ari.Handler) { c.OnUnrouted = func(e ari.Event) { stray = append(stray, e) } })
}

func TestEmptyIDIsRefusedAndNotSent(t *testing.T) {
	play(t, func(context.Context, *ari.Call) {}, func(s *scene) {
		before := len(s.Requests())
		cl := s.ctl.Client()
		ctx := s.ctx
		_, err := cl.Channels.Get(ctx, ari.ChannelsGet{})
		assert.ErrorIs(t, err, ari.ErrEmptyID)
		assert.ErrorIs(t, cl.Channels.Hangup(ctx, ari.ChannelsHangup{ChannelID: ".."}), ari.ErrEmptyID)
		assert.ErrorIs(t, cl.Bridges.AddChannel(ctx, ari.BridgesAddChannel{BridgeID: "b", Channel: []string{"a", ""}}), ari.ErrEmptyID)
		assert.ErrorIs(t, cl.Bridges.AddChannel(ctx, ari.BridgesAddChannel{BridgeID: "b"}), ari.ErrEmptyID)
		assert.Error(t, cl.Bridges.AddChannel(ctx, ari.BridgesAddChannel{BridgeID: "b", Channel: []string{"a,b"}}))
		assert.Len(t, s.Requests(), before)
	})
}

// Known fault: a playback sent to a channel that is just leaving a bridge is
// taken and forgotten.
func TestForgottenPlaybackIsSentAgain(t *testing.T) {
	var said error
	var took time.Duration
	var done chan struct{}
	play(t, func(ctx context.Context, c *ari.Call) {
		began := time.Now()
		said = c.Say(ctx, "sound:goodbye")
		took = time.Since(began)
		close(done)
	}, func(s *scene) {
		done = make(chan struct{})
		sent := 0
		s.OnRequest(func(op string) {
			if op == "channels.playWithId" {
				sent++
				s.Lie(op, sent == 1)
			}
		})
		s.Incoming("c1")
		<-done
		require.NoError(t, said)
		assert.Equal(t, 2, sent)
		assert.Less(t, took, 4*time.Second)
		assert.Equal(t, []string{"sound:goodbye"}, s.Played("c1"))
	})
}
