package ari_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/callward/callward/ari"
	"github.com/callward/callward/ari/aritest"
)

// TestHangUpAtEveryInstant runs one call that uses every verb and hangs up a
// little later each time. Whatever the instant: every verb returns, the cause
// is the hang-up, nothing is left behind.
func TestHangUpAtEveryInstant(t *testing.T) {
	const step, length = 70 * time.Millisecond, 14 * time.Second
	reached := map[string]bool{}
	for at := time.Duration(0); at < length; at += step {
		t.Run(fmt.Sprint(at), func(t *testing.T) {
			var cause, last error
			var where string
			var ended chan struct{}
			play(t, func(ctx context.Context, c *ari.Call) {
				defer close(ended)
				where, last = wholeCall(ctx, c)
				<-ctx.Done()
				cause = context.Cause(ctx)
			}, func(s *scene) {
				ended = make(chan struct{})
				s.OnOriginate(func(aritest.Originated) aritest.Outcome { return aritest.Answered(2 * time.Second) })
				s.OnPlay(func(id, media string) {
					if media == "sound:ask" {
						s.Press(id, "1")
					}
				})
				s.Incoming("c1")
				s.after(at)
				s.HangUp("c1", ari.CauseNormal)
				<-ended
				var hung *ari.HungUp
				assert.ErrorAs(t, cause, &hung)
				if last != nil {
					assert.True(t, errors.As(last, &hung), "%s: %v", where, last)
				}
				s.after(3 * time.Second)
				assert.Empty(t, s.Channels())
				assert.Empty(t, s.Bridges())
			})
			reached[where] = true
		})
	}
	for _, where := range []string{"say", "ask", "stream", "originate", "play", "end"} {
		assert.True(t, reached[where], "no instant fell into %s", where)
	}
}

func wholeCall(ctx context.Context, c *ari.Call) (where string, err error) {
	if err := c.Answer(ctx); err != nil {
		return "answer", err
	}
	if err := c.Say(ctx, "sound:a", "sound:b"); err != nil {
		return "say", err
	}
	if _, err := c.Ask(ctx, ari.Ask{Media: []string{"sound:ask"}, MaxDigits: 2, InterDigit: time.Second}); err != nil {
		return "ask", err
	}
	st, err := c.Stream(ctx, ari.StreamOptions{Direction: ari.SpyIn, Role: "rec"}, func([]byte, time.Time) {})
	if err != nil {
		return "stream", err
	}
	if err := c.Hold(ctx, ""); err != nil {
		return "hold", err
	}
	agent, err := c.Originate(ctx, ari.Originate{Role: "agent", Endpoint: "PJSIP/a"})
	if err != nil {
		return "originate", err
	}
	if err := c.Unhold(ctx); err != nil {
		return "unhold", err
	}
	b, err := c.Bridge(ctx, "talk")
	if err != nil {
		return "bridge", err
	}
	if err := b.Add(ctx, c.Leg, agent); err != nil {
		return "add", err
	}
	if err := b.Play(ctx, "sound:announce"); err != nil {
		return "play", err
	}
	if err := st.Stop(ctx); err != nil {
		return "stop", err
	}
	if err := b.Remove(ctx, agent); err != nil {
		return "remove", err
	}
	if err := c.Say(ctx, "sound:bye"); err != nil {
		return "say", err
	}
	return "end", nil
}
