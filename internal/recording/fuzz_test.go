package recording

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// FuzzWAVHeader: whatever is read as a header is written the same again.
func FuzzWAVHeader(f *testing.F) {
	f.Add(wavHeader(testHead, 0))
	f.Add(wavHeader(Header{ID: "a-r1"}, 131072))
	f.Add(wavHeader(testHead, 0)[:60])
	f.Add([]byte("RIFF\xff\xff\xff\xffWAVEdata\xff\xff\xff\xff"))
	f.Add([]byte("RIFF\xff\xff\xff\xffWAVELIST\xff\xff\xff\xffINFO"))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, tail, err := readWAV(bytes.NewReader(b))
		if err != nil || h.StartedAt.IsZero() {
			return
		}
		again, tail2, err := readWAV(bytes.NewReader(wavHeader(h, tail)))
		if err != nil {
			t.Fatalf("a header that was read cannot be written: %v", err)
		}
		assert.Equal(t, tail, tail2)
		assert.True(t, h.StartedAt.Equal(again.StartedAt))
		assert.Equal(t, h.Segment, again.Segment)
	})
}

// FuzzOpen: a sealed file changed at one place, or cut, never yields anything
// but its own beginning, and says that it is not whole.
func FuzzOpen(f *testing.F) {
	res, plain := sealed(f, 5*time.Second)
	file, err := os.ReadFile(res.Path)
	require.NoError(f, err)
	f.Add(len(file), 0, byte(0))
	f.Add(len(file)-1, 0, byte(0))
	f.Add(len(file), 10, byte(1))
	f.Add(len(file), len(file)-1, byte(0x80))
	f.Add(len(file)/2, 30, byte(0))
	f.Add(0, 0, byte(1))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, size, at int, flip byte) {
		size = min(max(size, 0), len(file))
		b := bytes.Clone(file[:size])
		if at >= 0 && at < size {
			b[at] ^= flip
		} else {
			flip = 0
		}
		path := filepath.Join(dir, "f"+truncatedSuffix)
		require.NoError(t, os.WriteFile(path, b, 0o600))
		var out bytes.Buffer
		_, err := Open(path, []age.Identity{keyPair()}, &out)
		whole := size == len(file) && flip == 0
		assert.Equal(t, whole, err == nil)
		assert.True(t, bytes.HasPrefix(plain, out.Bytes()))
		if err != nil && !errors.Is(err, ErrTruncated) {
			assert.Zero(t, out.Len())
		}
	})
}

// FuzzOpenAny: any bytes at all, as a file and as what an age file holds.
func FuzzOpenAny(f *testing.F) {
	f.Add([]byte("age-encryption.org/v1\n-> X25519 abc\n"))
	f.Add(append(wavHeader(testHead, 0), 1, 2, 3))
	f.Add([]byte{})
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(dir, "any.age")
		require.NoError(t, os.WriteFile(path, b, 0o600))
		var out bytes.Buffer
		_, err := Open(path, []age.Identity{keyPair()}, &out)
		require.Error(t, err)
		assert.Zero(t, out.Len())

		sealBytes(t, path, b)
		if _, err := Open(path, []age.Identity{keyPair()}, &out); err == nil {
			assert.True(t, bytes.Equal(b, out.Bytes()))
		} else {
			assert.ErrorIs(t, err, ErrFormat)
		}
	})
}

// FuzzTimeline: any pushes at any times keep the timeline's books.
func FuzzTimeline(f *testing.F) {
	f.Add([]byte{0, 10, 10, 1, 10, 10, 0, 200, 100, 1, 0, 255})
	f.Add([]byte{0, 1, 1, 0, 1, 1, 0, 1, 1, 5, 90, 0, 0, 1, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		var n int64
		s := plainSession(t0, func(p []byte) { n += int64(len(p)) })
		var now time.Duration
		var pushed [2]int64
		p := make([]byte, 255*20)
		for ; len(b) >= 3; b = b[3:] {
			now += time.Duration(b[1]) * ms(10)
			track, size := int(b[0]&1), int64(b[2])*20
			s.Push(track, p[:size], t0.Add(now))
			pushed[track] += size
			require.NoError(t, s.drain(1<<62))
		}
		require.NoError(t, s.finish(samples(now)))
		assert.Equal(t, 2*samples(now), n)
		for i := range s.tracks {
			tr := &s.tracks[i]
			assert.Equal(t, pushed[i], tr.recv+tr.q.dropped(), "every sample is accounted for")
			assert.LessOrEqual(t, tr.taken, tr.recv)
		}
	})
}
