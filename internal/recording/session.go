package recording

import (
	"errors"
	"fmt"
	"math"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// gather is how many frames are handed to age at once.
const gather = 10

// watchTicks is how many looks the watchdog takes in Options.StallAfter.
const watchTicks = 5

// Session is one running recording. Its methods may be called from any
// goroutine; one goroutine of its own holds the timeline and the file.
type Session struct {
	r     *Recorder
	h     Header
	start time.Time

	tracks [2]track
	wake   chan struct{}
	orders chan order
	failed chan error
	done   chan struct{}
	over   atomic.Bool // Push drops

	// Owned by run.
	out    *sealer
	pos    int64 // timeline written so far
	length int64 // samples in the file
	paused bool
	marks  []Mark
	buf    [gather * 2 * frameBytes]byte // interleaved, not yet sealed
	n      int                           // bytes in it
	mono   [2][frameBytes]byte
	last   int64 // latest arrival that is in the recording
	counts [2][watchTicks]int64
	ticks  int

	mu     sync.Mutex
	result Result // set before done is closed
	err    error
}

type verb uint8

const (
	pause verb = iota + 1
	resume
	stop
	stopOrDiscard
)

type order struct {
	verb  verb
	at    time.Time
	under time.Duration // of stopOrDiscard
	reply chan error    // of pause and resume
}

func newSession(r *Recorder, h Header, out *sealer, at time.Time) *Session {
	return &Session{
		r: r, h: h, start: at, out: out,
		wake:   make(chan struct{}, 1),
		orders: make(chan order),
		failed: make(chan error, 1),
		done:   make(chan struct{}),
	}
}

// ID is the recording's id.
func (s *Session) ID() string { return s.h.ID }

// Failed delivers one error if the recording ends by a fault (ErrDiskFull,
// ErrWrite, ErrStalled), as soon as it is known: tell both parties. What exists
// is being sealed meanwhile; Stop waits for that and returns it. The channel is
// never closed.
func (s *Session) Failed() <-chan error { return s.failed }

// Done is closed when the file is settled.
func (s *Session) Done() <-chan struct{} { return s.done }

// Push takes mu-law audio of one track whose last byte arrived at at. It copies
// and never blocks; what finds no room is dropped and counted in
// Result.Overflow. A track other than 0 or 1 is a programming error and panics.
func (s *Session) Push(track int, ulaw []byte, at time.Time) {
	if s.over.Load() {
		return
	}
	s.tracks[track].q.push(ulaw, samples(at.Sub(s.start)))
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Pause leaves out everything that arrived after at, until Resume.
func (s *Session) Pause(at time.Time) error { return s.order(order{verb: pause, at: at}) }

// Resume goes on with what is spoken from at on.
func (s *Session) Resume(at time.Time) error { return s.order(order{verb: resume, at: at}) }

// Stop drops everything that arrived after at, seals the file and waits until
// it is safe on the disk. Called again it returns the same. If the recording
// had failed, the failure is returned beside what could be kept.
func (s *Session) Stop(at time.Time) (Result, error) {
	return s.settle(order{verb: stop, at: at})
}

// StopOrDiscard is Stop, but throws the file away if its audio is shorter than
// under (rule recording.consent.revoked: segments under 10 s are discarded).
func (s *Session) StopOrDiscard(at time.Time, under time.Duration) (Result, error) {
	return s.settle(order{verb: stopOrDiscard, at: at, under: under})
}

// Discard stops and throws the file away, whatever its length.
func (s *Session) Discard(at time.Time) (Result, error) {
	return s.StopOrDiscard(at, math.MaxInt64)
}

func (s *Session) order(o order) error {
	o.reply = make(chan error, 1)
	select {
	case s.orders <- o:
		return <-o.reply
	case <-s.done:
		return ErrStopped
	}
}

func (s *Session) settle(o order) (Result, error) {
	select {
	case s.orders <- o:
		<-s.done
	case <-s.done:
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.result.Path != "" && s.result.Duration < o.under { // it had ended before, and was kept
		if err := os.Remove(s.result.Path); err != nil {
			return s.result, diskError(err)
		}
		s.result.Path, s.result.Bytes, s.result.Discarded = "", 0, true
		return s.result, errors.Join(s.err, syncDir(s.r.o.Dir))
	}
	return s.result, s.err
}

func (s *Session) run() {
	defer close(s.done)
	defer s.r.forget(s)
	watch := time.NewTicker(s.r.o.StallAfter / watchTicks)
	defer watch.Stop()
	for {
		var err error
		select {
		case <-s.wake:
			err = s.drain(math.MaxInt64)
		case o := <-s.orders:
			at := samples(o.at.Sub(s.start))
			err = s.drain(at)
			if o.verb == stop || o.verb == stopOrDiscard {
				if err == nil {
					err = s.finish(at)
				}
				s.close(o.at, err, o.under)
				return
			}
			if err == nil {
				err = s.turn(o, at)
			}
			if err != nil {
				o.reply <- err
			}
		case <-watch.C:
			err = s.drain(math.MaxInt64)
			if err == nil {
				err = s.stalled()
			}
		}
		if err != nil {
			s.close(s.r.o.Clock(), err, 0)
			return
		}
	}
}

// turn carries out Pause and Resume. Only an error of the file is returned.
func (s *Session) turn(o order, at int64) error {
	if s.paused == (o.verb == pause) {
		o.reply <- ErrPaused
		return nil
	}
	if o.verb == resume {
		s.paused = false
		s.pos = max(s.pos, at)
		s.marks[len(s.marks)-1].ResumedAt = o.at
		for i := range s.tracks {
			s.tracks[i].clip = s.pos
		}
		o.reply <- nil
		return nil
	}
	if err := s.finish(at); err != nil {
		return err
	}
	s.paused = true
	s.marks = append(s.marks, Mark{Offset: duration(s.length), PausedAt: o.at})
	for i := range s.tracks {
		s.tracks[i].pause()
	}
	o.reply <- nil
	return nil
}

// drain takes what has arrived no later than until, oldest first, and writes
// what has become due.
func (s *Session) drain(until int64) error {
	for {
		best, when := -1, int64(0)
		for i := range s.tracks {
			if at, ok := s.tracks[i].q.peek(); ok && at <= until && (best < 0 || at < when) {
				best, when = i, at
			}
		}
		if best < 0 {
			return nil
		}
		t := &s.tracks[best]
		a := t.q.next()
		t.arrive(a)
		s.counts[best][s.ticks%watchTicks] += int64(a.n)
		if s.paused {
			t.discard()
			continue
		}
		t.frames += int64(a.n)
		t.trim(s.pos)
		if err := s.write(a.at - hold); err != nil {
			return err
		}
	}
}

// write puts the timeline up to the place to into the file, whole frames only.
func (s *Session) write(to int64) error {
	for s.pos+frameBytes <= to {
		s.writeFrame(frameBytes)
		if s.n == len(s.buf) {
			if err := s.flush(); err != nil {
				return err
			}
		}
	}
	return s.flush()
}

func (s *Session) writeFrame(n int64) {
	a, b := s.mono[0][:n], s.mono[1][:n]
	s.tracks[0].fill(a, s.pos)
	s.tracks[1].fill(b, s.pos)
	out := s.buf[s.n : s.n+2*int(n)]
	for i := range a {
		out[2*i], out[2*i+1] = a[i], b[i]
	}
	s.n += len(out)
	s.pos += n
	s.length += n
}

func (s *Session) flush() error {
	n := s.n
	s.n = 0
	if n == 0 {
		return nil
	}
	return s.out.write(s.buf[:n])
}

// finish writes the timeline up to at, without what arrived later: nothing more
// is coming for it.
func (s *Session) finish(at int64) error {
	if s.paused {
		return nil
	}
	s.last = 0
	for i := range s.tracks {
		s.last = max(s.last, s.tracks[i].end(at))
	}
	if err := s.write(at); err != nil {
		return err
	}
	if rest := at - s.pos; rest > 0 {
		s.writeFrame(rest)
	}
	return s.flush()
}

// stalled looks at the last StallAfter.
func (s *Session) stalled() error {
	s.ticks++
	if s.ticks < watchTicks {
		return nil
	}
	window := s.r.o.StallAfter
	for i := range s.counts {
		var n int64
		for _, c := range s.counts[i] {
			n += c
		}
		if n < samples(window)/4 {
			return &StalledError{Track: i, Window: window, Frames: int(n / frameBytes)}
		}
	}
	for i := range s.counts {
		s.counts[i][s.ticks%watchTicks] = 0
	}
	return nil
}

func (s *Session) fail(err error) {
	s.r.o.Logger.Error("recording failed", "recording", s.h.ID, "call", s.h.CallID, "err", err)
	s.failed <- err
}

// close settles the file and fills the result in.
func (s *Session) close(at time.Time, err error, under time.Duration) {
	s.over.Store(true)
	if err != nil {
		s.fail(err)
		// If the fault is not the file's, or only that no third chunk fits,
		// what is in memory still gets sealed.
		s.out.full = nil
		latest := s.pos
		for i := range s.tracks {
			latest = max(latest, s.tracks[i].latest())
		}
		_ = s.finish(latest)
	}
	res := Result{
		ID: s.h.ID, Bytes: s.out.n, Duration: duration(s.length),
		StartedAt: s.start, StoppedAt: at, Marks: s.marks,
	}
	if s.last > 0 {
		res.LastFrameAt = s.start.Add(duration(s.last))
	}
	for i := range s.tracks {
		t := &s.tracks[i]
		res.Frames[i] = frames(t.frames)
		res.Lost[i], res.Late[i] = frames(t.lost), frames(t.late)
		res.Overflow[i] = frames(t.q.dropped())
		t.q.wipe()
	}
	clear(s.buf[:])
	clear(s.mono[0][:])
	clear(s.mono[1][:])

	if res.Duration < under {
		if s.err = s.out.remove(); s.err == nil {
			res.Bytes, res.Discarded = 0, true
		}
		s.result = res
		return
	}
	if lost := s.out.tail.failed; lost != nil {
		s.r.o.Logger.Warn("a recording's tail could not be kept", "recording", s.h.ID, "err", lost)
	}
	path, cerr := s.out.close()
	if cerr != nil {
		res.Truncated = true
		if err == nil {
			err = cerr
			s.fail(err)
		}
	}
	res.Path, res.Bytes = path, s.out.n
	s.out.sum.Sum(res.SHA256[:0])
	s.result = res
	if err != nil {
		s.err = fmt.Errorf("recording %s: %w", s.h.ID, err)
	}
}

// frames rounds samples to frames.
func frames(n int64) int { return int((n + frameBytes/2) / frameBytes) }
