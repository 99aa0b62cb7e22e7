package ari_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/callward/callward/ari"
)

type heard struct {
	frames int
	first  byte
	odd    int // frames that were not 20 ms after the one before
	last   time.Time
}

func (h *heard) sink(ulaw []byte, at time.Time) {
	h.frames++
	h.first = ulaw[0]
	if !h.last.IsZero() && at.Sub(h.last) != 20*time.Millisecond {
		h.odd++
	}
	h.last = at
}

func TestStreamBothDirections(t *testing.T) {
	var in, out heard
	var ended chan struct{}
	play(t, func(ctx context.Context, c *ari.Call) {
		defer close(ended)
		a, err := c.Stream(ctx, ari.StreamOptions{Direction: ari.SpyIn, Role: "rec-in", Batch: 200 * time.Millisecond}, in.sink)
		require.NoError(t, err)
		b, err := c.Stream(ctx, ari.StreamOptions{Direction: ari.SpyOut, Role: "rec-out"}, out.sink)
		require.NoError(t, err)
		after(2 * time.Second)
		require.NoError(t, a.Stop(ctx))
		frames := in.frames
		after(time.Second)
		assert.Equal(t, frames, in.frames, "no frame after Stop")
		require.NoError(t, b.Stop(ctx))
		require.NoError(t, b.Stop(ctx))
		assert.EqualValues(t, out.frames, b.Stats().Frames)
		_, err = c.Stream(ctx, ari.StreamOptions{Role: "x"}, in.sink)
		assert.Error(t, err, "a stream needs a direction")
	}, func(s *scene) {
		ended = make(chan struct{})
		s.Audio(func(ch string, dir ari.Direction, frame []byte) {
			assert.Equal(t, "c1", ch)
			frame[0] = map[ari.Direction]byte{ari.SpyIn: 1, ari.SpyOut: 2}[dir]
		})
		s.Incoming("c1")
		<-ended
		assert.Equal(t, byte(1), in.first)
		assert.Equal(t, byte(2), out.first)
		assert.InDelta(t, 100, in.frames, 2)
		assert.InDelta(t, 150, out.frames, 2)
		assert.Zero(t, in.odd+out.odd)
		synctest.Wait()
		assert.Empty(t, s.Bridges())
		assert.Empty(t, s.Channels())
	})
}

func TestStreamLoss(t *testing.T) {
	tests := map[string]struct {
		fault func(*scene)
		want  error // nil: nothing is told
	}{
		"stalls":           {func(s *scene) { s.Stall("c1") }, ari.ErrStalled},
		"socket closes":    {func(s *scene) { s.CutMedia("c1") }, errors.ErrUnsupported},
		"patient hangs up": {func(s *scene) { s.HangUp("c1", ari.CauseNormal) }, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var lost error
			var ended chan struct{}
			play(t, func(ctx context.Context, c *ari.Call) {
				defer close(ended)
				st, err := c.Stream(ctx, ari.StreamOptions{Direction: ari.SpyIn, Role: "rec"}, func([]byte, time.Time) {})
				require.NoError(t, err)
				<-st.Done()
				select {
				case lost = <-st.Lost():
				case <-time.After(2 * time.Second):
				}
			}, func(s *scene) {
				ended = make(chan struct{})
				s.Incoming("c1")
				s.after(time.Second)
				tt.fault(s)
				<-ended
				switch {
				case tt.want == nil:
					assert.NoError(t, lost)
				case tt.want == ari.ErrStalled:
					assert.ErrorIs(t, lost, tt.want)
				default:
					assert.Error(t, lost)
				}
				s.after(time.Second)
				assert.Empty(t, s.Channels())
				assert.Empty(t, s.Bridges())
			})
		})
	}
}

func TestStreamThatCannotStartLeavesNothing(t *testing.T) {
	for _, op := range []string{"channels.snoopChannelWithId", "channels.externalMedia", "bridges.createWithId", "bridges.addChannel"} {
		for _, how := range []string{"refused", "lied"} {
			t.Run(op+" "+how, func(t *testing.T) {
				var err error
				var ended chan struct{}
				play(t, func(ctx context.Context, c *ari.Call) {
					_, err = c.Stream(ctx, ari.StreamOptions{Direction: ari.SpyIn, Role: "rec"}, func([]byte, time.Time) {})
					close(ended)
					<-ctx.Done()
				}, func(s *scene) {
					ended = make(chan struct{})
					if how == "lied" {
						s.Lie(op, true)
					} else {
						s.Refuse(op, 500)
					}
					s.Incoming("c1")
					<-ended
					var e *ari.Error
					require.ErrorAs(t, err, &e)
					s.after(2 * time.Second)
					assert.Equal(t, []string{"c1"}, s.Channels())
					assert.Empty(t, s.Bridges())
					s.HangUp("c1", ari.CauseNormal)
				})
			})
		}
	}
}

func TestSnoopWhispers(t *testing.T) {
	var ended chan struct{}
	play(t, func(ctx context.Context, c *ari.Call) {
		defer close(ended)
		sn, err := c.Snoop(ctx, ari.Snoop{Role: "whisper", Whisper: ari.SpyOut})
		require.NoError(t, err)
		require.NoError(t, sn.Say(ctx, "sound:psst"))
		require.NoError(t, sn.Hangup(ctx, ari.CauseNormal))
		assert.ErrorIs(t, sn.Err(), ari.ErrGone)
		require.NoError(t, ctx.Err())
	}, func(s *scene) {
		ended = make(chan struct{})
		s.Incoming("c1")
		<-ended
	})
}

func TestStreamFollowsTheLegOutOfTheApplication(t *testing.T) {
	var got heard
	var lost error
	var ended chan struct{}
	play(t, func(ctx context.Context, c *ari.Call) {
		defer close(ended)
		st, err := c.Stream(ctx, ari.StreamOptions{Direction: ari.SpyIn, Role: "rec"}, got.sink)
		require.NoError(t, err)
		require.NoError(t, c.Continue(ctx, "queue", "s", 1))
		<-c.Gone()
		<-st.Done()
		select {
		case lost = <-st.Lost():
		case <-time.After(time.Second):
		}
	}, func(s *scene) {
		ended = make(chan struct{})
		s.Incoming("c1")
		s.after(5 * time.Second)
		s.HangUp("c1", ari.CauseNormal)
		<-ended
		assert.InDelta(t, 250, got.frames, 5)
		assert.NoError(t, lost, "a hang-up is no loss")
	})
}
