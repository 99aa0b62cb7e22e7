package recording

import "math"

// The jitter window.
//
// Sample k of a track belongs at place k+off of the common timeline, which is
// the caller's clock counted in samples since Start. off is how late the
// track's audio is when nothing holds it up. It is not known; every arrival
// says only "not later than this": an arrival at time a that brings the count
// of received samples to n shows a lateness d = a-n, which is off plus whatever
// delay, batching and loss have added. Three observations move off:
//
//   - d < off. Nothing arrives before it is spoken, so off was too high: a
//     sender's clock runs fast, or the first batch was a late one. Certain, so
//     acted on at once: by leaving out one sample in a frame (inaudible), or by
//     a jump if more than slewMax.
//   - For gapAfter (1 s), four arrivals at least, everything is later than off by
//     more than the jitter of the last 10 to 20 s (200 ms while that is unknown)
//     plus 15 ms. Frames are missing: off jumps to the least of those and the
//     missing time becomes silence. One arrival that catches up shows it was
//     jitter, and nothing is put in.
//   - The least lateness of each of two epochs (10 s, or 30 s while there is much
//     jitter) is above off: the sender's clock runs slow, or a loss smaller than
//     the jitter. off goes to the lesser of the two, by repeating one sample in a
//     frame, or by a jump.
//
// A place is written hold (500 ms) after its time, or earlier when the session
// ends, so a batch of up to 400 ms, or batch and jitter of as much together,
// finds its place still open. Audio that is later than that has been replaced by
// silence and is dropped when it comes, unless it is the audio after a gap:
// while a gap is suspected, audio whose place has gone by waits in the ring, for
// hold at most, and then is taken for audio after a gap.
//
// The result, held by the tests over simulated hours: once a track has run for
// some seconds, the two stay within 20 ms of each other with clocks that drift
// by 250 ppm each (100 ppm while jitter is above 40 ms), and again within about
// a second after frames were lost (a loss smaller than the jitter: within two
// epochs).
const (
	hold      = rate / 2 // 500 ms
	gapAfter  = rate     // 1 s
	gapMin    = 120      // 15 ms
	gapSeen   = 4        // arrivals
	jitterMax = 400 * rate / 1000
	jitterNew = 200 * rate / 1000 // presumed in a track's first epoch
	slewMin   = 8                 // 1 ms: below this off is left alone
	slewMax   = 320               // 40 ms: above this off jumps
	epoch     = 10 * rate
	epochLong = 30 * rate
)

// track places one party's samples on the timeline. Only the session's
// goroutine touches it; the ring inside has its own lock.
type track struct {
	q ring

	recv  int64 // samples whose arrival has been seen
	taken int64 // samples taken out of the ring
	off   int64 // place of sample k is k+off
	want  int64 // off moves to want by one sample in a frame
	begun bool  // first arrival seen
	wrote bool  // audio has been written
	clip  int64 // audio placed before this is not part of the recording

	suspect      bool  // a gap is suspected ...
	suspectSince int64 // ... since this arrival,
	suspectFrom  int64 // ... before this sample,
	suspectMin   int64 // ... of this much less off
	suspectMax   int64
	suspectSeen  int

	epochEnd            int64
	epochMin, prevMin   int64
	epochPeak, prevPeak int64

	prev   byte  // last sample written
	ending bool  // nothing more will come for the places being filled
	forgot int64 // samples left out by end

	frames, lost, late int64 // samples

	hist [64]arrival64 // the latest arrivals, for cut
	seen int
}

// arrival64 is an arrival with the count of samples it brought the track to.
type arrival64 struct{ at, recv int64 }

// jitter is the greatest lateness above off seen lately.
func (t *track) jitter() int64 { return min(max(t.epochPeak, t.prevPeak), jitterMax) }

// arrive takes note of one arrival.
func (t *track) arrive(a arrival) {
	first := t.recv
	t.recv += int64(a.n)
	t.hist[t.seen%len(t.hist)] = arrival64{a.at, t.recv}
	t.seen++
	d := a.at - t.recv
	if !t.begun {
		t.begun = true
		t.off, t.want = d, d
		t.epochEnd = a.at + epoch
		t.epochMin, t.prevMin = d, math.MinInt64
		t.prevPeak = jitterNew
		return
	}
	if a.at >= t.epochEnd {
		t.turnEpoch(a.at)
	}
	t.epochMin = min(t.epochMin, d)

	if d < t.off {
		t.suspect = false
		t.early(d)
		return
	}
	t.want = min(t.want, d)
	if d <= t.off+t.jitter()+gapMin {
		if t.suspect {
			t.suspect = false
			t.epochPeak = max(t.epochPeak, t.suspectMax-t.off)
		}
		t.epochPeak = max(t.epochPeak, d-t.off)
		return
	}
	if !t.suspect {
		t.suspect = true
		t.suspectSince, t.suspectFrom = a.at, first
		t.suspectMin, t.suspectMax, t.suspectSeen = d, d, 1
		return
	}
	t.suspectMin, t.suspectMax = min(t.suspectMin, d), max(t.suspectMax, d)
	t.suspectSeen++
	if a.at-t.suspectSince >= gapAfter && t.suspectSeen >= gapSeen {
		t.gap()
	}
}

// early acts on audio that came before its place.
func (t *track) early(d int64) {
	switch {
	case !t.wrote || t.off-d > slewMax:
		t.off, t.want = d, d
	case t.off-d > slewMin:
		t.want = d
	}
}

// gap settles a suspicion: frames are missing.
func (t *track) gap() {
	t.suspect = false
	t.jump(t.suspectMin)
}

// jump moves off up. Old observations are moved with it: they were made on the
// other side of the gap.
func (t *track) jump(to int64) {
	by := to - t.off
	t.off, t.want = to, to
	t.epochMin += by
	if t.prevMin != math.MinInt64 {
		t.prevMin += by
	}
}

func (t *track) turnEpoch(now int64) {
	if t.prevMin != math.MinInt64 {
		floor := min(t.prevMin, t.epochMin)
		switch up := floor - t.off; {
		case up > slewMax:
			t.suspect = false
			t.jump(floor)
		case up > slewMin:
			t.want = floor
		}
	}
	t.prevMin, t.epochMin = t.epochMin, math.MaxInt64
	t.prevPeak, t.epochPeak = t.epochPeak, 0
	t.epochEnd = now + epoch
	if t.prevPeak > slewMax {
		t.epochEnd = now + epochLong
	}
}

// next is the place of the oldest sample not yet taken, and how many samples
// follow it for certain. While a gap is suspected the samples after it are
// placed as if it were one: they are in the ring for want of a place, so either
// that is where they belong, or they are late.
func (t *track) next() (place, have int64) {
	have = t.recv - t.taken
	switch {
	case !t.suspect:
		return t.taken + t.off, have
	case t.taken < t.suspectFrom:
		return t.taken + t.off, min(have, t.suspectFrom-t.taken)
	default:
		return t.taken + t.suspectMin, have
	}
}

// trim drops what is late in any reading, for timeline written up to at. A
// backlog of any length passes through the ring that way.
func (t *track) trim(at int64) {
	for {
		place, have := t.next()
		if have == 0 || place >= at {
			return
		}
		t.skip(min(at-place, have), place)
	}
}

// fill writes the places [at, at+len(dst)) of the timeline, at most a frame.
func (t *track) fill(dst []byte, at int64) {
	n := t.slew(dst, at)
	dst, at = dst[n:], at+int64(n)
	for len(dst) > 0 {
		t.trim(at)
		place, have := t.next()
		after := t.suspect && t.taken >= t.suspectFrom
		if after && t.taken+t.off >= at && !t.ending {
			place = t.taken + t.off // not late yet if it was jitter
		}
		n := int64(len(dst))
		switch {
		case have == 0:
			t.quiet(dst, !t.ending)
		case place > at:
			n = min(n, place-at)
			t.quiet(dst[:n], true)
		default:
			if after && place != t.taken+t.off {
				t.gap() // nothing has come to say it was jitter, and the audio is due
			}
			n = min(n, have)
			t.q.read(dst[:n])
			t.taken += n
			t.wrote = true
			t.prev = dst[n-1]
		}
		dst, at = dst[n:], at+n
	}
}

// slew moves off by one sample towards want: it drops a sample, or repeats the
// last one at the start of dst and says that it used one place.
func (t *track) slew(dst []byte, at int64) int {
	if t.want == t.off || t.recv == t.taken || t.taken+t.off != at {
		return 0
	}
	if t.want < t.off {
		t.off--
		t.q.drop(1)
		t.taken++
		return 0
	}
	t.off++
	dst[0] = t.prev
	return 1
}

// quiet writes silence; counted as lost if audio was due.
func (t *track) quiet(dst []byte, due bool) {
	for i := range dst {
		dst[i] = silence
	}
	t.prev = silence
	if t.wrote && due {
		t.lost += int64(len(dst))
	}
}

// skip drops n samples, the first of which belongs at place, which is written.
func (t *track) skip(n, place int64) {
	before := min(max(t.clip-place, 0), n)
	t.late += n - before
	t.q.drop(n)
	t.taken += n
}

// discard drops everything that has arrived: it came while paused.
func (t *track) discard() {
	t.q.drop(t.recv - t.taken)
	t.taken = t.recv
}

// end forgets what arrived after at and is not written yet, and makes ready for
// the last places up to at. It returns the arrival time of the last audio left.
func (t *track) end(at int64) (last int64) {
	keep := t.recv
	for i := t.seen - 1; i >= 0 && i >= t.seen-len(t.hist); i-- {
		h := t.hist[i%len(t.hist)]
		if h.at <= at {
			last, keep = h.at, h.recv
			break
		}
		keep = t.taken // unless an older arrival says otherwise
	}
	t.forgot = t.recv - max(keep, t.taken)
	t.recv -= t.forgot
	t.frames -= t.forgot
	t.ending = true
	return last
}

// pause follows end: arrivals are watched on, their audio is dropped.
func (t *track) pause() {
	t.ending = false
	t.recv += t.forgot
	t.discard()
}

// latest is when the newest audio seen came.
func (t *track) latest() int64 {
	if t.seen == 0 {
		return 0
	}
	return t.hist[(t.seen-1)%len(t.hist)].at
}
