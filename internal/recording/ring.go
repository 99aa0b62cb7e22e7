package recording

import (
	"sync"
	"time"
)

const (
	rate       = 8000 // samples a second; one byte each (RFC 3551, PCMU)
	frameBytes = 160  // 20 ms
	silence    = 0xFF // mu-law zero

	ringBytes = 3 * rate / 2 // 1.5 s of one track
	ringMarks = 128
)

// samples converts a duration to samples, rounding down.
func samples(d time.Duration) int64 { return int64(d) / int64(time.Second/rate) }

// duration converts samples to a duration.
func duration(n int64) time.Duration { return time.Duration(n) * (time.Second / rate) }

// arrival is one push: n bytes, the last of which came at time at, counted in
// samples since the session's start.
type arrival struct {
	at int64
	n  int32
}

// ring carries one track from its media reader to the session's goroutine. The
// lock is held for a copy within memory only, never across I/O, so the reader
// waits for microseconds at most, whatever the disk does. A push that finds no
// room is cut, and the rest is counted.
type ring struct {
	mu       sync.Mutex
	buf      [ringBytes]byte
	w, r     int64 // bytes ever written, read
	marks    [ringMarks]arrival
	mw, mr   int64
	overflow int64 // bytes dropped for want of room
	last     int64 // arrival of the latest push
}

func (q *ring) push(p []byte, at int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if room := int(ringBytes - (q.w - q.r)); len(p) > room {
		q.overflow += int64(len(p) - room)
		p = p[:room]
	}
	q.last = max(q.last, at)
	if len(p) == 0 {
		return
	}
	i := int(q.w % ringBytes)
	n := copy(q.buf[i:], p)
	copy(q.buf[:], p[n:])
	q.w += int64(len(p))
	if q.mw-q.mr == ringMarks { // many small pushes: the last two become one
		m := &q.marks[(q.mw-1)%ringMarks]
		m.at, m.n = q.last, m.n+int32(len(p))
		return
	}
	q.marks[q.mw%ringMarks] = arrival{at: q.last, n: int32(len(p))}
	q.mw++
}

// peek says when the oldest arrival not yet taken came.
func (q *ring) peek() (at int64, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.mr == q.mw {
		return 0, false
	}
	return q.marks[q.mr%ringMarks].at, true
}

// next takes the oldest arrival, which peek has seen. It may have grown since.
func (q *ring) next() arrival {
	q.mu.Lock()
	defer q.mu.Unlock()
	m := q.marks[q.mr%ringMarks]
	q.mr++
	return m
}

// read fills dst with the oldest bytes, which the caller knows to be there.
func (q *ring) read(dst []byte) {
	q.mu.Lock()
	defer q.mu.Unlock()
	i := int(q.r % ringBytes)
	n := copy(dst, q.buf[i:])
	copy(dst[n:], q.buf[:])
	q.r += int64(len(dst))
}

// drop throws the oldest n bytes away.
func (q *ring) drop(n int64) {
	q.mu.Lock()
	q.r += n
	q.mu.Unlock()
}

func (q *ring) dropped() int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.overflow
}

// wipe overwrites the audio that is left.
func (q *ring) wipe() {
	q.mu.Lock()
	defer q.mu.Unlock()
	clear(q.buf[:])
	q.r, q.mr = q.w, q.mw
}
