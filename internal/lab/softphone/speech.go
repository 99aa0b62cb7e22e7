package softphone

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/callward/callward/internal/g711"
)

// Shape of synthetic speech.
const (
	speechLow, speechHigh = 300, 3400 // Hz, the telephone band
	speechTones           = 16        // in one syllable
	speechLevel           = 9000      // RMS of a syllable's middle, below clipping
)

// Speech returns a signal that stands for what one party says: syllables of
// 120 to 280 ms, each a bundle of gliding tones in the telephone band. The
// same seed gives the same samples, a longer d only more of them, and two
// seeds share nothing that correlates, so that a track can be searched for it.
func Speech(seed int, d time.Duration) []int16 {
	rng := rand.New(rand.NewPCG(uint64(seed), 0x5eec4))
	pcm := make([]int16, 0, samples(d)+g711.Rate/2)
	for len(pcm) < samples(d) {
		pcm = append(pcm, syllable(rng)...)
		pcm = append(pcm, make([]int16, 160+rng.IntN(480))...)
	}
	return pcm[:samples(d)]
}

func syllable(rng *rand.Rand) []int16 {
	n := 960 + rng.IntN(1280)
	sum := make([]float64, n)
	for range speechTones {
		from := speechLow + rng.Float64()*(speechHigh-speechLow)
		to := min(max(from*(0.85+0.3*rng.Float64()), speechLow), speechHigh)
		phase := 2 * math.Pi * rng.Float64()
		for i := range sum {
			sum[i] += math.Sin(phase)
			phase += 2 * math.Pi * (from + (to-from)*float64(i)/float64(n)) / g711.Rate
		}
	}
	gain := speechLevel / math.Sqrt(speechTones)
	pcm := make([]int16, n)
	for i, v := range sum {
		envelope := math.Sin(math.Pi * (float64(i) + 0.5) / float64(n))
		pcm[i] = int16(max(min(v*gain*envelope, math.MaxInt16), math.MinInt16))
	}
	return pcm
}
