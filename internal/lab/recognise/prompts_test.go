package recognise_test

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/callward/callward/internal/g711"
	"github.com/callward/callward/internal/lab"
	"github.com/callward/callward/internal/lab/recognise"
)

// rendered returns every prompt that is played, in both languages, as one
// voice speaks them.
func rendered(t *testing.T) []recognise.Prompt {
	t.Helper()
	in, err := lab.Fetch(t.Context(), lab.FetchOptions{})
	require.NoError(t, err)
	r, err := lab.Prompts(in, "", nil)
	require.NoError(t, err)
	vars := map[string]string{"organisation": "Sample Clinic", "callback": "+15550100199", "agent": "Alice Adams"}
	var all []recognise.Prompt
	for _, lang := range r.Catalogue().Languages() {
		for _, id := range r.Catalogue().IDs() {
			pcm, err := r.PCM(t.Context(), lang, id, vars)
			require.NoErrorf(t, err, "%s %s", lang, id)
			all = append(all, recognise.Prompt{ID: lang + "/" + id, PCM: pcm})
		}
	}
	return all
}

// line is what a telephone line does to a prompt: gain, then mu-law.
func line(pcm []int16, gain float64) []int16 {
	out := make([]int16, len(pcm))
	for i, s := range pcm {
		out[i] = g711.Decode(g711.Encode(int16(float64(s) * gain)))
	}
	return out
}

// lastSound returns where the last sound of pcm ends.
func lastSound(pcm []int16) int {
	peak := int16(0)
	for _, s := range pcm {
		peak = max(peak, s, -s)
	}
	for n := len(pcm); n > 0; n-- {
		if s := pcm[n-1]; max(s, -s) > peak/20 {
			return n
		}
	}
	return 0
}

func silence(n int) []int16 { return make([]int16, n) }

func join(parts ...[]int16) (all []int16) {
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

// TestRenderedPrompts puts the real prompts through what a line may do to
// them. Each must be found where it is, as itself, and nothing else.
func TestRenderedPrompts(t *testing.T) {
	all := rendered(t)
	c, err := recognise.NewCatalogue(all)
	require.NoError(t, err)
	for _, row := range []struct {
		name    string
		turn    int
		disturb func(rng *rand.Rand, pcm []int16) []int16
		whole   bool
		score   float64
	}{
		{"quiet", 0, func(_ *rand.Rand, pcm []int16) []int16 { return line(pcm, 0.05) }, true, 0.99},
		{"a frame in thirty lost", 1, func(rng *rand.Rand, pcm []int16) []int16 {
			out := line(pcm, 0.7)
			for at := 0; at+160 <= len(out); at += 160 {
				if rng.IntN(30) == 0 {
					clear(out[at : at+160])
				}
			}
			return out
		}, true, 0.9},
		{"a gap of 40 ms after one second", 2, func(_ *rand.Rand, pcm []int16) []int16 {
			out := line(pcm, 0.7)
			cut := min(8000, len(out))
			return join(out[:cut], silence(320), out[cut:])
		}, true, 0.9},
		{"stopped after 1.2 s", 3, func(_ *rand.Rand, pcm []int16) []int16 {
			return line(pcm[:min(9600, len(pcm))], 0.7)
		}, false, 0.95},
	} {
		t.Run(row.name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(4, 2))
			least, later := 1.0, 0
			for i, p := range all {
				if i%thin != row.turn%thin {
					continue
				}
				lead := 2000 + rng.IntN(2000)
				heard := join(silence(lead), row.disturb(rng, p.PCM), silence(8000))
				got := c.Find(heard)
				if !assert.Lenf(t, got, 1, "%s", p.ID) {
					continue
				}
				m := got[0]
				assert.Truef(t, m.Is(p.ID), "%s was taken for %s", p.ID, m.ID)
				assert.InDeltaf(t, lead, m.Start, 1, "%s: where it began", p.ID)
				assert.Truef(t, m.Ended, "%s: ended", p.ID)
				assert.GreaterOrEqualf(t, m.Score, row.score, "%s: score", p.ID)
				if row.whole {
					assert.Truef(t, m.Whole(), "%s: heard %.2f of it", p.ID, m.Fraction)
					assert.Emptyf(t, m.Also, "%s: others fit as well", p.ID)
				} else {
					cut := min(9600, len(p.PCM))
					assert.GreaterOrEqualf(t, m.End, lead+lastSound(p.PCM[:cut])-640, "%s: where it was cut", p.ID)
					assert.LessOrEqualf(t, m.End, lead+cut+160, "%s: where it was cut", p.ID)
				}
				least = min(least, m.Score)
				later += len(m.Also)
			}
			t.Logf("least score %.3f; prompts that others fit as well: %d", least, later)
		})
	}
}

// TestRenderedConfusion measures the margin: no prompt, told that it is not
// in the catalogue, may be taken for another one and be called whole.
func TestRenderedConfusion(t *testing.T) {
	all := rendered(t)
	most, pair := 0.0, ""
	for i, p := range all {
		if i%(3*thin) != 0 {
			continue
		}
		others := append(append([]recognise.Prompt(nil), all[:i]...), all[i+1:]...)
		c, err := recognise.NewCatalogue(others)
		require.NoError(t, err)
		for _, m := range c.Find(join(silence(3000), line(p.PCM, 0.7), silence(8000))) {
			assert.Falsef(t, m.Whole(), "%s was taken for %s (%.2f)", p.ID, m.ID, m.Score)
			if m.Score*m.Fraction > most {
				most, pair = m.Score*m.Fraction, p.ID+" for "+m.ID
			}
		}
	}
	t.Logf("greatest score x fraction of a prompt that is not there: %.2f, %s", most, pair)
}
