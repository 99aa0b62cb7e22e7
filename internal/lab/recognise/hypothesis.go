package recognise

import (
	"cmp"
	"math"
)

const (
	block = rate / 8  // 125 ms
	slice = rate / 50 // 20 ms: how fine an end is told

	// A block whose correlation is below this did not follow: it has moved,
	// or the prompt was cut.
	lost = 0.4
	// A move must fit as well as this, and stay within these bounds. One
	// period of the voice off fits less.
	moved            = 0.85
	moveBack, moveOn = rate * 4 / 100, rate / 5
	moveKnown        = rate // moveOn of a prompt that is known

	// A prompt that alone is heard correlates clean, and another one that
	// shares its words does not. Among other sounds, or with much of it lost,
	// it correlates well or enough, and then more of it must be heard before
	// it is known.
	clean    = 0.95
	unclean  = 0.92
	well     = 0.8
	enough   = 0.6
	evidence = rate / 2     // audible samples, when clean
	more     = rate * 3 / 2 // audible samples, when well
	plenty   = rate * 3     // audible samples, when only enough

	advantage = 1.0       // audible blocks that a rival explains less
	further   = rate / 4  // samples that a rival explains beyond an end
	sameStart = rate / 16 // starts of one prompt closer than this are one

	completeFrom = 0.97

	// A prompt is cut after blocks that did not follow: silence counts twice.
	broken    = 4
	soundless = 30 * 30 // mean square below which a block is silence
)

// hypothesis is "prompt p began at start".
type hypothesis struct {
	p     *prompt
	start int // where sample 0 of the prompt lies in what was heard
	lag   int // by how much the prompt has moved since

	next    int     // block to follow next
	missing int     // blocks in a row that did not follow
	unlike  float64 // sum of 1-ncc^2 over audible blocks: what it leaves unexplained
	told    int     // audible samples followed
	good    int     // last block that followed
	goodLag int

	xy, xx, yy float64
	body       float64 // score without the last block that followed, which a cut may run through
	first      float64 // correlation of the beginning, when it was found
	known      bool    // it has become a match
}

// at returns where block k lies in what was heard.
func (h *hypothesis) at(k int) int { return h.start + h.p.lead + k*block + h.lag }

// end returns where the audible part of the prompt ends.
func (h *hypothesis) end() int { return h.start + h.p.tail + h.lag }

// part returns the prompt's samples of block k.
func (h *hypothesis) part(k int) []int16 {
	from := h.p.lead + k*block
	return h.p.pcm[from:min(from+block, h.p.tail)]
}

// finished tells that every block has been followed.
func (h *hypothesis) finished() bool { return h.next == len(h.p.audible) }

// isBroken tells that the prompt was cut, or never was.
func (h *hypothesis) isBroken() bool { return h.missing >= broken }

// isSettled tells that nothing to come can change what was heard of it.
func (h *hypothesis) isSettled() bool { return h.finished() || h.isBroken() }

// isLikely tells that what was heard of the prompt fits it.
func (h *hypothesis) isLikely() bool {
	whole := h.finished() && h.missing == 0
	switch score := h.fit(); {
	case score >= clean:
		return whole || h.heardWell() >= evidence/2
	case score >= well:
		return whole || h.heardWell() >= more
	default:
		return score >= enough && h.heardWell() >= plenty
	}
}

func (h *hypothesis) isClean() bool { return h.fit() >= clean }

// fit is the score by which a hypothesis is judged: of a prompt that was cut,
// what was heard before the block the cut runs through.
func (h *hypothesis) fit() float64 {
	if h.missing > 0 && h.good > 0 {
		return max(h.body, h.score())
	}
	return h.score()
}

// isKnown tells that enough of the prompt was heard to say so: any sound that
// fits better has begun before scanned.
func (h *hypothesis) isKnown(scanned int) bool {
	switch {
	case !h.isLikely():
		return false
	case h.isClean():
		return h.isSettled() || h.told >= evidence
	}
	return scanned >= h.start+h.p.lead+prefix
}

// heardWell returns how many samples the prompt explains.
func (h *hypothesis) heardWell() int { return (h.good + 1) * block }

// until returns where the last block that followed ends.
func (h *hypothesis) until() int {
	if h.finished() && h.missing == 0 {
		return h.end()
	}
	return h.at(h.good + 1)
}

// beats tells that h explains what was heard while r does not: r leaves more
// of it unexplained, or h goes on where r has ended.
func (h *hypothesis) beats(r *hypothesis) bool {
	if !h.isLikely() || h.after(r) || r.after(h) {
		return false
	}
	if r.unlike-h.unlike >= advantage || h.isClean() && r.score() < unclean && r.told >= evidence {
		return true
	}
	return h.unlike-r.unlike < advantage && h.until()-r.until() >= further && r.isSettled()
}

// after tells that h begins where r has ended: two prompts one after the other,
// which explain different sound and are no rivals.
func (h *hypothesis) after(r *hypothesis) bool {
	return r.isSettled() && h.start+h.p.lead >= r.until()-overlap
}

// compare orders hypotheses: the earlier of two in a row, else the one that
// explains most.
func compare(a, b *hypothesis) int {
	switch {
	case b.after(a):
		return -1
	case a.after(b):
		return 1
	case a.beats(b):
		return -1
	case b.beats(a):
		return 1
	case a.finished() != b.finished():
		if a.finished() {
			return -1
		}
		return 1
	}
	return cmp.Compare(a.unlike, b.unlike)
}

// advance follows the blocks that were heard wholly by now.
func (h *hypothesis) advance(heard []int16) {
	for !h.finished() && !h.isBroken() {
		part := h.part(h.next)
		if h.at(h.next)+len(part) > len(heard) {
			return
		}
		h.follow(heard, part)
		h.next++
	}
}

func (h *hypothesis) follow(heard []int16, part []int16) {
	if !h.p.audible[h.next] {
		return
	}
	at := h.at(h.next)
	xy, xx, yy := dots(heard, at, part)
	score := ncc(xy, xx, yy)
	if score < lost && h.score() >= enough && h.told >= evidence {
		if lag, better := h.move(heard, part, at); better >= moved {
			h.lag += lag
			xy, xx, yy = dots(heard, at+lag, part)
			score = ncc(xy, xx, yy)
		}
	}
	h.unlike += (1 - score*math.Abs(score)) * float64(len(part)) / block
	h.told += len(part)
	if score < lost {
		h.missing++
		if xx < soundless*float64(len(part)) {
			h.missing++
		}
		return
	}
	h.missing, h.good, h.goodLag = 0, h.next, h.lag
	h.body = h.score()
	h.xy, h.xx, h.yy = h.xy+xy, h.xx+xx, h.yy+yy
}

// move searches for a block around its place.
func (h *hypothesis) move(heard, part []int16, at int) (lag int, best float64) {
	on := moveOn
	if h.known {
		on = moveKnown
	}
	for d := -moveBack; d <= on; d++ {
		if score := ncc(dots(heard, at+d, part)); score > best {
			lag, best = d, score
		}
	}
	return lag, best
}

// align moves a prompt that has become known to the exact sample where what
// was heard of its beginning fits best: a steady voice fits almost as well one
// period off.
func (h *hypothesis) align(heard []int16) {
	part := h.p.pcm[h.p.lead:min(h.p.lead+prefix, h.p.tail)]
	h.known = true
	best, start := h.first, h.start
	for at := h.start - sameStart; at <= h.start+sameStart; at++ {
		if at+h.p.lead+len(part) > len(heard) {
			break
		}
		if score := ncc(dots(heard, at+h.p.lead, part)); score > best {
			best, start = score, at
		}
	}
	if start == h.start {
		return
	}
	*h = hypothesis{p: h.p, start: start, first: best, good: -1, known: true}
	h.advance(heard)
}

// score is the correlation over all blocks that followed.
func (h *hypothesis) score() float64 { return ncc(h.xy, h.xx, h.yy) }

// cut returns where a broken prompt was cut: after the last 20 ms that still
// follow.
func (h *hypothesis) cut(heard []int16) (end int, fraction float64) {
	from := h.p.lead + max(h.good, 0)*block
	last := from
	for at := from; at < min(h.p.lead+h.next*block, h.p.tail); at += slice {
		part := h.p.pcm[at:min(at+slice, h.p.tail)]
		if ncc(dots(heard, h.start+at+h.goodLag, part)) >= enough {
			last = at + len(part)
		}
	}
	return h.start + last + h.goodLag, float64(last-h.p.lead) / float64(h.p.tail-h.p.lead)
}

// dots returns the products of part with what was heard at a place. What lies
// outside counts as silence.
func dots(heard []int16, at int, part []int16) (xy, xx, yy float64) {
	var sxy, sxx, syy int64
	lo, hi := max(0, -at), min(len(part), len(heard)-at)
	for i, y := range part {
		syy += int64(y) * int64(y)
		if i >= lo && i < hi {
			x := int64(heard[at+i])
			sxy += x * int64(y)
			sxx += x * x
		}
	}
	return float64(sxy), float64(sxx), float64(syy)
}

func ncc(xy, xx, yy float64) float64 {
	if xx == 0 || yy == 0 {
		return 0
	}
	return xy / math.Sqrt(xx*yy)
}

func norm(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += v * v
	}
	return math.Sqrt(sum)
}
