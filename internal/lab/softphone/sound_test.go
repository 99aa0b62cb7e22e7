package softphone

import (
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/callward/callward/internal/g711"
)

func TestSpeech(t *testing.T) {
	one := Speech(1, 2*time.Second)
	assert.Len(t, one, 16000)
	assert.Equal(t, one, Speech(1, 5*time.Second)[:16000], "longer is only more")
	sum := 0.0
	for _, s := range one {
		sum += float64(s) * float64(s)
	}
	assert.Greater(t, math.Sqrt(sum/16000), 2000.0, "as loud as speech")
	two := Speech(2, 2*time.Second)
	xy, xx, yy := 0.0, 0.0, 0.0
	for i := range one {
		x, y := float64(one[i]), float64(two[i])
		xy, xx, yy = xy+x*y, xx+x*x, yy+y*y
	}
	assert.Less(t, math.Abs(xy)/math.Sqrt(xx*yy), 0.1)
	assert.Empty(t, Speech(1, 0))
}

func TestWAV(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.wav")
	pcm := Speech(4, time.Second)
	require.NoError(t, WriteWAV(path, pcm))
	got, err := ReadWAV(path)
	require.NoError(t, err)
	assert.Equal(t, pcm, got)
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.EqualValues(t, 0o600, info.Mode().Perm())

	ulaw := []byte("RIFF\x00\x00\x00\x00WAVELIST\x03\x00\x00\x00abc\x00fmt \x10\x00\x00\x00\x07\x00\x01\x00\x40\x1f\x00\x00\x40\x1f\x00\x00\x01\x00\x08\x00data\x02\x00\x00\x00\x80\x00")
	got, err = parseWAV(ulaw)
	require.NoError(t, err)
	assert.Equal(t, g711.DecodeAll([]byte{0x80, 0}), got, "mu-law, behind another chunk of odd length")
}

func TestWAVRefuses(t *testing.T) {
	good, err := os.ReadFile(writeWAV(t))
	require.NoError(t, err)
	for name, change := range map[string]func(b []byte) []byte{
		"empty":     func(b []byte) []byte { return nil },
		"not RIFF":  func(b []byte) []byte { b[0] = 'X'; return b },
		"stereo":    func(b []byte) []byte { b[22] = 2; return b },
		"16 kHz":    func(b []byte) []byte { b[25] = 0x3e; return b },
		"8 bit PCM": func(b []byte) []byte { b[34] = 8; return b },
		"A-law":     func(b []byte) []byte { b[20] = 6; return b },
		"no data":   func(b []byte) []byte { return b[:36] },
		"no format": func(b []byte) []byte { copy(b[12:], "junk"); return b },
	} {
		_, err := parseWAV(change(append([]byte(nil), good...)))
		assert.ErrorIsf(t, err, errWAV, "%s", name)
	}
	_, err = ReadWAV("/nowhere.wav")
	assert.ErrorIs(t, err, os.ErrNotExist)
}

func writeWAV(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "b.wav")
	require.NoError(t, WriteWAV(path, Speech(1, 100*time.Millisecond)))
	return path
}

func FuzzParseWAV(f *testing.F) {
	f.Add([]byte("RIFF\x00\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x40\x1f\x00\x00\x80\x3e\x00\x00\x02\x00\x10\x00data\x02\x00\x00\x00\x80\x00"))
	f.Add([]byte("RIFF\x00\x00\x00\x00WAVELIST\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		pcm, err := parseWAV(raw)
		if err != nil {
			require.ErrorIs(t, err, errWAV)
			return
		}
		require.LessOrEqual(t, len(pcm), len(raw))
	})
}
