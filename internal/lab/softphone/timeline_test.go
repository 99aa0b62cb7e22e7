package softphone

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// heardAt is a timeline with its answer at origin.
func heardAt(origin time.Time) *timeline {
	t := &timeline{}
	t.start(origin)
	return t
}

func tone(level int16) []int16 {
	pcm := make([]int16, 160)
	for i := range pcm {
		pcm[i] = level
	}
	return pcm
}

// levels returns the runs of equal samples.
func levels(pcm []int16) (runs [][2]int) {
	for _, s := range pcm {
		if n := len(runs); n > 0 && runs[n-1][0] == int(s) {
			runs[n-1][1]++
			continue
		}
		runs = append(runs, [2]int{int(s), 1})
	}
	return runs
}

var origin = time.Unix(1000, 0)

func after(ms int) time.Time { return origin.Add(time.Duration(ms) * time.Millisecond) }

func TestTimelinePlaces(t *testing.T) {
	ts := uint32(0xFFFFFF00) // wraps
	for _, row := range []struct {
		name string
		put  func(*timeline)
		want [][2]int
	}{
		{"by arrival first, by timestamp then", func(l *timeline) {
			l.put(1, ts, true, tone(1), after(100))
			l.put(1, ts+160, false, tone(2), after(133))
			l.put(1, ts+320, false, tone(3), after(135))
		}, [][2]int{{0, 800}, {1, 160}, {2, 160}, {3, 160}}},
		{"reordered and twice", func(l *timeline) {
			l.put(1, ts, true, tone(1), after(0))
			l.put(1, ts+320, false, tone(3), after(40))
			l.put(1, ts+160, false, tone(2), after(41))
			l.put(1, ts+160, false, tone(2), after(42))
		}, [][2]int{{1, 160}, {2, 160}, {3, 160}}},
		{"lost is silence", func(l *timeline) {
			l.put(1, ts, true, tone(1), after(0))
			l.put(1, ts+480, false, tone(2), after(60))
		}, [][2]int{{1, 160}, {0, 320}, {2, 160}}},
		{"a new source lies where it arrives", func(l *timeline) {
			l.put(1, ts, true, tone(1), after(0))
			l.put(2, 77, true, tone(2), after(500))
		}, [][2]int{{1, 160}, {0, 3840}, {2, 160}}},
		{"a new source a little early lies behind", func(l *timeline) {
			l.put(1, ts, true, tone(1), after(0))
			l.put(2, 77, true, tone(2), after(15))
		}, [][2]int{{1, 160}, {2, 160}}},
		{"a jump of the timestamp is not time", func(l *timeline) {
			l.put(1, ts, true, tone(1), after(0))
			l.put(1, ts+80000, false, tone(2), after(20))
			l.put(1, ts+80160, false, tone(3), after(40))
		}, [][2]int{{1, 160}, {2, 160}, {3, 160}}},
		{"a talk spurt after a pause", func(l *timeline) {
			l.put(1, ts, true, tone(1), after(0))
			l.put(1, ts+160, true, tone(2), after(1000))
		}, [][2]int{{1, 160}, {0, 7840}, {2, 160}}},
		{"before the answer", func(l *timeline) {
			l.origin = time.Time{}
			l.put(1, ts, true, tone(1), after(0))
		}, nil},
		{"absurd", func(l *timeline) {
			l.put(1, ts, true, tone(1), after(0))
			l.put(2, 0, false, tone(2), after(3_600_000))
		}, [][2]int{{1, 160}}},
	} {
		l := heardAt(origin)
		row.put(l)
		assert.Equalf(t, row.want, levels(l.since(0)), "%s", row.name)
	}
}

func TestTimelineFollowsDrift(t *testing.T) {
	l := heardAt(origin)
	for n := range 120 {
		late := 0
		if n >= 10 {
			late = 90 // the sender stood still for 90 ms and did not catch up
		}
		l.put(1, uint32(n*160), n == 0, tone(1), after(n*20+late))
	}
	gap := 0
	for _, run := range levels(l.since(0)) {
		if run[0] == 0 {
			gap += run[1]
		}
	}
	assert.Equal(t, 720, gap, "90 ms of silence were put in")
	assert.InDelta(t, samples(119*frame+90*time.Millisecond)+160, l.length(), 1)
}

func TestTimelineSilencePasses(t *testing.T) {
	l := heardAt(origin)
	l.advance(after(1000))
	assert.Equal(t, 8000-silenceLag, l.length())
	l.advance(after(900))
	assert.Equal(t, 8000-silenceLag, l.length(), "never back")
	l.put(1, 0, false, tone(5), after(700))
	assert.Equal(t, [][2]int{{0, 5600}, {5, 160}, {0, 8000 - silenceLag - 5760}}, levels(l.since(0)), "late sound still fills it")
	assert.Equal(t, after(700), l.timeAt(5600))
	assert.Equal(t, 5600, l.sampleAt(after(700)))
}

func TestTimelineWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := heardAt(time.Now())
		done := make(chan error)
		go func() { done <- l.wait(t.Context(), 320) }()
		synctest.Wait()
		l.put(1, 0, false, tone(1), time.Now())
		synctest.Wait()
		select {
		case <-done:
			t.Fatal("half of it is not enough")
		default:
		}
		l.put(1, 160, false, tone(1), time.Now())
		require.NoError(t, <-done)

		go func() { done <- l.wait(t.Context(), 999) }()
		synctest.Wait()
		l.end()
		require.ErrorIs(t, <-done, ErrEnded)
		require.NoError(t, l.wait(t.Context(), 320), "what is there stays")
		l.put(1, 320, false, tone(1), time.Now())
		assert.Equal(t, 320, l.length(), "nothing is added after the end")

		why := errors.New("enough")
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(why)
		require.ErrorIs(t, heardAt(time.Now()).wait(ctx, 1), why)
	})
}
