package prompts

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func tone(hz float64, rate int, amplitude, seconds float64) sound {
	s := sound{rate: rate, samples: make([]float64, int(seconds*float64(rate)))}
	for i := range s.samples {
		s.samples[i] = amplitude * math.Sin(2*math.Pi*hz*float64(i)/float64(rate))
	}
	return s
}

// wav writes s as 16-bit PCM the way espeak-ng streams it: sizes that no file has.
func wav(s sound) []byte {
	b := []byte("RIFF\x24\xf0\xff\x7fWAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00")
	b = binary.LittleEndian.AppendUint32(b, uint32(s.rate))
	b = binary.LittleEndian.AppendUint32(b, uint32(2*s.rate))
	b = append(b, "\x02\x00\x10\x00data\x00\xf0\xff\x7f"...)
	for _, v := range s.samples {
		b = binary.LittleEndian.AppendUint16(b, uint16(int16(math.Round(v*32767))))
	}
	return b
}

func decibel(v float64) float64 { return 20 * math.Log10(v) }

func TestReadWAV(t *testing.T) {
	got, err := readWAV(wav(tone(440, 22050, 0.5, 0.1)))
	require.NoError(t, err)
	assert.Equal(t, 22050, got.rate)
	assert.Len(t, got.samples, 2205)
	assert.InDelta(t, decibel(0.5/math.Sqrt2), decibel(got.rms()), 0.1)

	stereo := append([]byte(nil), wav(tone(440, 8000, 0.5, 0.1))...)
	stereo[22] = 2
	got, err = readWAV(stereo)
	require.NoError(t, err)
	assert.Len(t, got.samples, 400)

	for name, spoil := range map[string]func([]byte) []byte{
		"empty":        func([]byte) []byte { return nil },
		"no RIFF":      func(b []byte) []byte { b[0] = 'X'; return b },
		"no data":      func(b []byte) []byte { return b[:36] },
		"float":        func(b []byte) []byte { b[20] = 3; return b },
		"24 bits":      func(b []byte) []byte { b[34] = 24; return b },
		"no channels":  func(b []byte) []byte { b[22] = 0; return b },
		"slow":         func(b []byte) []byte { b[24], b[25] = 1, 0; return b },
		"data, no fmt": func(b []byte) []byte { return append(b[:12:12], b[36:]...) },
	} {
		_, err := readWAV(spoil(wav(tone(440, 8000, 0.5, 0.01))))
		assert.ErrorIs(t, err, errWAV, name)
	}
}

func TestResample(t *testing.T) {
	for _, from := range []int{11025, 16000, 22050, 24000, 44100, 48000} {
		for _, hz := range []float64{300, 1000, 3000} {
			got := tone(hz, from, 0.5, 0.5).resample()
			require.Equal(t, rate, got.rate)
			require.InDelta(t, 4000, len(got.samples), 1)
			middle := sound{rate: rate, samples: got.samples[400 : len(got.samples)-400]}
			assert.InDelta(t, decibel(0.5/math.Sqrt2), decibel(middle.rms()), 0.3, "%v Hz from %d", hz, from)
		}
		if from < 12000 {
			continue // no such tone fits
		}
		// What would fold back into the band is gone.
		got := tone(5000, from, 0.5, 0.5).resample()
		var peak float64
		for _, v := range got.samples[400 : len(got.samples)-400] {
			peak = max(peak, math.Abs(v))
		}
		assert.Less(t, decibel(peak), -60.0, "5000 Hz from %d", from)
	}
}

func TestTrimAndLevel(t *testing.T) {
	quiet := sound{rate: rate, samples: make([]float64, rate)}
	quiet.samples = append(quiet.samples, tone(500, rate, 0.02, 1).samples...)
	quiet.samples = append(quiet.samples, make([]float64, rate)...)
	got := quiet.trim().level()
	assert.InDelta(t, 1.24, float64(len(got.samples))/rate, 0.01)
	assert.InDelta(t, -18, decibel(got.rms()), 0.1)

	peaky := tone(500, rate, 0.01, 1)
	for i := 0; i < len(peaky.samples); i += 800 {
		peaky.samples[i] = 0.9
	}
	for _, v := range peaky.level().samples {
		require.LessOrEqual(t, math.Abs(v), ceiling)
	}
	assert.Empty(t, sound{rate: rate, samples: make([]float64, rate)}.trim().samples)
}

func TestHoldMusic(t *testing.T) {
	s := holdMusic()
	assert.Len(t, s.samples, 16*rate)
	assert.InDelta(t, -24, decibel(s.rms()), 4, "quieter than speech")
	var peak, jump float64
	for i, v := range s.samples {
		peak = max(peak, math.Abs(v))
		jump = max(jump, math.Abs(v-s.samples[(i+1)%len(s.samples)]))
	}
	assert.Less(t, peak, 0.5)
	assert.Less(t, jump, 0.2, "no click, not even where it repeats")
}

func FuzzReadWAV(f *testing.F) {
	f.Add(wav(tone(440, 22050, 0.5, 0.01)))
	f.Add([]byte("RIFF\xff\xff\xff\xffWAVEdata\xff\xff\xff\xff"))
	f.Add([]byte("RIFF\x00\x00\x00\x00WAVEfmt \xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := readWAV(b)
		if err != nil {
			return
		}
		if len(s.samples) > len(b) || s.rate < rate {
			t.Fatalf("%d samples at %d Hz from %d bytes", len(s.samples), s.rate, len(b))
		}
	})
}

func FuzzText(f *testing.F) {
	f.Add("+1 555 010 0199")
	f.Add("<a>{b}\n")
	f.Fuzz(func(t *testing.T, value string) {
		c := &Catalogue{texts: map[string]map[string]string{"en": {"a": "x {v} {v:digits} y"}}}
		text, err := c.Text("en", "a", map[string]string{"v": value})
		if err != nil {
			return
		}
		for _, r := range text {
			if r < ' ' || r == '<' || r == '{' {
				t.Fatalf("%q", text)
			}
		}
	})
}

func TestSpell(t *testing.T) {
	for in, want := range map[string]string{
		"+15550100199": "5 5 5, 0 1 0, 0 1 9 9",
		"555-010-0199": "5 5 5, 0 1 0, 0 1 9 9",
		"911":          "9 1 1",
		"+442071838":   "4 4 2, 0 7 1, 8 3 8",
		"12":           "1 2",
		"":             "",
	} {
		assert.Equal(t, want, spell(in), in)
	}
}

// writeFileT is a test's file.
func writeFileT(t *testing.T, path string, b []byte) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, b, 0o644))
}
