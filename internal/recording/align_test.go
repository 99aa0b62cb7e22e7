package recording

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// tb is what testing.T and rapid.T share.
type tb interface {
	require.TestingT
	Helper()
}

// nullSealer stands in for encryption and file.
type nullSealer struct{ write func(p []byte) }

func (c nullSealer) Write(p []byte) (int, error) { c.write(p); return len(p), nil }
func (c nullSealer) Close() error                { return nil }

// plainSession is a session without a goroutine, a file or encryption.
func plainSession(start time.Time, write func(p []byte)) *Session {
	r := &Recorder{o: Options{Clock: time.Now, StallAfter: DefaultStallAfter}, live: map[*Session]struct{}{}}
	return newSession(r, Header{ID: "x"}, &sealer{enc: nullSealer{write}}, start)
}

// span is a stretch of the simulated call.
type span struct{ from, to time.Duration }

func in(spans []span, at time.Duration) (time.Duration, bool) {
	for _, s := range spans {
		if at >= s.from && at < s.to {
			return s.to, true
		}
	}
	return 0, false
}

// sender is one simulated party: frames of 20 ms by its own clock, sent in
// batches, held up and lost by the network. Every byte of frame k is k mod 255.
type sender struct {
	ppm    float64       // its clock's error; positive is slow
	batch  int           // frames
	jitter time.Duration // greatest extra delay, drawn anew every 200 ms
	starts time.Duration // first frame
	stalls []span        // nothing arrives, then all of it at once
	losses []span        // spoken then, never arriving

	rnd    *rand.Rand
	k      int
	delay  time.Duration
	redraw int
	free   time.Duration // order is kept: nothing overtakes
	buf    []byte
}

// spoken is the true time of the start of frame k.
func (s *sender) spoken(k int) time.Duration {
	return s.starts + time.Duration(float64(k)*float64(20*time.Millisecond)*(1+s.ppm*1e-6))
}

// next is the next batch and when it arrives.
func (s *sender) next() (at time.Duration, p []byte) {
	for {
		p = s.buf[:0]
		for range s.batch {
			if _, lost := in(s.losses, s.spoken(s.k)); !lost {
				for range frameBytes {
					p = append(p, byte(s.k%255))
				}
			}
			s.k++
		}
		s.buf = p
		at = s.spoken(s.k)
		if s.jitter > 0 && s.k >= s.redraw {
			s.delay, s.redraw = time.Duration(s.rnd.Int64N(int64(s.jitter))), s.k+10
		}
		at += s.delay
		if to, held := in(s.stalls, at); held {
			at = to
		}
		s.free = max(s.free, at)
		if len(p) > 0 {
			return s.free, p
		}
	}
}

// judge listens to the written file and measures, at every frame boundary of a
// track, how far the frame is from where it was spoken.
type judge struct {
	senders  [2]sender
	settling []span
	pos      int64
	prev     [2]byte
	err      [2]time.Duration
	worst    [2]time.Duration // of each track
	apart    time.Duration    // of the tracks from each other
	when     time.Duration    // of apart
	silent   [2]int64
}

func (j *judge) write(p []byte) {
	for i := 0; i < len(p); i += 2 {
		place := duration(j.pos)
		j.pos++
		for c := range 2 {
			b, prev := p[i+c], j.prev[c]
			j.prev[c] = b
			if b == silence {
				j.silent[c]++
			}
			if b == prev || b == silence || prev == silence {
				continue
			}
			x := &j.senders[c]
			k := int(math.Round(float64(place-x.starts) / float64(20*time.Millisecond) / (1 + x.ppm*1e-6)))
			k += (int(b)-k%255+255+127)%255 - 127 // the frame of that number nearest to the place
			j.err[c] = place - x.spoken(k)
			if _, skip := in(j.settling, place); skip {
				continue
			}
			j.worst[c] = max(j.worst[c], j.err[c].Abs())
			if d := (j.err[0] - j.err[1]).Abs(); d > j.apart {
				j.apart, j.when = d, place
			}
		}
	}
}

// play runs two senders through a session.
func play(t tb, d time.Duration, seed uint64, senders [2]sender, settling ...span) (*Session, *judge) {
	t.Helper()
	start := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	j := &judge{senders: senders, settling: settling}
	s := plainSession(start, j.write)
	var at [2]time.Duration
	var p [2][]byte
	for i := range senders {
		senders[i].rnd = rand.New(rand.NewPCG(seed, uint64(i)))
		at[i], p[i] = senders[i].next()
	}
	for {
		i := 0
		if at[1] < at[0] {
			i = 1
		}
		if at[i] > d {
			break
		}
		s.Push(i, p[i], start.Add(at[i]))
		require.NoError(t, s.drain(math.MaxInt64))
		at[i], p[i] = senders[i].next()
	}
	require.NoError(t, s.finish(samples(d)))
	require.Equal(t, samples(d), j.pos, "the file is as long as the call")
	return s, j
}

const together = 20 * time.Millisecond

func TestTracksStayTogetherForHours(t *testing.T) {
	for name, tc := range map[string]struct {
		a, b   sender
		settle time.Duration
	}{
		"steady":               {sender{batch: 1}, sender{batch: 10}, 0},
		"drift apart":          {sender{ppm: 200, batch: 10}, sender{ppm: -200, batch: 10}, 0},
		"drift and jitter":     {sender{ppm: -90, batch: 10, jitter: 200 * time.Millisecond}, sender{ppm: 90, batch: 5, jitter: 300 * time.Millisecond}, 20 * time.Second},
		"batches of 400 ms":    {sender{batch: 20, jitter: 50 * time.Millisecond}, sender{batch: 20, ppm: 100}, 10 * time.Second},
		"one party comes late": {sender{batch: 10}, sender{batch: 10, starts: 1730 * time.Millisecond, jitter: 100 * time.Millisecond}, 10 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, j := play(t, longCall, 7, [2]sender{tc.a, tc.b}, span{0, tc.settle})
			assert.LessOrEqual(t, j.apart, together, "at %s", j.when)
			for i := range s.tracks {
				assert.Zero(t, s.tracks[i].lost, "no silence for jitter or drift, track %d", i)
			}
		})
	}
}

func TestAlignment(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var xs [2]sender
		for i := range xs {
			x := sender{
				batch:  rapid.IntRange(1, 20).Draw(t, "batch"),
				starts: time.Duration(rapid.IntRange(0, 2000).Draw(t, "starts")) * time.Millisecond,
			}
			x.jitter = time.Duration(rapid.IntRange(0, min(300, 480-20*x.batch)).Draw(t, "jitter")) * time.Millisecond
			ppm := 250.0
			if x.jitter > 40*time.Millisecond {
				ppm = 100
			}
			x.ppm = rapid.Float64Range(-ppm, ppm).Draw(t, "ppm")
			xs[i] = x
		}
		s, j := play(t, drawnCall, rapid.Uint64().Draw(t, "seed"), xs, span{0, 45 * time.Second})
		if j.apart > together {
			t.Fatalf("%s apart at %s", j.apart, j.when)
		}
		for i := range xs {
			if n := s.tracks[i].lost; n > 0 {
				t.Fatalf("track %d: %d samples of silence for mere jitter", i, n)
			}
		}
	})
}

func TestLossBecomesSilence(t *testing.T) {
	sec := func(f float64) time.Duration { return time.Duration(f * float64(time.Second)) }
	for name, tc := range map[string]struct {
		x      sender
		lost   int           // frames
		settle time.Duration // after each loss
	}{
		"one frame":            {sender{batch: 1, losses: []span{{sec(30), sec(30.02)}}}, 1, sec(1.2)},
		"one frame of a batch": {sender{batch: 10, losses: []span{{sec(30.08), sec(30.1)}}}, 1, sec(1.4)},
		"five frames, thrice":  {sender{batch: 5, losses: []span{{sec(30), sec(30.1)}, {sec(50), sec(50.1)}, {sec(70), sec(70.1)}}}, 15, sec(1.4)},
		"a second":             {sender{batch: 10, losses: []span{{sec(30), sec(31)}}}, 50, sec(2.6)},
		"ten seconds":          {sender{batch: 10, losses: []span{{sec(30), sec(40)}}}, 500, sec(11.6)},
		"more than the jitter": {sender{batch: 5, jitter: sec(0.05), losses: []span{{sec(60), sec(60.4)}}}, 20, sec(2)},
		"early in the call":    {sender{batch: 10, losses: []span{{sec(2), sec(3)}}}, 50, sec(2.6)},
	} {
		t.Run(name, func(t *testing.T) {
			settling := []span{{0, sec(1)}}
			if tc.x.jitter > 0 {
				settling[0].to = sec(20)
			}
			for _, l := range tc.x.losses {
				settling = append(settling, span{l.from, l.from + tc.settle})
			}
			s, j := play(t, 2*time.Minute, 3, [2]sender{tc.x, {batch: 10}}, settling...)
			assert.LessOrEqual(t, j.apart, together, "at %s", j.when)
			assert.InDelta(t, tc.lost, frames(s.tracks[0].lost), 1, "lost frames are counted")
			assert.Zero(t, s.tracks[0].late)
			assert.Zero(t, s.tracks[1].lost, "the other track has its own time")
			assert.InDelta(t, 2*60*50-tc.lost, frames(s.tracks[0].frames), 10)
		})
	}
}

func TestLateAudioIsReplacedAndDropped(t *testing.T) {
	held := []span{{20 * time.Second, 22 * time.Second}, {60 * time.Second, 60400 * time.Millisecond}}
	s, j := play(t, 2*time.Minute, 3, [2]sender{{batch: 5, stalls: held[:1]}, {batch: 5, stalls: held[1:]}}, span{0, time.Second})
	assert.LessOrEqual(t, j.apart, together, "what is not late stays in its place")
	lost, late := frames(s.tracks[0].lost), frames(s.tracks[0].late)
	assert.InDelta(t, 75, lost, 6, "two seconds less the half that is waited for")
	assert.Equal(t, lost, late, "all of it came in the end")
	assert.Zero(t, s.tracks[1].lost, "400 ms are waited for")
	assert.Zero(t, s.tracks[1].late)
}
