package recognise

import (
	"math"
	"slices"
)

const (
	pad       = rate * 35 / 100  // by so much may a prompt's beginning be missing
	quantum   = rate / 10        // new samples that are worth a look
	suspect   = 0.33             // at 2 kHz, where a prompt half a sample off may fit no better: worth a hypothesis
	accepted  = 0.5              // at 8 kHz, over the beginning
	rivalPeak = 0.75             // of the best peak at 2 kHz
	near      = 2 * decimated    // where the exact start may lie
	quiet     = 8 * 8            // mean square at 2 kHz not worth a search
	overlap   = rate / 20        // of one prompt into the next, at most
	trailing  = prefix + 8*block // silence that lets all hypotheses end
)

// Match is one prompt that was heard.
type Match struct {
	ID string
	// Also names prompts that fit what was heard just as well: their audio is
	// the same, or all of them were cut where they were still alike.
	Also []string
	// Start and End are samples of what was heard: of the prompt's first
	// sample (below zero when its beginning was missed), and after its last
	// audible one. End is how far it has been heard while Ended is false.
	Start, End int
	// Score is the normalised correlation, 0 to 1, over what was heard of it.
	Score float64
	// Fraction is how much of the prompt's audible part was heard: 1 for all.
	Fraction float64
	// Ended tells that the prompt was heard to its end, or was cut.
	Ended bool
}

// Is tells whether the match is of one of the ids, or may be.
func (m Match) Is(ids ...string) bool {
	return slices.Contains(ids, m.ID) || slices.ContainsFunc(m.Also, func(id string) bool {
		return slices.Contains(ids, id)
	})
}

// Whole tells that the prompt was heard to its end.
func (m Match) Whole() bool { return m.Ended && m.Fraction >= completeFrom }

// scanner recognises prompts in a stream that grows. One goroutine owns it.
type scanner struct {
	c       *Catalogue
	heard   []int16   // with pad samples of silence before
	low     []float64 // heard at 2 kHz
	power   []float64 // power[i] is the sum of squares of low[:i]
	scanned int       // offset of low to be tested next
	hyps    []*hypothesis
	live    *hypothesis // known and not ended; always of the last match
	matches []Match
}

func (c *Catalogue) scanner() *scanner {
	return &scanner{c: c, heard: make([]int16, pad), power: []float64{0}}
}

// Find returns the prompts in a whole recording, in order.
func (c *Catalogue) Find(heard []int16) []Match {
	s := c.scanner()
	s.push(heard, true)
	return s.matches
}

// samples tells how many were pushed.
func (s *scanner) samples() int { return len(s.heard) - pad }

// push adds samples. With last nothing comes after them, and every match has
// ended when it returns.
func (s *scanner) push(pcm []int16, last bool) {
	s.heard = append(s.heard, pcm...)
	if last {
		s.heard = append(s.heard, make([]int16, trailing)...)
	}
	s.low = decimate(s.low, s.heard, last)
	for i := len(s.power) - 1; i < len(s.low); i++ {
		s.power = append(s.power, s.power[i]+s.low[i]*s.low[i])
	}
	for s.step(last) {
	}
}

// step does one piece of work and tells whether there may be more.
func (s *scanner) step(last bool) bool {
	if s.live != nil {
		s.live.advance(s.heard)
		s.report(s.live)
		return s.live == nil
	}
	open := min(len(s.low)-prefixLow+1-s.scanned, span)
	searched := open >= quantum/decimated || last && open > 0
	if searched {
		s.search(open)
		s.scanned += open
	}
	for _, h := range s.hyps {
		h.advance(s.heard)
	}
	return s.decide() || searched
}

// search tests n offsets for the beginning of every prompt.
func (s *scanner) search(n int) {
	from, to := s.scanned, min(s.scanned+n+prefixLow-1, len(s.low))
	if s.power[to]-s.power[from] < quiet*float64(to-from)/8 {
		return
	}
	buffers := s.c.scratch.Get().(*[2][size]complex128)
	defer s.c.scratch.Put(buffers)
	spectrum, product := buffers[0][:], buffers[1][:]
	clear(spectrum)
	for i, v := range s.low[from:to] {
		spectrum[i] = complex(v, 0)
	}
	s.c.fft.forward(spectrum)
	for _, p := range s.c.pairs {
		for i, v := range spectrum {
			product[i] = v * p.spectrum[i]
		}
		s.c.fft.inverse(product)
		s.peak(p.first, n, func(i int) float64 { return real(product[i]) })
		if p.second != nil {
			s.peak(p.second, n, func(i int) float64 { return imag(product[i]) })
		}
	}
}

// peak makes hypotheses of the offsets that fit a prompt best. At 2 kHz one
// period of the voice off may look as good as the true place, or better.
func (s *scanner) peak(p *prompt, n int, correlation func(int) float64) {
	var scores [span]float64
	best := suspect
	for i := range n {
		from := s.scanned + i
		energy := s.power[min(from+len(p.low), len(s.low))] - s.power[from]
		if energy >= quiet*float64(len(p.low)) {
			scores[i] = correlation(i) / (p.norm * math.Sqrt(energy))
			best = max(best, scores[i])
		}
	}
	for i := range n {
		if scores[i] >= rivalPeak*best && scores[i] >= suspect &&
			scores[i] >= slices.Max(scores[max(i-1, 0):min(i+2, n)]) {
			s.suppose(p, (s.scanned+i)*decimated)
		}
	}
}

// suppose adds a hypothesis whose audible part begins close to a place.
func (s *scanner) suppose(p *prompt, around int) {
	part := p.pcm[p.lead:min(p.lead+prefix, p.tail)]
	best, where := 0.0, around
	for at := around - near; at <= around+near; at++ {
		if score := ncc(dots(s.heard, at, part)); score > best {
			best, where = score, at
		}
	}
	if best < accepted {
		return
	}
	h := &hypothesis{p: p, start: where - p.lead, first: best, good: -1}
	for i, other := range s.hyps {
		if other.p == p && abs(other.start-h.start) < sameStart {
			if other.first < best {
				s.hyps[i] = h
			}
			return
		}
	}
	s.hyps = append(s.hyps, h)
}

// decide looks for a hypothesis that no rival stands against, and tells
// whether one became a match.
func (s *scanner) decide() bool {
	s.hyps = slices.DeleteFunc(s.hyps, func(h *hypothesis) bool {
		if h.isSettled() && !h.isLikely() {
			return true // nothing to come can make it one
		}
		return h.isBroken() && slices.ContainsFunc(s.hyps, func(r *hypothesis) bool { return r != h && r.beats(h) })
	})
	if len(s.hyps) == 0 {
		return false
	}
	best := slices.MinFunc(s.hyps, compare)
	if !best.isKnown(s.scanned * decimated) {
		return false
	}
	var also []string
	for _, r := range s.hyps {
		switch {
		case r == best || best.beats(r) || r.after(best): // a later one is found again from here
		case r.isSettled() && best.isSettled():
			also = append(also, r.p.id)
		default:
			return false
		}
	}
	best.align(s.heard)
	s.matches = append(s.matches, Match{ID: best.p.id, Also: also})
	s.live, s.hyps = best, nil
	s.report(best)
	return true
}

// report writes what is known of the live hypothesis into its match.
func (s *scanner) report(h *hypothesis) {
	m := &s.matches[len(s.matches)-1]
	m.Start, m.Score = h.start-pad, h.score()
	switch {
	case h.isBroken():
		end, fraction := h.cut(s.heard)
		m.End, m.Fraction, m.Ended = end-pad, fraction, true
	case h.finished():
		m.End, m.Fraction, m.Ended = h.end()-pad, 1, true
	default:
		end := h.at(h.next)
		m.End = end - pad
		m.Fraction = float64(h.next*block) / float64(h.p.tail-h.p.lead)
	}
	if m.Ended {
		s.live = nil
		s.scanned = max(m.End+pad-overlap, h.start+h.p.lead+2*near) / decimated
	}
}
