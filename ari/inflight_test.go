package ari_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/callward/callward/ari"
)

// The cause of a call that hung up is ErrGone, but of the patient's leg: asked
// with its ended context, another leg or bridge is not taken for gone.
func TestPatientsEndIsNotAnothers(t *testing.T) {
	play(t, func(ctx context.Context, c *ari.Call) {
		agent, err := c.Originate(ctx, ari.Originate{Role: "agent", Endpoint: "PJSIP/a"})
		require.NoError(t, err)
		b, err := c.NewBridge(ctx, "talk")
		require.NoError(t, err)
		<-ctx.Done()
		assert.Error(t, agent.Hangup(ctx, ari.CauseNormal))
		assert.NoError(t, agent.Err())
		assert.Error(t, b.Destroy(ctx))
		clean := context.WithoutCancel(ctx)
		assert.NoError(t, agent.Hangup(clean, ari.CauseNormal))
		assert.NoError(t, b.Destroy(clean))
	}, func(s *scene) {
		s.Incoming("c1")
		s.after(5e9)
		s.HangUp("c1", ari.CauseNormal)
		s.after(1e9)
		assert.Empty(t, s.Channels())
		assert.Empty(t, s.Bridges())
	})
}

// A bridge whose making the hang-up cut off is not left behind.
func TestBridgeInFlight(t *testing.T) {
	play(t, func(ctx context.Context, c *ari.Call) {
		_, err := c.NewBridge(ctx, "talk")
		assert.ErrorIs(t, err, ari.ErrGone)
	}, func(s *scene) {
		s.OnRequest(func(op string) {
			if op == "bridges.createWithId" {
				s.HangUp("c1", ari.CauseNormal)
				synctest.Wait()
			}
		})
		s.Incoming("c1")
		s.after(3e9)
		assert.Empty(t, s.Bridges())
	})
}
