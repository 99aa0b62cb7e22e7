package prompts

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/callward/callward/internal/g711"
)

// rate is Asterisk's for G.711, in samples a second.
const rate = 8000

// sound is mono samples, full scale 1.
type sound struct {
	rate    int
	samples []float64
}

// errWAV: not a WAV file of a kind we read.
var errWAV = errors.New("not a WAV file with 16-bit or mu-law samples")

// readWAV reads RIFF WAVE with 16-bit PCM (tag 1 or extensible) or G.711 mu-law (tag
// 7), mixing channels. Writers that stream, espeak-ng among them, put impossible
// sizes in the header: what follows "data" is then taken to the end.
func readWAV(b []byte) (sound, error) {
	if len(b) < 12 || string(b[:4]) != "RIFF" || string(b[8:12]) != "WAVE" {
		return sound{}, errWAV
	}
	var tag, channels, bits uint16
	var s sound
	for b = b[12:]; len(b) >= 8; {
		id, size := string(b[:4]), uint64(binary.LittleEndian.Uint32(b[4:8]))
		b = b[8:]
		body := b[:min(size, uint64(len(b)))]
		switch {
		case id == "fmt " && len(body) >= 16:
			tag = binary.LittleEndian.Uint16(body)
			channels = binary.LittleEndian.Uint16(body[2:])
			s.rate = int(binary.LittleEndian.Uint32(body[4:]))
			bits = binary.LittleEndian.Uint16(body[14:])
			if tag == 0xfffe && len(body) >= 26 {
				tag = binary.LittleEndian.Uint16(body[24:])
			}
		case id == "data":
			if channels < 1 || channels > 8 || s.rate < rate || s.rate > 192000 {
				return sound{}, fmt.Errorf("%w: %d channels at %d Hz", errWAV, channels, s.rate)
			}
			switch {
			case tag == 1 && bits == 16:
				s.samples = mix(int(channels), len(body)/2, func(i int) float64 {
					return float64(int16(binary.LittleEndian.Uint16(body[2*i:]))) / 32768
				})
			case tag == 7 && bits == 8:
				s.samples = mix(int(channels), len(body), func(i int) float64 {
					return float64(g711.Decode(body[i])) / 32768
				})
			default:
				return sound{}, fmt.Errorf("%w: format %d with %d bits", errWAV, tag, bits)
			}
			return s, nil
		}
		b = b[min(size+size%2, uint64(len(b))):]
	}
	return sound{}, errWAV
}

func mix(channels, n int, at func(int) float64) []float64 {
	out := make([]float64, n/channels)
	for i := range out {
		for c := range channels {
			out[i] += at(i*channels+c) / float64(channels)
		}
	}
	return out
}

// resample brings s to 8 kHz. Everything above 3.6 kHz is taken out first (a
// Blackman-windowed sinc, more than 70 dB down at 4.4 kHz), or it would come back as
// other tones.
func (s sound) resample() sound {
	if s.rate == rate {
		return s
	}
	const (
		cutoff = 3600.0
		half   = 0.0035 // seconds on each side
	)
	// The position of output i among the inputs is i*down/up: only up different
	// fractions occur, one filter each.
	g := gcd(s.rate, rate)
	up, down := rate/g, s.rate/g
	width := int(half * float64(s.rate))
	omega := 2 * cutoff / float64(s.rate)
	filters := make([][]float64, up)
	for phase := range filters {
		filters[phase] = make([]float64, 2*width+1)
		for k := range filters[phase] {
			x := float64(k-width) - float64(phase)/float64(up)
			w := 0.42 + 0.5*math.Cos(math.Pi*x/float64(width+1)) + 0.08*math.Cos(2*math.Pi*x/float64(width+1))
			filters[phase][k] = omega * sinc(omega*x) * w
		}
	}
	padded := make([]float64, len(s.samples)+2*width)
	copy(padded[width:], s.samples)
	out := make([]float64, len(s.samples)*up/down)
	for i := range out {
		at := i * down / up
		var sum float64
		for k, h := range filters[i*down%up] {
			sum += h * padded[at+k]
		}
		out[i] = sum
	}
	return sound{rate: rate, samples: out}
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

func sinc(x float64) float64 {
	if x == 0 {
		return 1
	}
	return math.Sin(math.Pi*x) / (math.Pi * x)
}

// Levels, full scale being 1.
var (
	goal    = math.Pow(10, -18.0/20) // RMS of the spoken parts
	ceiling = math.Pow(10, -1.5/20)  // no sample is above
	floor   = math.Pow(10, -50.0/20) // silence is below
)

// trim cuts silence from both ends, leaving 80 ms before and 160 ms after.
func (s sound) trim() sound {
	first, last := -1, -1
	for i, v := range s.samples {
		if math.Abs(v) > floor {
			if first < 0 {
				first = i
			}
			last = i
		}
	}
	if first < 0 {
		return sound{rate: s.rate}
	}
	lead, tail := s.rate*80/1000, s.rate*160/1000
	out := make([]float64, lead, lead+last-first+1+tail)
	out = append(out, s.samples[first:last+1]...)
	return sound{rate: s.rate, samples: append(out, make([]float64, tail)...)}
}

// level brings the spoken parts to the goal and bends peaks under the ceiling.
func (s sound) level() sound {
	now := s.rms()
	if now == 0 {
		return s
	}
	gain := goal / now
	knee := ceiling * 0.6
	out := make([]float64, len(s.samples))
	for i, v := range s.samples {
		v *= gain
		if a := math.Abs(v); a > knee {
			v = math.Copysign(knee+(ceiling-knee)*math.Tanh((a-knee)/(ceiling-knee)), v)
		}
		out[i] = v
	}
	return sound{rate: s.rate, samples: out}
}

// rms is the level of the 20 ms blocks that are not silent.
func (s sound) rms() float64 {
	block := s.rate / 50
	var sum float64
	var n int
	for i := 0; i+block <= len(s.samples); i += block {
		var e float64
		for _, v := range s.samples[i : i+block] {
			e += v * v
		}
		if math.Sqrt(e/float64(block)) > floor {
			sum += e
			n += block
		}
	}
	if n == 0 {
		return 0
	}
	return math.Sqrt(sum / float64(n))
}

// ulaw encodes s, which must be at 8 kHz.
func (s sound) ulaw() []byte {
	out := make([]byte, len(s.samples))
	for i, v := range s.samples {
		out[i] = g711.Encode(int16(math.Round(max(-1, min(1, v)) * 32767)))
	}
	return out
}

// holdMusic is sixteen seconds of soft tones that end where they begin, so that they
// can be repeated: a broken chord, each note swelling and fading.
func holdMusic() sound {
	notes := []float64{261.63, 329.63, 392.00, 523.25, 440.00, 349.23, 392.00, 329.63}
	const seconds = 2
	s := sound{rate: rate, samples: make([]float64, len(notes)*seconds*rate)}
	for n, hz := range notes {
		for i := range 2 * seconds * rate { // each note lasts into the next
			t := float64(i) / rate
			swell := math.Sin(math.Pi * t / (2 * seconds))
			v := 0.09 * swell * swell * (math.Sin(2*math.Pi*hz*t) + 0.3*math.Sin(4*math.Pi*hz*t))
			s.samples[(n*seconds*rate+i)%len(s.samples)] += v
		}
	}
	return s
}
