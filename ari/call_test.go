package ari_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/callward/callward/ari"
	"github.com/callward/callward/ari/aritest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// scene is a scripted Asterisk with a controller connected to it.
type scene struct {
	*aritest.Asterisk
	ctx    context.Context // of the bubble
	ctl    *ari.Controller
	states []ari.State
}

// play runs script in a bubble, with call as the handler of every call.
func play(t *testing.T, call func(context.Context, *ari.Call), script func(*scene), change ...func(*ari.Config, *ari.Handler)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		a := aritest.New()
		defer a.Close()
		s := &scene{Asterisk: a}
		cfg := a.Config()
		cfg.OnState = func(st ari.State) { s.states = append(s.states, st) }
		h := ari.Handler{Call: call}
		for _, fn := range change {
			fn(&cfg, &h)
		}
		ctl, err := ari.New(cfg)
		require.NoError(t, err)
		ctx, stop := context.WithCancel(t.Context())
		s.ctl, s.ctx = ctl, ctx
		served := make(chan error, 1)
		go func() { served <- ctl.Serve(ctx, h) }()
		require.NoError(t, ctl.Ready(ctx))
		script(s)
		stop()
		require.NoError(t, <-served)
	})
}

// after lets d pass and everything settle.
func (s *scene) after(d time.Duration) {
	after(d)
	synctest.Wait()
}

// back waits until the controller has noticed what the script did to the
// connection and has it again.
func (s *scene) back(t *testing.T) {
	t.Helper()
	synctest.Wait()
	require.NoError(t, s.ctl.Ready(s.ctx))
	synctest.Wait()
}

func TestAnswerSayHangup(t *testing.T) {
	var got []error
	play(t, func(ctx context.Context, c *ari.Call) {
		assert.Equal(t, []string{"in", "en"}, c.Args())
		got = append(got, c.Answer(ctx), c.Say(ctx, "sound:hello", "sound:menu"), c.Hangup(ctx, ari.CauseRejected))
		var hung *ari.HungUp
		if assert.ErrorAs(t, context.Cause(ctx), &hung) {
			assert.Equal(t, 21, hung.Cause)
		}
		assert.ErrorIs(t, c.Say(ctx, "sound:late"), ari.ErrGone)
	}, func(s *scene) {
		began := time.Now()
		require.True(t, s.Incoming("c1", "in", "en"))
		s.after(10 * time.Second)
		assert.Equal(t, []error{nil, nil, nil}, got)
		assert.Equal(t, []string{"sound:hello", "sound:menu"}, s.Played("c1"))
		assert.Empty(t, s.Channels())
		assert.Equal(t, 10*time.Second, time.Since(began))
	})
}

func TestHangUpCancelsWithCause(t *testing.T) {
	var said, cause error
	play(t, func(ctx context.Context, c *ari.Call) {
		require.NoError(t, c.Answer(ctx))
		said = c.Say(ctx, "sound:long")
		cause = context.Cause(ctx)
	}, func(s *scene) {
		s.PlayTime(func(string) time.Duration { return time.Hour })
		s.OnPlay(func(ch, _ string) { s.HangUp(ch, ari.CauseNormal) })
		s.Incoming("c1")
		synctest.Wait()
		var hung *ari.HungUp
		require.ErrorAs(t, said, &hung)
		assert.Equal(t, 16, hung.Cause)
		assert.Equal(t, said, cause)
		assert.True(t, errors.Is(cause, ari.ErrGone))
	})
}
