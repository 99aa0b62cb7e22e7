package recording

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"filippo.io/age"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	t0       = time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	keyPair  = sync.OnceValue(func() *age.HybridIdentity { id, _ := age.GenerateHybridIdentity(); return id })
	testHead = Header{
		CallID: "1772355600.17", Segment: 2, ConsentID: "41", PromptVersion: "9f2c11",
		Language: "es", StartedAt: t0,
	}
)

func ms(n int) time.Duration { return time.Duration(n) * time.Millisecond }

func newRecorder(t *testing.T, change func(*Options)) *Recorder {
	t.Helper()
	o := Options{
		Dir: t.TempDir(), Recipients: []age.Recipient{keyPair().Recipient()}, MinFree: 1,
		Clock: func() time.Time { return t0.Add(time.Hour) }, Logger: slog.New(slog.DiscardHandler),
	}
	if change != nil {
		change(&o)
	}
	r, err := New(o)
	require.NoError(t, err)
	return r
}

func start(t *testing.T, r *Recorder) *Session {
	t.Helper()
	s, err := r.Start(testHead, t0)
	require.NoError(t, err)
	return s
}

// talk pushes batches of 200 ms of both tracks, arriving from from to to.
func talk(s *Session, from, to time.Duration, patient, heard byte) {
	for at := from + ms(200); at <= to; at += ms(200) {
		s.Push(TrackPatient, bytes.Repeat([]byte{patient}, 1600), t0.Add(at))
		s.Push(TrackHeard, bytes.Repeat([]byte{heard}, 1600), t0.Add(at))
		settle(s)
	}
}

// settle waits until the session has taken what was pushed: tests push faster
// than people talk.
func settle(s *Session) {
	for {
		_, a := s.tracks[0].q.peek()
		_, b := s.tracks[1].q.peek()
		if !a && !b {
			return
		}
		select {
		case <-s.done:
			return
		case s.wake <- struct{}{}:
		default:
		}
	}
}

// opened is a sealed file's audio, track by track.
func opened(t *testing.T, path string) (Info, [2][]byte) {
	t.Helper()
	var b bytes.Buffer
	info, err := Open(path, []age.Identity{keyPair()}, &b)
	require.NoError(t, err)
	return info, channels(t, b.Bytes())
}

func channels(t *testing.T, wav []byte) (ch [2][]byte) {
	t.Helper()
	r := bytes.NewReader(wav)
	_, _, err := readWAV(r)
	require.NoError(t, err)
	data, err := io.ReadAll(r)
	require.NoError(t, err)
	for i := 0; i+1 < len(data); i += 2 {
		ch[0], ch[1] = append(ch[0], data[i]), append(ch[1], data[i+1])
	}
	return ch
}

// all checks that a stretch of audio is one value throughout.
func all(t *testing.T, want byte, got []byte) {
	t.Helper()
	for i, b := range got {
		if b != want {
			t.Errorf("sample %d of %d is %#x, want %#x", i, len(got), b, want)
			return
		}
	}
}

func TestRoundTrip(t *testing.T) {
	r := newRecorder(t, nil)
	s := start(t, r)
	part := filepath.Join(r.o.Dir, "1772355600.17-r2.wav.age.part")
	st, err := os.Stat(part)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), st.Mode().Perm())

	talk(s, 0, 12*time.Second, 0x11, 0x22)
	res, err := s.Stop(t0.Add(12 * time.Second))
	require.NoError(t, err)
	assert.NoFileExists(t, part)
	assert.Equal(t, filepath.Join(r.o.Dir, "1772355600.17-r2.wav.age"), res.Path)
	assert.Equal(t, 12*time.Second, res.Duration)
	assert.Equal(t, [2]int{600, 600}, res.Frames)
	assert.Equal(t, [2]int{}, res.Lost)
	assert.Equal(t, [2]int{}, res.Overflow)
	assert.Equal(t, t0.Add(12*time.Second), res.LastFrameAt)
	assert.Equal(t, t0.Add(12*time.Second), res.StoppedAt)
	assert.Zero(t, r.Live())

	info, ch := opened(t, res.Path)
	want := testHead
	want.ID = "1772355600.17-r2"
	assert.Equal(t, want, info.Header)
	assert.Equal(t, res.Duration, info.Duration)
	assert.Equal(t, res.Bytes, info.Bytes)
	assert.Len(t, ch[0], 96000)
	all(t, 0x11, ch[0])
	all(t, 0x22, ch[1])

	verified, err := Verify(res.Path, res.SHA256, nil)
	require.NoError(t, err)
	assert.False(t, verified.Opened)
	verified, err = Verify(res.Path, res.SHA256, []age.Identity{keyPair()})
	require.NoError(t, err)
	assert.Equal(t, want, verified.Header)

	again, err := s.Stop(t0.Add(time.Hour))
	require.NoError(t, err)
	assert.Equal(t, res, again, "stop is idempotent")
	assert.ErrorIs(t, s.Pause(t0), ErrStopped)
	s.Push(0, []byte{1}, t0)
}

func TestX25519Recipients(t *testing.T) {
	id, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	r := newRecorder(t, func(o *Options) { o.Recipients = []age.Recipient{id.Recipient()} })
	s := start(t, r)
	talk(s, 0, time.Second, 1, 2)
	res, err := s.Stop(t0.Add(time.Second))
	require.NoError(t, err)
	_, err = Open(res.Path, []age.Identity{id}, io.Discard)
	require.NoError(t, err)
	_, err = Open(res.Path, []age.Identity{keyPair()}, io.Discard)
	assert.ErrorIs(t, err, ErrIdentity)
	_, err = Open(res.Path, nil, io.Discard)
	assert.ErrorIs(t, err, ErrIdentity)
}

func TestStopDropsWhatArrivedLater(t *testing.T) {
	r := newRecorder(t, nil)
	s := start(t, r)
	talk(s, 0, 3*time.Second, 0x11, 0x22)
	talk(s, 3*time.Second, 3400*time.Millisecond, 0x77, 0x77) // before the key was acted on
	res, err := s.Stop(t0.Add(3050 * time.Millisecond))
	require.NoError(t, err)
	assert.Equal(t, 3050*time.Millisecond, res.Duration)
	assert.Equal(t, t0.Add(3*time.Second), res.LastFrameAt)
	assert.Equal(t, [2]int{150, 150}, res.Frames)
	_, ch := opened(t, res.Path)
	for i := range ch {
		assert.Negative(t, bytes.IndexByte(ch[i], 0x77))
		all(t, silence, ch[i][24000:])
	}
}

func TestPauseIsNotWritten(t *testing.T) {
	r := newRecorder(t, nil)
	s := start(t, r)
	talk(s, 0, 2*time.Second, 0x11, 0x22)
	require.NoError(t, s.Pause(t0.Add(2*time.Second)))
	assert.ErrorIs(t, s.Pause(t0.Add(2*time.Second)), ErrPaused)
	talk(s, 2*time.Second, 5*time.Second, 0x77, 0x77)
	require.NoError(t, s.Resume(t0.Add(5*time.Second)))
	assert.ErrorIs(t, s.Resume(t0.Add(5*time.Second)), ErrPaused)
	// Half of the first batch after Resume was spoken before it.
	half := append(bytes.Repeat([]byte{0x77}, 800), bytes.Repeat([]byte{0x33}, 800)...)
	s.Push(0, bytes.Repeat([]byte{0x77}, 800), t0.Add(5*time.Second))
	s.Push(1, bytes.Repeat([]byte{0x77}, 800), t0.Add(5*time.Second))
	s.Push(0, half[800:], t0.Add(5100*time.Millisecond))
	s.Push(1, half[800:], t0.Add(5100*time.Millisecond))
	talk(s, 5100*time.Millisecond, 7100*time.Millisecond, 0x33, 0x33)
	require.NoError(t, s.Pause(t0.Add(7100*time.Millisecond)))
	talk(s, 7100*time.Millisecond, 9100*time.Millisecond, 0x77, 0x77)
	res, err := s.Stop(t0.Add(9 * time.Second))
	require.NoError(t, err)
	assert.Equal(t, 4100*time.Millisecond, res.Duration)
	assert.Equal(t, []Mark{
		{Offset: 2 * time.Second, PausedAt: t0.Add(2 * time.Second), ResumedAt: t0.Add(5 * time.Second)},
		{Offset: 4100 * time.Millisecond, PausedAt: t0.Add(7100 * time.Millisecond)},
	}, res.Marks)
	assert.Equal(t, [2]int{}, res.Lost)
	_, ch := opened(t, res.Path)
	assert.Negative(t, bytes.IndexByte(ch[0], 0x77))
	all(t, 0x11, ch[0][:16000])
	all(t, 0x33, ch[0][len(ch[0])-16000:])
}

func TestDiscard(t *testing.T) {
	for name, tc := range map[string]struct {
		stop      func(*Session) (Result, error)
		discarded bool
	}{
		"short":          {func(s *Session) (Result, error) { return s.StopOrDiscard(t0.Add(4*time.Second), 10*time.Second) }, true},
		"long enough":    {func(s *Session) (Result, error) { return s.StopOrDiscard(t0.Add(4*time.Second), 4*time.Second) }, false},
		"discard":        {func(s *Session) (Result, error) { return s.Discard(t0.Add(4 * time.Second)) }, true},
		"stopped before": {func(s *Session) (Result, error) { s.Stop(t0.Add(4 * time.Second)); return s.Discard(t0) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRecorder(t, nil)
			s := start(t, r)
			talk(s, 0, 4*time.Second, 1, 2)
			res, err := tc.stop(s)
			require.NoError(t, err)
			assert.Equal(t, tc.discarded, res.Discarded)
			left, err := os.ReadDir(r.o.Dir)
			require.NoError(t, err)
			assert.Equal(t, tc.discarded, len(left) == 0)
			assert.Equal(t, tc.discarded, res.Path == "")
		})
	}
}

func TestStartRefuses(t *testing.T) {
	passphrase, err := age.NewScryptRecipient("secret")
	require.NoError(t, err)
	classic, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	for name, keys := range map[string][]age.Recipient{
		"no key":                    nil,
		"a passphrase":              {passphrase},
		"post-quantum with classic": {keyPair().Recipient(), classic.Recipient()},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := New(Options{Dir: t.TempDir(), Recipients: keys})
			assert.ErrorIs(t, err, ErrKey)
		})
	}
	t.Run("key went away", func(t *testing.T) {
		keys, kerr := []age.Recipient{keyPair().Recipient()}, error(nil)
		r := newRecorder(t, func(o *Options) { o.Keys = func() ([]age.Recipient, error) { return keys, kerr } })
		kerr = os.ErrNotExist
		_, err := r.Start(testHead, t0)
		assert.ErrorIs(t, err, ErrKey)
		assert.ErrorIs(t, r.Ready(), ErrKey)
	})
	t.Run("too little room", func(t *testing.T) {
		r := newRecorder(t, func(o *Options) { o.MinFree = 1 << 62 })
		_, err := r.Start(testHead, t0)
		assert.ErrorIs(t, err, ErrDiskFull)
		assert.ErrorContains(t, err, "recording.min_free")
	})
	t.Run("bad id", func(t *testing.T) {
		r := newRecorder(t, nil)
		for _, id := range []string{"../x", "a/b", ".hidden", "a b", strings.Repeat("x", 201)} {
			_, err := r.Start(Header{ID: id}, t0)
			assert.ErrorIs(t, err, ErrBadID, id)
		}
		_, err := r.Start(Header{Segment: 1}, t0)
		assert.ErrorIs(t, err, ErrBadID)
	})
	t.Run("id used", func(t *testing.T) {
		r := newRecorder(t, nil)
		s := start(t, r)
		_, err := r.Start(testHead, t0)
		assert.ErrorIs(t, err, ErrExists)
		_, err = s.Stop(t0)
		require.NoError(t, err)
		_, err = r.Start(testHead, t0)
		assert.ErrorIs(t, err, ErrExists)
	})
	t.Run("closed", func(t *testing.T) {
		r := newRecorder(t, nil)
		s := start(t, r)
		require.NoError(t, r.Close(t0.Add(time.Second)))
		require.NoError(t, r.Close(t0.Add(time.Second)))
		<-s.Done()
		_, err := r.Start(testHead, t0)
		assert.ErrorIs(t, err, ErrStopped)
	})
}

// smallDisk is a file on a disk with room for so many bytes.
type smallDisk struct {
	osFile
	room     int64
	reserves bool
	used     int64
	syncErr  error
}

func (d *smallDisk) Reserve(from, to int64) error {
	if d.reserves && to > d.room {
		return syscall.ENOSPC
	}
	return nil
}

func (d *smallDisk) Write(p []byte) (int, error) {
	if left := d.room - d.used; int64(len(p)) > left {
		n, _ := d.osFile.Write(p[:left])
		d.used += int64(n)
		return n, syscall.ENOSPC
	}
	d.used += int64(len(p))
	return d.osFile.Write(p)
}

func (d *smallDisk) Sync() error { return errors.Join(d.syncErr, d.osFile.Sync()) }

func onDisk(d smallDisk) func(*Options) {
	return func(o *Options) {
		o.openFile = func(path string) (sealFile, error) {
			f, err := openPart(path)
			if err == nil {
				d.osFile = f.(osFile)
			}
			return &d, err
		}
	}
}

func TestDiskFull(t *testing.T) {
	t.Run("room was reserved: sealed", func(t *testing.T) {
		r := newRecorder(t, onDisk(smallDisk{room: 300_000, reserves: true}))
		s := start(t, r)
		talk(s, 0, 60*time.Second, 0x11, 0x22)
		assert.ErrorIs(t, <-s.Failed(), ErrDiskFull)
		res, err := s.Stop(t0.Add(60 * time.Second))
		assert.ErrorIs(t, err, ErrDiskFull)
		assert.False(t, res.Truncated)
		assert.Greater(t, res.Duration, 8*time.Second)
		info, ch := opened(t, res.Path)
		assert.Equal(t, res.Duration, info.Duration)
		all(t, 0x11, ch[0])
		_, err = Verify(res.Path, res.SHA256, nil)
		assert.NoError(t, err)
	})
	t.Run("no reservation: what authenticates", func(t *testing.T) {
		r := newRecorder(t, onDisk(smallDisk{room: 200_000}))
		s := start(t, r)
		talk(s, 0, 60*time.Second, 0x11, 0x22)
		assert.ErrorIs(t, <-s.Failed(), ErrDiskFull)
		res, err := s.Stop(t0.Add(60 * time.Second))
		assert.ErrorIs(t, err, ErrDiskFull)
		assert.True(t, res.Truncated)
		var b bytes.Buffer
		info, err := Open(res.Path, []age.Identity{keyPair()}, &b)
		assert.ErrorIs(t, err, ErrTruncated)
		assert.InDelta(t, 13.8, info.Duration.Seconds(), 0.2, "three chunks and a tail")
		assert.Len(t, channels(t, b.Bytes())[0], int(samples(info.Duration)))
		_, err = Verify(res.Path, res.SHA256, nil)
		assert.NoError(t, err, "the hash is of what is there")
		select {
		case err := <-s.Failed():
			t.Fatalf("failed twice: %v", err)
		default:
		}
	})
	t.Run("before the first chunk", func(t *testing.T) {
		r := newRecorder(t, onDisk(smallDisk{room: 100}))
		_, err := r.Start(testHead, t0)
		assert.ErrorIs(t, err, ErrDiskFull)
		left, _ := os.ReadDir(r.o.Dir)
		assert.Empty(t, left, "nothing is left behind")
	})
	t.Run("sync fails", func(t *testing.T) {
		r := newRecorder(t, onDisk(smallDisk{room: 1 << 30, syncErr: syscall.EIO}))
		s := start(t, r)
		res, err := s.Stop(t0.Add(time.Second))
		assert.ErrorIs(t, err, ErrWrite)
		assert.True(t, res.Truncated)
		assert.ErrorIs(t, <-s.Failed(), ErrWrite)
	})
}

// TestPushDuringStuckDisk: a disk that does not answer costs audio, not time.
func TestPushDuringStuckDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		r := newRecorder(t, func(o *Options) {
			o.StallAfter = time.Hour
			o.openFile = func(path string) (sealFile, error) {
				f, err := openPart(path)
				return &stuckDisk{osFile: f.(osFile), gate: gate}, err
			}
		})
		s := start(t, r)
		for at := ms(200); at <= 20*time.Second; at += ms(200) {
			s.Push(0, make([]byte, 1600), t0.Add(at))
			s.Push(1, make([]byte, 1600), t0.Add(at))
			synctest.Wait()
		}
		close(gate)
		res, err := s.Stop(t0.Add(20 * time.Second))
		require.NoError(t, err)
		assert.Greater(t, res.Overflow[0], 500)
		assert.Equal(t, 20*time.Second, res.Duration, "silence stands in for it")
		assert.Equal(t, 1000, res.Frames[0]+res.Overflow[0])
	})
}

type stuckDisk struct {
	osFile
	gate chan struct{}
	n    int
}

func (d *stuckDisk) Write(p []byte) (int, error) {
	if d.n++; d.n > 1 { // the header gets through
		<-d.gate
	}
	return d.osFile.Write(p)
}

func TestWatchdog(t *testing.T) {
	for name, tc := range map[string]struct {
		pushed [2]int // frames a second
		track  int    // stalled, -1 none
	}{
		"both alive":      {[2]int{50, 50}, -1},
		"nothing heard":   {[2]int{50, 0}, 1},
		"patient gone":    {[2]int{0, 50}, 0},
		"a trickle":       {[2]int{50, 10}, 1},
		"lossy but alive": {[2]int{30, 50}, -1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRecorder(t, nil)
				begin := time.Now()
				s, err := r.Start(testHead, begin)
				require.NoError(t, err)
				for range 30 {
					for i, n := range tc.pushed {
						if n > 0 {
							s.Push(i, make([]byte, n*frameBytes), time.Now().Add(time.Second))
						}
					}
					time.Sleep(time.Second) // fake clock
				}
				if tc.track < 0 {
					_, err := s.Stop(time.Now())
					assert.NoError(t, err)
					return
				}
				var stalled *StalledError
				require.ErrorAs(t, <-s.Failed(), &stalled)
				assert.Equal(t, tc.track, stalled.Track)
				res, err := s.Stop(time.Now())
				assert.ErrorIs(t, err, ErrStalled)
				_, err = Verify(res.Path, res.SHA256, []age.Identity{keyPair()})
				assert.NoError(t, err, "what exists is sealed")
				assert.InDelta(t, 5, res.Duration.Seconds(), 2)
			})
		})
	}
}

func TestConcurrentUse(t *testing.T) {
	r := newRecorder(t, func(o *Options) { o.StallAfter = time.Minute })
	s := start(t, r)
	var wg sync.WaitGroup
	for track := range 2 {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(1, uint64(track)))
			for at := time.Duration(0); at < 30*time.Second; {
				n := 1 + rnd.IntN(20)
				at += time.Duration(n) * ms(20)
				s.Push(track, make([]byte, n*frameBytes), t0.Add(at))
			}
		})
	}
	wg.Go(func() {
		for i := range 10 {
			_ = s.Pause(t0.Add(time.Duration(i) * time.Second))
			_ = s.Resume(t0.Add(time.Duration(i)*time.Second + ms(500)))
		}
	})
	wg.Wait()
	var stops sync.WaitGroup
	for range 4 {
		stops.Go(func() {
			res, err := s.Stop(t0.Add(30 * time.Second))
			assert.NoError(t, err)
			assert.NotEmpty(t, res.Path)
		})
	}
	stops.Wait()
}
