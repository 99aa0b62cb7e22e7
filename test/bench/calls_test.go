package bench

import (
	"context"
	"encoding/json"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callward/callward/internal/lab/scene"
)

// BenchmarkCalls measures the CPU of calls in each state, in turns: nothing at
// all, callers on hold, the dialplan's playback, a conversation the dialplan
// connected, ours, the dialplan's with MixMonitor, ours recorded on two tracks.
// Then the patients press the key that stops the recording.
//
// All figures are for one call and one second, in ms, less what each process
// spends with no call at all. "x" figures compare with the dialplan's call of
// the same turn, Asterisk and callward together.
func BenchmarkCalls(b *testing.B) {
	ctx := b.Context()
	n := *calls
	s := open(ctx, b, n, func(o *scene.Options) {
		for i := range o.Agents {
			o.Agents[i].OffDuty = true
		}
	})
	t := &turn{ctx: ctx, s: s, cast: phones(ctx, b, s), n: n}
	for range *rounds {
		t.round(b)
	}
}

// turn measures every state once.
type turn struct {
	ctx  context.Context
	s    *scene.Scene
	cast *cast
	n    int
	idle spent // in one window without calls
	play spent // the dialplan's, of this turn
	dial spent
	tape spent
}

func (t *turn) round(b *testing.B) {
	b.Run("none", func(b *testing.B) {
		t.idle = t.measure(b)
		seconds := window.Seconds()
		result(b, map[string]float64{"asterisk-ms/s": ms(t.idle.asterisk) / seconds, "callward-ms/s": ms(t.idle.callward) / seconds})
	})
	b.Run("dialplan-playback", func(b *testing.B) {
		list := t.cast.plain(t.ctx, b, t.n, func(int) string { return "bench-play" })
		t.play = t.report(b, nil)
		hangUp(t.ctx, b, list)
	})
	b.Run("on-hold", func(b *testing.B) {
		list := t.cast.all(t.ctx, b, t.n, "2", "call.queued")
		t.report(b, &t.play)
		end(t.ctx, b, list)
	})
	t.duty(b, "on")
	b.Run("dialplan-conversation", func(b *testing.B) {
		list := t.cast.plain(t.ctx, b, t.n, func(i int) string { return "bench-dial-agent-" + agentID(i) })
		t.dial = t.report(b, nil)
		hangUp(t.ctx, b, list)
	})
	b.Run("conversation", func(b *testing.B) {
		list := t.cast.all(t.ctx, b, t.n, "2", "call.connected")
		t.report(b, &t.dial)
		end(t.ctx, b, list)
	})
	b.Run("dialplan-mixmonitor", func(b *testing.B) {
		list := t.cast.plain(t.ctx, b, t.n, func(i int) string { return "bench-taped-agent-" + agentID(i) })
		t.tape = t.report(b, nil)
		hangUp(t.ctx, b, list)
	})
	t.recorded(b)
	t.duty(b, "off")
}

// recorded measures recorded conversations, the whole life of such a call, and
// what comes of the withdrawal key.
func (t *turn) recorded(b *testing.B) {
	var list []*caller
	var life spent
	begun := spending(b, t.s)
	b.Run("recorded", func(b *testing.B) {
		list = t.cast.all(t.ctx, b, t.n, "1", "call.connected")
		life = spending(b, t.s).since(begun)
		t.report(b, &t.tape)
	})
	if len(list) == 0 {
		return // it failed
	}
	b.Run("withdrawal", func(b *testing.B) { t.withdraw(b, list) })
	b.Run("whole-call", func(b *testing.B) {
		before := spending(b, t.s)
		end(t.ctx, b, list)
		after := spending(b, t.s).since(before)
		result(b, map[string]float64{
			"callward-ms/call": ms(life.callward+after.callward) / float64(t.n),
			"asterisk-ms/call": ms(life.asterisk+after.asterisk) / float64(t.n),
		})
	})
}

// measure is the CPU of one window.
func (t *turn) measure(b *testing.B) spent {
	b.Helper()
	pass(t.ctx, b, time.Second) // what led here has settled
	before := spending(b, t.s)
	pass(t.ctx, b, *window)
	return spending(b, t.s).since(before)
}

// report measures and prints; against is what the dialplan spent for the like.
func (t *turn) report(b *testing.B, against *spent) spent {
	b.Helper()
	all := t.measure(b)
	own := all.since(t.idle)
	each := window.Seconds() * float64(t.n)
	figures := map[string]float64{"asterisk-ms/s": ms(own.asterisk) / each}
	if against != nil {
		figures["callward-ms/s"] = ms(own.callward) / each
		figures["%-of-asterisk"] = 100 * float64(own.callward) / float64(own.asterisk)
		figures["x-dialplan"] = float64(own.asterisk+own.callward) / float64(against.asterisk)
	}
	result(b, figures)
	return own
}

// duty puts all agents on duty or off, and waits until callward has seen it.
func (t *turn) duty(b *testing.B, state string) {
	b.Helper()
	for _, a := range t.s.Options.Agents {
		_, err := t.s.Command(t.ctx, "agent", "duty", a.ID, state)
		require.NoError(b, err)
	}
	pass(t.ctx, b, 2*time.Second)
}

// row is what "recording list --json" says of a recording.
type row struct {
	CallID      string    `json:"call"`
	Status      string    `json:"status"`
	Reason      string    `json:"reason"`
	Segment     int       `json:"segment"`
	LastFrameAt time.Time `json:"last_frame_at"`
	Path        string    `json:"path"`
}

// recordings are the first segments of some calls, which must have ended in a
// way.
func recordings(ctx context.Context, b *testing.B, s *scene.Scene, status string, of []*caller) map[string]row {
	b.Helper()
	found := map[string]row{}
	for _, c := range of {
		out, err := s.Command(ctx, "recording", "list", "--json", "--call", c.id)
		require.NoError(b, err)
		var rows []row
		require.NoError(b, json.Unmarshal(out, &rows))
		i := slices.IndexFunc(rows, func(r row) bool { return r.Segment == 1 })
		require.GreaterOrEqual(b, i, 0, "a recording of %s", c.id)
		require.Equal(b, status, rows[i].Status, "recording of %s: %s", c.id, rows[i].Reason)
		found[c.id] = rows[i]
	}
	return found
}

// withdraw presses the key on each phone and compares the phone's clock with
// the last frame that was kept.
func (t *turn) withdraw(b *testing.B, list []*caller) {
	ctx, cancel := context.WithTimeout(t.ctx, limit)
	defer cancel()
	for _, c := range list {
		require.NoError(b, c.Press(ctx, "*"))
		_, err := c.step(ctx, c.mark, "recording.stopped")
		require.NoError(b, err)
	}
	rows := recordings(ctx, b, t.s, "withdrawn", list)
	var down, up []float64
	for _, c := range list {
		presses := c.Presses()
		star := presses[len(presses)-1]
		last := rows[c.id].LastFrameAt
		down = append(down, ms(last.Sub(star.Start)))
		up = append(up, ms(last.Sub(star.End)))
	}
	result(b, map[string]float64{
		"down-to-last-frame-ms": median(down), "down-to-last-frame-max-ms": slices.Max(down), "up-to-last-frame-ms": median(up),
	})
}

func median(v []float64) float64 { return quantile(v, 0.5) }

// quantile is the least value that at least q of all are not above.
func quantile(v []float64, q float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[max(0, int(math.Ceil(q*float64(len(v))))-1)]
}
