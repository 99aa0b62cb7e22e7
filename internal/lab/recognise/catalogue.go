package recognise

import (
	"errors"
	"fmt"
	"slices"
	"sync"
)

const (
	prefix    = rate * 7 / 10 // by which a prompt is searched for
	prefixLow = prefix / decimated
	size      = 2048                 // FFT
	span      = size - prefixLow + 1 // offsets tested by one FFT
	shortest  = rate / 5             // audible part a prompt must have
	floor     = 0.02                 // of the peak: what counts as audible
)

// ErrPrompt is returned for a prompt that cannot be recognised: no id, an id
// given twice, or less than 0.2 s of sound.
var ErrPrompt = errors.New("recognise: prompt")

// Prompt is the audio of one prompt as it is played: 8 kHz mono.
type Prompt struct {
	ID  string
	PCM []int16
}

// Catalogue holds the prompts that may be heard. It may be used by several
// goroutines, and does not change.
type Catalogue struct {
	prompts []*prompt
	fft     *transform
	pairs   []pair
	scratch sync.Pool
}

// prompt is one prompt prepared.
type prompt struct {
	id         string
	pcm        []int16
	lead, tail int       // audible part: pcm[lead:tail]
	low        []float64 // first 0.7 s of it at 2 kHz
	norm       float64
	audible    []bool // by block from lead
}

// pair is the spectra of two prompts' beginnings, put together so that one
// inverse FFT gives both correlations: the first in the real part.
type pair struct {
	first, second *prompt // second may be nil
	spectrum      []complex128
}

// NewCatalogue prepares prompts; each id once. The error wraps ErrPrompt.
func NewCatalogue(prompts []Prompt) (*Catalogue, error) {
	c := &Catalogue{fft: newTransform(size)}
	c.scratch.New = func() any { return new([2][size]complex128) }
	seen := map[string]bool{}
	for _, in := range prompts {
		if in.ID == "" || seen[in.ID] {
			return nil, fmt.Errorf("%w: id %q is empty or given twice", ErrPrompt, in.ID)
		}
		seen[in.ID] = true
		p, err := prepare(in)
		if err != nil {
			return nil, err
		}
		c.prompts = append(c.prompts, p)
	}
	for two := range slices.Chunk(c.prompts, 2) {
		p := pair{first: two[0], spectrum: make([]complex128, size)}
		for i, v := range p.first.low {
			p.spectrum[i] = complex(v, 0)
		}
		if len(two) == 2 {
			p.second = two[1]
			for i, v := range p.second.low {
				p.spectrum[i] += complex(0, -v) // conjugated below
			}
		}
		c.fft.forward(p.spectrum)
		for i, v := range p.spectrum {
			p.spectrum[i] = complex(real(v), -imag(v))
		}
		c.pairs = append(c.pairs, p)
	}
	return c, nil
}

// IDs returns the ids of the prompts, in the order they were given.
func (c *Catalogue) IDs() []string {
	var ids []string
	for _, p := range c.prompts {
		ids = append(ids, p.id)
	}
	return ids
}

func prepare(in Prompt) (*prompt, error) {
	p := &prompt{id: in.ID, pcm: in.PCM}
	peak := 0
	for _, s := range in.PCM {
		peak = max(peak, abs(int(s)))
	}
	loud := func(s int16) bool { return float64(abs(int(s))) > floor*float64(peak) }
	p.lead = slices.IndexFunc(in.PCM, loud)
	for p.tail = len(in.PCM); p.tail > 0 && !loud(in.PCM[p.tail-1]); p.tail-- {
	}
	if p.lead < 0 || p.tail-p.lead < shortest {
		return nil, fmt.Errorf("%w: %q has less than 0.2 s of sound", ErrPrompt, in.ID)
	}
	beginning := in.PCM[p.lead:min(p.lead+prefix, p.tail)]
	p.low = decimate(nil, beginning, true)
	p.norm = norm(p.low)
	p.findAudible()
	return p, nil
}

// findAudible marks the blocks that have enough sound to tell anything.
func (p *prompt) findAudible() {
	var energy []float64
	total := 0.0
	for at := p.lead; at < p.tail; at += block {
		e := 0.0
		for _, s := range p.pcm[at:min(at+block, p.tail)] {
			e += float64(s) * float64(s)
		}
		energy = append(energy, e)
		total += e
	}
	for _, e := range energy {
		p.audible = append(p.audible, e > 0.02*total/float64(len(energy)))
	}
}

func abs(n int) int { return max(n, -n) }
