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
	ways := [2]string{greeting, "clinic"}
	var took [2][]float64
	var more []float64
	for i := range *pairs {
		var pair [2]float64
		for j := range ways {
			k := (i + j) % 2 // who goes first changes
			d, err := firstSound(ctx, c.patient, ways[k])
			require.NoError(b, err)
			pair[k] = ms(d)
			took[k] = append(took[k], pair[k])
		}
		more = append(more, pair[1]-pair[0])
	}
	result(b, map[string]float64{
		"dialplan-p50-ms": median(took[0]), "callward-p50-ms": median(took[1]), "more-p50-ms": median(took[1]) - median(took[0]),
		"pair-p50-ms": median(more), "dialplan-p99-ms": quantile(took[0], 0.99), "callward-p99-ms": quantile(took[1], 0.99),
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
// answered or not. Each hears the first sound and hangs up. It reports
// StasisStart to PlaybackStarted as the control connection carries them, seen
// by a relay on it, and the CPU of set-up and tear-down; then the dialplan's
// CPU for the same.
func BenchmarkRate(b *testing.B) {
	ctx := b.Context()
	var relay *tap
	s := open(ctx, b, 1)
	addGreeting(ctx, b, s)
	c := phones(ctx, b, s)
	relay = newTap(b, s)
	require.NoError(b, s.Signal(stop))
	s.Options.Env = append(s.Options.Env, "CALLWARD_ASTERISK_ARI_URL="+relay.url)
	require.NoError(b, s.Serve(ctx))
	b.Run("callward", func(b *testing.B) {
		mark := s.Events.Mark()
		n, used := c.stream(ctx, b, "clinic", func(n int) {
			for from, ended := mark, 0; ended < n; ended++ {
				ev, err := s.Events.Step(ctx, from, "call.ended")
				require.NoError(b, err)
				from = after(s, from, ev)
			}
		})
		waits := relay.waits()
		require.Len(b, waits, n)
		result(b, map[string]float64{
			"start-to-playback-p50-ms": median(waits), "start-to-playback-p99-ms": quantile(waits, 0.99),
			"start-to-playback-max-ms": slices.Max(waits),
			"callward-ms/call":         ms(used.callward) / float64(n), "asterisk-ms/call": ms(used.asterisk) / float64(n),
			"calls/s": float64(*rate),
		})
	})
	b.Run("dialplan", func(b *testing.B) {
		n, used := c.stream(ctx, b, greeting, func(int) {})
		result(b, map[string]float64{"asterisk-ms/call": ms(used.asterisk) / float64(n), "calls/s": float64(*rate)})
	})
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
