package recording

import (
	"crypto/rand"
	"fmt"
	"io"
	"math"
	"runtime"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/chacha20poly1305"
)

// nullFile is a disk that takes everything.
type nullFile struct{}

func (nullFile) Write(p []byte) (int, error) { return len(p), nil }
func (nullFile) Reserve(int64, int64) error  { return nil }
func (nullFile) Truncate(int64) error        { return nil }
func (nullFile) Sync() error                 { return nil }
func (nullFile) Close() error                { return nil }

// sealingSession is a session without a goroutine that encrypts and hashes to a
// null disk.
func sealingSession(t testing.TB) *Session {
	t.Helper()
	o := Options{Dir: t.TempDir(), openFile: func(string) (sealFile, error) { return nullFile{}, nil }}
	out, err := newSealer(&o, Header{ID: "x", StartedAt: t0}, []age.Recipient{keyPair().Recipient()})
	require.NoError(t, err)
	return newSession(&Recorder{o: o}, Header{ID: "x"}, out, t0)
}

func TestNoAllocationPerFrame(t *testing.T) {
	s := sealingSession(t)
	frame := make([]byte, frameBytes)
	at := t0
	push := func() {
		at = at.Add(ms(20))
		s.Push(0, frame, at)
		s.Push(1, frame, at)
		_ = s.drain(math.MaxInt64)
	}
	for range 500 { // age's buffer grows to a chunk
		push()
	}
	s.out.tail.done = true // the tail allocates, once in a chunk
	assert.Zero(t, testing.AllocsPerRun(150, push))
}

// BenchmarkSealing compares, on one core and in alternation: raw is
// ChaCha20-Poly1305 over chunks of 64 KiB; age is age's writer, fed in pieces of
// the size a recording feeds it. The ratio is age's speed as a part of raw's.
func BenchmarkSealing(b *testing.B) {
	aead, err := chacha20poly1305.New(make([]byte, chacha20poly1305.KeySize))
	require.NoError(b, err)
	w, err := age.Encrypt(io.Discard, keyPair().Recipient())
	require.NoError(b, err)
	chunk := make([]byte, chunkBytes, sealedChunk)
	_, _ = rand.Read(chunk)
	nonce := make([]byte, chacha20poly1305.NonceSize)
	var raw, sealed time.Duration
	b.SetBytes(chunkBytes)
	b.ReportAllocs()
	for b.Loop() {
		begin := time.Now()
		aead.Seal(chunk[:0], nonce, chunk, nil)
		mid := time.Now()
		for p := chunk; len(p) > 0; {
			n, _ := w.Write(p[:min(gather*2*frameBytes, len(p))])
			p = p[n:]
		}
		raw += mid.Sub(begin)
		sealed += time.Since(mid)
	}
	b.ReportMetric(float64(raw)/float64(sealed), "ratio")
	b.ReportMetric(float64(raw.Nanoseconds())/float64(b.N), "raw-ns/op")
	b.ReportMetric(float64(sealed.Nanoseconds())/float64(b.N), "age-ns/op")
}

// BenchmarkSecond is everything the recorder does for one second of a call: two
// tracks in batches of 200 ms, timeline, interleaving, age, hash and tail.
func BenchmarkSecond(b *testing.B) {
	s := sealingSession(b)
	batch := make([]byte, 1600)
	at := t0
	b.SetBytes(2 * rate)
	b.ReportAllocs()
	for b.Loop() {
		for range 5 {
			at = at.Add(ms(200))
			s.Push(0, batch, at)
			s.Push(1, batch, at)
			_ = s.drain(math.MaxInt64)
		}
	}
}

func BenchmarkPush(b *testing.B) {
	s := plainSession(t0, func([]byte) {})
	batch := make([]byte, 1600)
	at := t0
	b.ReportAllocs()
	for b.Loop() {
		at = at.Add(ms(200))
		s.Push(0, batch, at)
		_ = s.tracks[0].q.next()
		s.tracks[0].q.drop(1600)
	}
}

func BenchmarkStartStop(b *testing.B) {
	r, err := New(Options{Dir: b.TempDir(), Recipients: []age.Recipient{keyPair().Recipient()}, MinFree: 1})
	require.NoError(b, err)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		s, err := r.Start(Header{ID: fmt.Sprint("b", i)}, t0)
		require.NoError(b, err)
		_, err = s.Discard(t0)
		require.NoError(b, err)
	}
}

// BenchmarkMemory reports what one running recording holds, and how much of it
// is not age's own: its chunk, and the room age keeps to seal it in.
func BenchmarkMemory(b *testing.B) {
	keys := keyPair().Recipient()
	frames := make([]byte, 1600)
	for b.Loop() {
		chunk := held(func() io.WriteCloser {
			w, err := age.Encrypt(io.Discard, keys)
			require.NoError(b, err)
			for range 50 {
				_, err := w.Write(frames)
				require.NoError(b, err)
				_, err = w.Write(frames)
				require.NoError(b, err)
			}
			return w
		})
		all := held(func() *Session {
			s := sealingSession(b)
			for k := 1; k <= 50; k++ {
				at := t0.Add(time.Duration(k) * ms(200))
				s.Push(0, frames, at)
				s.Push(1, frames, at)
				_ = s.drain(math.MaxInt64)
			}
			return s
		})
		b.ReportMetric(all, "KiB/recording")
		b.ReportMetric(all-chunk, "KiB/beside-chunk")
	}
}

// held is the memory, in KiB, that one of what is made keeps alive.
func held[T any](build func() T) float64 {
	const n = 100
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	all := make([]T, n)
	for i := range all {
		all[i] = build()
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(all)
	return float64(after.HeapAlloc-before.HeapAlloc) / n / 1024
}
