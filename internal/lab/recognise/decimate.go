package recognise

import "math"

const (
	rate      = 8000
	decimated = 4 // 8 kHz to 2 kHz
	taps      = 33
)

// lowpass is a windowed sinc at 900 Hz for the decimation.
var lowpass = func() (h [taps]float64) {
	const cutoff = 900.0 / rate
	sum := 0.0
	for i := range h {
		x := float64(i - taps/2)
		v := 2 * cutoff
		if x != 0 {
			v = math.Sin(2*math.Pi*cutoff*x) / (math.Pi * x)
		}
		v *= 0.54 + 0.46*math.Cos(2*math.Pi*x/taps)
		h[i], sum = v, sum+v
	}
	for i := range h {
		h[i] /= sum
	}
	return h
}()

// decimate appends to low what pcm, heard from its beginning, adds at 2 kHz:
// low[i] is centred on pcm[4i]. With more to come, samples whose filter
// reaches beyond pcm are left for the next call.
func decimate(low []float64, pcm []int16, last bool) []float64 {
	for {
		centre := len(low) * decimated
		if centre >= len(pcm) || !last && centre+taps/2 >= len(pcm) {
			return low
		}
		sum := 0.0
		for i, h := range lowpass {
			if at := centre + i - taps/2; at >= 0 && at < len(pcm) {
				sum += h * float64(pcm[at])
			}
		}
		low = append(low, sum)
	}
}
