package aritest_test

import (
	"context"
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

// TestExample is the whole use of the package: an Asterisk, a controller, a
// caller who presses a key two seconds into a prompt of a minute.
func TestExample(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := aritest.New()
		defer a.Close()
		ctl, err := ari.New(a.Config())
		require.NoError(t, err)
		ctx, stop := context.WithCancel(t.Context())
		served := make(chan error, 1)
		var key ari.Key
		go func() {
			served <- ctl.Serve(ctx, ari.Handler{Call: func(ctx context.Context, c *ari.Call) {
				key, _ = c.SayUntilKey(ctx, "sound:menu")
			}})
		}()
		require.NoError(t, ctl.Ready(ctx))
		a.PlayTime(func(string) time.Duration { return time.Minute })
		require.True(t, a.Incoming("c1", "in"))
		time.Sleep(2 * time.Second) // the bubble's time
		a.Press("c1", "5")
		synctest.Wait()
		assert.Equal(t, ari.Key('5'), key)
		assert.Equal(t, []string{"sound:menu"}, a.Played("c1"))
		stop()
		require.NoError(t, <-served)
	})
}

// What the scripted Asterisk does not know it says so, and a request it knows
// is answered as the real one answers it.
func TestRequestsOutsideAController(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := aritest.New()
		defer a.Close()
		c, err := ari.NewClient(a.Config())
		require.NoError(t, err)
		defer c.Close()
		_, err = c.Sounds.List(t.Context(), ari.SoundsList{})
		var e *ari.Error
		require.ErrorAs(t, err, &e)
		assert.Equal(t, 501, e.Status)
		assert.Contains(t, e.Message, "sounds.list")
		assert.False(t, a.Incoming("c1"), "nobody serves the application")
		assert.False(t, a.Press("c1", "1"))
		assert.ErrorIs(t, c.Channels.Answer(t.Context(), ari.ChannelsAnswer{ChannelID: "c1"}), ari.ErrGone)
		assert.Equal(t, []string{"sounds.list", "channels.answer"}, a.Requests())
	})
}
