package bench

import (
	"context"
	"io"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callward/callward/internal/lab/scene"
	"github.com/callward/callward/internal/recording"
)

// alone is how long nobody controls the calls, and how long the sound is
// measured before.
const alone = 2 * time.Second

// BenchmarkKill kills callward with signal 9 in the midst of recorded calls,
// leaves the calls alone for a while, and starts it again. It reports how much
// sound the patients heard meanwhile, against just before; from the start to
// ready, to the last call adopted and to the last recorded again; and what the
// killed recordings lack at their end.
func BenchmarkKill(b *testing.B) {
	ctx := b.Context()
	s := open(ctx, b, *calls)
	c := phones(ctx, b, s)
	for i := range *rounds {
		b.Run("kill", func(b *testing.B) {
			list := c.all(ctx, b, *calls, "1", "call.connected")
			// A chunk of a recording is 4.1 s long: it is hit at another place each time.
			pass(ctx, b, 3*time.Second+time.Duration(i)*1300*time.Millisecond)
			before := heard(ctx, b, list)
			killed := time.Now()
			require.NoError(b, s.Signal(syscall.SIGKILL))
			share := heard(ctx, b, list) / before

			mark := s.Events.Mark()
			started := time.Now()
			require.NoError(b, s.Serve(ctx))
			ready := time.Since(started)
			adopted := reached(ctx, b, list, mark, "call.adopted").Sub(started)
			again := reached(ctx, b, list, mark, "recording.started").Sub(started)
			lost := lacking(ctx, b, s, list, killed)
			result(b, map[string]float64{
				"ready-ms": ms(ready), "adopted-ms": ms(adopted), "recording-again-ms": ms(again),
				"lost-p50-s": median(lost), "lost-max-s": slices.Max(lost), "%-of-sound-heard": 100 * share,
			})
			end(ctx, b, list)
		})
	}
}

// heard is how many frames of sound a second the phones get, for a while.
func heard(ctx context.Context, b *testing.B, list []*caller) float64 {
	b.Helper()
	frames := func() (n int) {
		for _, c := range list {
			n += c.Stats().Received
		}
		return n
	}
	began, before := time.Now(), frames()
	pass(ctx, b, alone)
	return float64(frames()-before) / time.Since(began).Seconds()
}

// reached is when the last of the calls came to a step after mark.
func reached(ctx context.Context, b *testing.B, list []*caller, mark int, step string) (last time.Time) {
	b.Helper()
	for _, c := range list {
		ev, err := c.step(ctx, mark, step)
		require.NoError(b, err)
		if ev.Time.After(last) {
			last = ev.Time
		}
	}
	return last
}

// lacking is how many seconds before it was killed each recording ends.
func lacking(ctx context.Context, b *testing.B, s *scene.Scene, list []*caller, killed time.Time) (lost []float64) {
	b.Helper()
	ids, err := recording.ReadIdentities(s.Identity)
	require.NoError(b, err)
	for _, r := range recordings(ctx, b, s, "broken", list) {
		info, err := recording.Open(r.Path, ids, io.Discard)
		require.ErrorIs(b, err, recording.ErrTruncated)
		lost = append(lost, killed.Sub(info.StartedAt.Add(info.Duration)).Seconds())
	}
	return lost
}
