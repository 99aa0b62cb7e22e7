package bench

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callward/callward/internal/lab/scene"
	"github.com/callward/callward/internal/lab/softphone"
)

// greeting is an extension that plays the same file as callward does first, by
// the dialplan alone.
const greeting = "bench-greeting"

func addGreeting(ctx context.Context, b *testing.B, s *scene.Scene) {
	b.Helper()
	media, err := s.Prompts.Media(ctx, "en", "greeting", nil)
	require.NoError(b, err)
	for i, app := range []string{"Answer()", "Playback(" + strings.TrimPrefix(media, "sound:") + ")", "Hangup()"} {
		_, err := s.Asterisk.CLI(ctx, fmt.Sprintf("dialplan add extension %s,%d,%s into from-patient", greeting, i+1, app))
		require.NoError(b, err)
	}
}

// BenchmarkPickup is the time from the INVITE to the first sound, as the phone
// hears it, of callward and of the dialplan by turns: the same prompt, the same
// phone. The phone's INVITE is challenged and sent again, on both.
func BenchmarkPickup(b *testing.B) {
	ctx := b.Context()
	s := open(ctx, b, 1)
	addGreeting(ctx, b, s)
	c := phones(ctx, b, s)
	for range *rounds {
		b.Run("paired", func(b *testing.B) { c.paired(ctx, b) })
	}
}

func (c *cast) paired(ctx context.Context, b *testing.B) {
	ways := [2]string{greeting, "clinic"}
	var took [2][]float64
	for i := range *pairs {
		for j := range ways {
			k := (i + j) % 2 // who goes first changes
			d, err := firstSound(ctx, c.patient, ways[k])
			require.NoError(b, err)
			took[k] = append(took[k], ms(d))
		}
	}
	dialplan, callward := median(took[0]), median(took[1])
	result(b, map[string]float64{
		"dialplan-p50-ms": dialplan, "callward-p50-ms": callward, "more-p50-ms": callward - dialplan,
		"dialplan-p99-ms": quantile(took[0], 0.99), "callward-p99-ms": quantile(took[1], 0.99),
	})
}

// firstSound calls, waits for the first sample that is not silence, and hangs
// up.
func firstSound(ctx context.Context, p *softphone.Phone, extension string) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	began := time.Now()
	call, err := p.Dial(ctx, extension)
	if err != nil {
		return 0, err
	}
	at, err := sounds(ctx, call)
	if err != nil {
		return 0, err
	}
	return call.TimeAt(at).Sub(began), call.Hangup(ctx)
}

// sounds waits for the first sample that is not silence.
func sounds(ctx context.Context, call *softphone.Call) (int, error) {
	for seen := 0; ; {
		if err := call.Wait(ctx, seen+1); err != nil {
			return 0, err
		}
		heard := call.HeardSince(seen)
		if i := slices.IndexFunc(heard, func(v int16) bool { return v > 64 || v < -64 }); i >= 0 {
			return seen + i, nil
		}
		seen += len(heard)
	}
}

// BenchmarkRate sends calls at a steady rate, whether the ones before were
// answered or not. Each hears the first sound and hangs up. It reports the CPU
// of set-up and tear-down, callward's and the dialplan's for the same; then,
// with somebody watching, the time from StasisStart to PlaybackStarted.
func BenchmarkRate(b *testing.B) {
	ctx := b.Context()
	s := open(ctx, b, 1)
	addGreeting(ctx, b, s)
	c := phones(ctx, b, s)
	settled := func(mark, n int) {
		for from := mark; n > 0; n-- {
			ev, err := s.Events.Step(ctx, from, "call.ended")
			require.NoError(b, err)
			from = after(s, from, ev)
		}
	}
	for range *rounds {
		b.Run("callward", func(b *testing.B) {
			mark := s.Events.Mark()
			n, used := c.stream(ctx, b, "clinic", func(n int) { settled(mark, n) })
			result(b, map[string]float64{
				"callward-ms/call": ms(used.callward) / float64(n), "asterisk-ms/call": ms(used.asterisk) / float64(n), "calls/s": float64(*rate),
			})
		})
		b.Run("dialplan", func(b *testing.B) {
			n, used := c.stream(ctx, b, greeting, func(int) {})
			result(b, map[string]float64{"asterisk-ms/call": ms(used.asterisk) / float64(n), "calls/s": float64(*rate)})
		})
	}
	for range *rounds {
		b.Run("watched", func(b *testing.B) {
			w, mark := watch(ctx, b, s), s.Events.Mark()
			n, _ := c.stream(ctx, b, "clinic", func(n int) { settled(mark, n) })
			waits := w.waits()
			require.Len(b, waits, n)
			result(b, map[string]float64{
				"start-to-playback-p50-ms": median(waits), "start-to-playback-p99-ms": quantile(waits, 0.99),
				"start-to-playback-max-ms": slices.Max(waits), "calls/s": float64(*rate),
			})
		})
	}
}

// after is the mark behind an event.
func after(s *scene.Scene, from int, ev scene.Event) int {
	for i, e := range s.Events.Since(from) {
		if e.Raw == ev.Raw {
			return from + i + 1
		}
	}
	return from
}

// stream sends calls for a spell and returns how many there were and the CPU
// they took until settled.
func (c *cast) stream(ctx context.Context, b *testing.B, extension string, settled func(n int)) (int, spent) {
	b.Helper()
	before := spending(b, c.s)
	n := int(spell.Seconds() * float64(*rate))
	errs := make([]error, n)
	tick := time.NewTicker(time.Second / time.Duration(*rate))
	defer tick.Stop()
	var group sync.WaitGroup
	for i := range n {
		<-tick.C
		group.Go(func() { _, errs[i] = firstSound(ctx, c.patient, extension) })
	}
	group.Wait()
	for _, err := range errs {
		require.NoError(b, err)
	}
	settled(n)
	return n, spending(b, c.s).since(before)
}
