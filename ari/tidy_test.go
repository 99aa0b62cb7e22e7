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

// A killed run left a conversation and a phone that rings: the first is
// adopted, the second ends, and other calls are left alone.
func TestTidy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := aritest.New()
		defer a.Close()
		raw, err := ari.NewClient(a.Config())
		require.NoError(t, err)
		defer raw.Close()
		cfg := a.Config()
		cfg.Instance = "old"
		crash, err := ari.New(cfg)
		require.NoError(t, err)
		ctx, stop := context.WithCancel(t.Context())
		served := make(chan error, 1)
		go func() {
			served <- crash.Serve(ctx, ari.Handler{Call: func(ctx context.Context, c *ari.Call) { <-ctx.Done() }})
		}()
		require.NoError(t, crash.Ready(ctx))
		a.Incoming("c1")
		a.Incoming("c2")
		synctest.Wait()
		stop()
		require.NoError(t, <-served)
		for _, id := range []string{"callward~c1~agent.leg~old-7", "callward~c1~agent.leg~old-8", "callward~c2~agent.leg~old-9"} {
			_, err := raw.Channels.ExternalMedia(t.Context(), ari.ChannelsExternalMedia{ChannelID: id, App: aritest.App, Format: "ulaw"})
			require.NoError(t, err)
		}
		for _, id := range []string{"callward~c1~talk1.bridge~old-1", "callward~c1~talk2.bridge~old-2"} {
			_, err = raw.Bridges.CreateWithID(t.Context(), ari.BridgesCreateWithID{BridgeID: id})
			require.NoError(t, err)
		}
		cfg = a.Config()
		cfg.Instance = "new"
		ctl, err := ari.New(cfg)
		require.NoError(t, err)
		ctx, stop = context.WithCancel(t.Context())
		go func() {
			served <- ctl.Serve(ctx, ari.Handler{Call: func(context.Context, *ari.Call) {},
				Adopt: func(ctx context.Context, c *ari.Call) {
					if c.ID() == "c1" {
						_, err := c.AdoptLeg(ctx, "callward~c1~agent.leg~old-7", "agent")
						assert.NoError(t, err)
						_, err = c.AdoptBridge(ctx, "callward~c1~talk1.bridge~old-1")
						assert.NoError(t, err)
						assert.NoError(t, c.Tidy(ctx))
					}
					<-ctx.Done()
				}})
		}()
		require.NoError(t, ctl.Ready(ctx))
		after(time.Second)
		synctest.Wait()
		assert.ElementsMatch(t, []string{"c1", "c2", "callward~c1~agent.leg~old-7", "callward~c2~agent.leg~old-9"}, a.Channels())
		assert.Equal(t, map[string][]string{"callward~c1~talk1.bridge~old-1": nil}, a.Bridges())
		stop()
		require.NoError(t, <-served)
	})
}
