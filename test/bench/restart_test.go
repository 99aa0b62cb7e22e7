package bench

import (
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	stop = syscall.SIGTERM
	kill = syscall.SIGKILL
)

// BenchmarkKill kills callward with signal 9 in the midst of recorded calls and
// starts it again at once: from the start to ready and to the last call
// adopted, what the killed recordings lack at their end, and how much of the
// sound the patients heard from the kill to the adoption.
func BenchmarkKill(b *testing.B) {
	ctx := b.Context()
	s := open(ctx, b, *calls)
	c := phones(ctx, b, s)
	for range *rounds {
		b.Run("kill", func(b *testing.B) {
			list := c.all(ctx, b, *calls, "1", "call.connected")
			pass(ctx, b, 5*time.Second)
			var before []int
			for _, l := range list {
				before = append(before, l.Stats().Received)
			}
			killed := time.Now()
			require.NoError(b, s.Signal(kill))
			mark := s.Events.Mark()
			started := time.Now()
			require.NoError(b, s.Serve(ctx))
			ready := time.Since(started)
			var adopted, recorded time.Duration
			for _, l := range list {
				ev, err := l.step(ctx, mark, "call.adopted")
				require.NoError(b, err)
				adopted = max(adopted, ev.Time.Sub(started))
			}
			for _, l := range list {
				ev, err := l.step(ctx, mark, "recording.started")
				require.NoError(b, err)
				recorded = max(recorded, ev.Time.Sub(started))
			}
			var heard, due float64
			for i, l := range list {
				heard += float64(l.Stats().Received - before[i])
				due += time.Since(killed).Seconds() * 50
			}
			var lost []float64
			for _, r := range recordings(ctx, b, s, "broken", list) {
				lost = append(lost, killed.Sub(r.StoppedAt).Seconds())
			}
			result(b, map[string]float64{
				"ready-ms": ms(ready), "adopted-ms": ms(adopted), "recording-again-ms": ms(recorded),
				"lost-p50-s": median(lost), "lost-max-s": quantile(lost, 1), "%-of-sound-heard": 100 * heard / due,
			})
			end(ctx, b, list)
		})
	}
}
