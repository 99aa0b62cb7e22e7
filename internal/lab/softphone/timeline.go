package softphone

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/callward/callward/internal/g711"
)

// ErrEnded is returned when a call ended before what was waited for came.
var ErrEnded = errors.New("softphone: the call has ended")

const (
	// silenceLag is how far the timeline stays behind the clock while
	// nothing arrives: later packets may still fill it.
	silenceLag = g711.Rate / 5
	// A packet this far before or after its place by timestamp starts the
	// stream anew at its arrival.
	jumpAhead  = g711.Rate * 2 / 5
	jumpBehind = g711.Rate
	// A marker bit tells of a new talk spurt: less is needed there.
	jumpMarked = g711.Rate / 10
	// A stream that stayed this late for a whole window is moved.
	driftLimit  = g711.Rate * 6 / 100
	driftWindow = 50 // packets
	// A place further in the future than this is a fault, not sound.
	maxGap = 60 * g711.Rate
)

// timeline keeps what was heard: sample n was heard n/8000 s after the answer.
// Within a stream samples lie where their RTP timestamps put them; a stream as
// a whole lies where its first packet arrived.
type timeline struct {
	mu      sync.Mutex
	origin  time.Time
	pcm     []int16
	ended   bool
	changed chan struct{} // closed when pcm grows or ended is set

	anchored bool
	ssrc     uint32
	ts       uint32 // timestamp of the anchor ...
	pos      int    // ... and its place
	minLate  int    // least lateness in this window
	inWindow int
}

// start puts sample 0 at the time of the answer.
func (t *timeline) start(at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.origin.IsZero() {
		t.origin = at
	}
}

func samples(d time.Duration) int { return int(d * g711.Rate / time.Second) }

func duration(n int) time.Duration { return time.Duration(n) * time.Second / g711.Rate }

// put places the samples of one packet that arrived at a time.
func (t *timeline) put(ssrc, ts uint32, marker bool, pcm []int16, at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.origin.IsZero() || t.ended {
		return
	}
	arrived := max(samples(at.Sub(t.origin)), 0)
	if !t.anchored || ssrc != t.ssrc {
		t.anchor(ssrc, ts, arrived)
	}
	pos := t.pos + int(int32(ts-t.ts))
	switch late := arrived - pos; {
	case late > jumpBehind, late < -jumpAhead, marker && (late > jumpMarked || late < -jumpMarked):
		t.anchor(ssrc, ts, arrived)
		pos = t.pos
	default:
		if t.inWindow == 0 || late < t.minLate {
			t.minLate = late
		}
		if t.inWindow++; t.inWindow == driftWindow {
			if t.minLate > driftLimit {
				t.anchor(ssrc, ts, pos+t.minLate)
				pos = t.pos
			}
			t.inWindow = 0
		}
	}
	t.write(pos, pcm)
}

// anchor begins a stream at a place, or right behind what is there when it
// would overlap it by no more than jitter explains.
func (t *timeline) anchor(ssrc, ts uint32, pos int) {
	if over := len(t.pcm) - pos; over > 0 && over < jumpMarked {
		pos = len(t.pcm)
	}
	t.anchored, t.ssrc, t.ts, t.pos, t.inWindow = true, ssrc, ts, pos, 0
}

func (t *timeline) write(pos int, pcm []int16) {
	if pos < 0 {
		if -pos >= len(pcm) {
			return
		}
		pcm, pos = pcm[-pos:], 0
	}
	if pos > len(t.pcm)+maxGap {
		return
	}
	t.grow(pos + len(pcm))
	copy(t.pcm[pos:], pcm)
}

// grow extends the timeline with silence to n samples.
func (t *timeline) grow(n int) {
	if n <= len(t.pcm) {
		return
	}
	t.pcm = append(t.pcm, make([]int16, n-len(t.pcm))...)
	t.notify()
}

func (t *timeline) notify() {
	if t.changed != nil {
		close(t.changed)
		t.changed = nil
	}
}

// advance lets silence pass up to now.
func (t *timeline) advance(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.origin.IsZero() && !t.ended {
		t.grow(samples(now.Sub(t.origin)) - silenceLag)
	}
}

// end closes the timeline; nothing is added to it afterwards.
func (t *timeline) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.ended {
		t.ended = true
		t.notify()
	}
}

func (t *timeline) since(n int) []int16 {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n = max(n, 0); n >= len(t.pcm) {
		return nil
	}
	return append([]int16(nil), t.pcm[n:]...)
}

func (t *timeline) length() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.pcm)
}

func (t *timeline) timeAt(sample int) time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.origin.Add(duration(sample))
}

func (t *timeline) sampleAt(at time.Time) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return samples(at.Sub(t.origin))
}

// wait returns when n samples are there, with ErrEnded when they never will
// be, or with the context's cause.
func (t *timeline) wait(ctx context.Context, n int) error {
	for {
		t.mu.Lock()
		if len(t.pcm) >= n {
			t.mu.Unlock()
			return nil
		}
		if t.ended {
			t.mu.Unlock()
			return ErrEnded
		}
		if t.changed == nil {
			t.changed = make(chan struct{})
		}
		changed := t.changed
		t.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
