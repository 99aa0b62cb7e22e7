package recording

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// sealed makes a recording of d and returns it with its plain WAV stream.
func sealed(t testing.TB, d time.Duration) (Result, []byte) {
	t.Helper()
	r, err := New(Options{Dir: t.TempDir(), Recipients: []age.Recipient{keyPair().Recipient()}, MinFree: 1})
	require.NoError(t, err)
	s, err := r.Start(testHead, t0)
	require.NoError(t, err)
	talk(s, 0, d, 0x11, 0x22)
	res, err := s.Stop(t0.Add(d))
	require.NoError(t, err)
	var b bytes.Buffer
	_, err = Open(res.Path, []age.Identity{keyPair()}, &b)
	require.NoError(t, err)
	return res, b.Bytes()
}

func TestOpenCutFile(t *testing.T) {
	res, plain := sealed(t, 10*time.Second)
	file, err := os.ReadFile(res.Path)
	require.NoError(t, err)
	head := len(file) - (len(plain) + 3*16) // age's header and nonce; three chunks
	cut := filepath.Join(t.TempDir(), "cut.truncated.age")
	for name, tc := range map[string]struct{ size, want int }{
		"nothing":                {0, 0},
		"within age's header":    {head / 2, 0},
		"within the nonce":       {head - 3, 0},
		"header only":            {head, 0},
		"within the first chunk": {head + 100, 0},
		"one chunk":              {head + sealedChunk, chunkBytes},
		"a byte into the second": {head + sealedChunk + 1, chunkBytes},
		"a tag into the second":  {head + sealedChunk + 16, chunkBytes},
		"two chunks":             {head + 2*sealedChunk, 2 * chunkBytes},
		"one byte missing":       {len(file) - 1, 2 * chunkBytes},
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, os.WriteFile(cut, file[:tc.size], 0o600))
			var b bytes.Buffer
			info, err := Open(cut, []age.Identity{keyPair()}, &b)
			require.ErrorIs(t, err, ErrTruncated)
			assert.True(t, info.Truncated)
			assert.Equal(t, tc.want, b.Len())
			assert.True(t, bytes.Equal(plain[:tc.want], b.Bytes()))
			if tc.want > 0 {
				assert.Equal(t, testHead.CallID, info.CallID)
			}
			_, err = Verify(cut, [32]byte{}, []age.Identity{keyPair()})
			assert.ErrorIs(t, err, ErrTruncated)
			_, err = Verify(cut, res.SHA256, nil)
			assert.ErrorIs(t, err, ErrTampered)
		})
	}
}

func TestOpenAlteredFile(t *testing.T) {
	res, plain := sealed(t, 10*time.Second)
	file, err := os.ReadFile(res.Path)
	require.NoError(t, err)
	head := len(file) - (len(plain) + 3*16)
	for name, alter := range map[string]func(b []byte) []byte{
		"a bit of the first chunk":    func(b []byte) []byte { b[head+10] ^= 1; return b },
		"a bit of the second chunk":   func(b []byte) []byte { b[head+sealedChunk+10] ^= 1; return b },
		"a bit of the nonce":          func(b []byte) []byte { b[head-1] ^= 1; return b },
		"two chunks swapped":          func(b []byte) []byte { return swap(b, head) },
		"a chunk removed":             func(b []byte) []byte { return append(b[:head], b[head+sealedChunk:]...) },
		"something after the end":     func(b []byte) []byte { return append(b, make([]byte, sealedChunk)...) },
		"a bit of the header's check": func(b []byte) []byte { b[head-30] ^= 1; return b },
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "x.wav.age")
			require.NoError(t, os.WriteFile(path, alter(bytes.Clone(file)), 0o600))
			var b bytes.Buffer
			_, err := Open(path, []age.Identity{keyPair()}, &b)
			require.Error(t, err)
			assert.NotErrorIs(t, err, ErrTruncated)
			assert.Zero(t, b.Len(), "nothing is played")
			_, err = Verify(path, res.SHA256, nil)
			assert.ErrorIs(t, err, ErrTampered)
		})
	}
}

func swap(b []byte, head int) []byte {
	one, two := b[head:head+sealedChunk], b[head+sealedChunk:head+2*sealedChunk]
	tmp := bytes.Clone(one)
	copy(one, two)
	copy(two, tmp)
	return b
}

func TestOpenOtherThings(t *testing.T) {
	dir := t.TempDir()
	ids := []age.Identity{keyPair()}
	_, err := Open(filepath.Join(dir, "none"), ids, io.Discard)
	assert.ErrorIs(t, err, os.ErrNotExist)
	_, err = Verify(filepath.Join(dir, "none"), [32]byte{}, ids)
	assert.ErrorIs(t, err, os.ErrNotExist)

	plain := filepath.Join(dir, "plain.wav")
	require.NoError(t, os.WriteFile(plain, wavHeader(testHead, 0), 0o600))
	_, err = Open(plain, ids, io.Discard)
	assert.ErrorIs(t, err, ErrFormat)

	for name, text := range map[string]string{"a letter": "dear all", "nothing": ""} {
		path := filepath.Join(dir, "letter.age")
		sealBytes(t, path, []byte(text))
		_, err = Open(path, ids, io.Discard)
		assert.ErrorIs(t, err, ErrFormat, name)
	}
	path := filepath.Join(dir, "sum.age")
	sealBytes(t, path, wavHeader(testHead, 0))
	_, err = Verify(path, [32]byte{}, nil)
	assert.ErrorIs(t, err, ErrIdentity, "nothing to verify with")
}

func sealBytes(t testing.TB, path string, plain []byte) {
	t.Helper()
	var b bytes.Buffer
	w, err := age.Encrypt(&b, keyPair().Recipient())
	require.NoError(t, err)
	_, err = w.Write(plain)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	require.NoError(t, os.WriteFile(path, b.Bytes(), 0o600))
}

// TestKilled records in a child process, kills it at several places of a chunk,
// and recovers what it left.
func TestKilled(t *testing.T) {
	if after, err := time.ParseDuration(os.Getenv("CALLWARD_TEST_RECORD")); err == nil {
		recordUntilKilled(os.Getenv("CALLWARD_TEST_RECORD_INTO"), after)
	}
	for _, after := range []time.Duration{ms(3600), ms(4400), 8 * time.Second, ms(12600), ms(15000), ms(16800)} {
		t.Run(after.String(), func(t *testing.T) {
			dir := t.TempDir()
			cmd := exec.Command(os.Args[0], "-test.run=^TestKilled$")
			cmd.Env = append(os.Environ(), "CALLWARD_TEST_RECORD_INTO="+dir, "CALLWARD_TEST_RECORD="+after.String())
			out, err := cmd.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, cmd.Start())
			_, err = io.ReadFull(out, make([]byte, len(recorded)))
			require.NoError(t, err, "the child says when its frames are taken")

			live, err := Recover(dir)
			require.NoError(t, err)
			assert.Empty(t, live, "a living process keeps its file")

			require.NoError(t, cmd.Process.Kill())
			_ = cmd.Wait()
			found, err := Recover(dir)
			require.NoError(t, err)
			require.Len(t, found, 1)
			assert.Equal(t, FileID(testHead.CallID, testHead.Segment), found[0].ID)
			assert.Equal(t, filepath.Join(dir, found[0].ID+truncatedSuffix), found[0].Path)

			var b bytes.Buffer
			_, err = Open(found[0].Path, []age.Identity{keyPair()}, &b)
			require.ErrorIs(t, err, ErrIdentity, "the child's key is its own")
			assert.Zero(t, b.Len())
			ids, err := ReadIdentities(filepath.Join(dir, "key"))
			require.NoError(t, err)
			info, err := Open(found[0].Path, ids, &b)
			require.ErrorIs(t, err, ErrTruncated)
			assert.True(t, info.Truncated)
			assert.Equal(t, testHead.ConsentID, info.ConsentID)
			assert.Greater(t, info.Duration, after-4*time.Second, "less than 4 s are lost")
			ch := channels(t, b.Bytes())
			assert.Len(t, ch[0], int(samples(info.Duration)))
			all(t, 0x11, ch[0])
			all(t, 0x22, ch[1])
			verified, err := Verify(found[0].Path, [32]byte{}, ids)
			require.ErrorIs(t, err, ErrTruncated)
			assert.Equal(t, info.Duration, verified.Duration)

			again, err := Recover(dir)
			require.NoError(t, err)
			assert.Empty(t, again)
		})
	}
}

const recorded = "recorded\n"

func recordUntilKilled(dir string, after time.Duration) {
	key, err := CreateIdentity(filepath.Join(dir, "key"), t0)
	if err != nil {
		panic(err)
	}
	r, err := New(Options{Dir: dir, Recipients: []age.Recipient{key}, MinFree: 1})
	if err != nil {
		panic(err)
	}
	s, err := r.Start(testHead, t0)
	if err != nil {
		panic(err)
	}
	talk(s, 0, after, 0x11, 0x22)
	if err := s.Resume(t0.Add(after)); !errors.Is(err, ErrPaused) { // an order waits for the frames before it
		panic(err)
	}
	os.Stdout.WriteString(recorded)
	select {}
}

func TestTailIsOnlyKeptWhenNeeded(t *testing.T) {
	r := newRecorder(t, nil)
	s := start(t, r)
	talk(s, 0, 3*time.Second, 0x11, 0x22)
	require.ErrorIs(t, s.Resume(t0), ErrPaused)
	assert.FileExists(t, s.out.path(tailSuffix))
	assert.NoFileExists(t, s.out.path(tailNewSuffix))
	res, err := s.Stop(t0.Add(3 * time.Second))
	require.NoError(t, err)
	left, err := os.ReadDir(r.o.Dir)
	require.NoError(t, err)
	require.Len(t, left, 1)
	assert.Equal(t, filepath.Base(res.Path), left[0].Name())
}

func TestRecoverTellsWhenTheLastWasKept(t *testing.T) {
	for name, tail := range map[string]time.Duration{"chunk is newer": -time.Second, "tail is newer": time.Second} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for file, at := range map[string]time.Time{partSuffix: t0, tailSuffix: t0.Add(tail)} {
				path := filepath.Join(dir, "x"+file)
				require.NoError(t, os.WriteFile(path, nil, 0o600))
				require.NoError(t, os.Chtimes(path, at, at))
			}
			found, err := Recover(dir)
			require.NoError(t, err)
			require.Len(t, found, 1)
			assert.True(t, found[0].LastKept.Equal(t0.Add(max(0, tail))), found[0].LastKept)
		})
	}
}

func TestKeyFiles(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "identity.txt")
	key, err := CreateIdentity(path, t0)
	require.NoError(t, err)
	st, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), st.Mode().Perm())
	_, err = CreateIdentity(path, t0)
	assert.ErrorIs(t, err, os.ErrExist, "a key is never overwritten")

	ids, err := ReadIdentities(path)
	require.NoError(t, err)
	require.Len(t, ids, 1)
	assert.IsType(t, &age.HybridIdentity{}, ids[0])

	pub := filepath.Join(dir, "recipients.txt")
	require.NoError(t, WriteRecipients(pub, key))
	keys, err := ReadRecipients(pub)
	require.NoError(t, err)
	assert.Equal(t, key.(*age.HybridRecipient).String(), keys[0].(*age.HybridRecipient).String())

	require.NoError(t, os.Chmod(path, 0o640))
	_, err = ReadIdentities(path)
	assert.ErrorIs(t, err, ErrKeyFile)
	assert.ErrorContains(t, err, "chmod 600 "+path)

	secret, err := os.ReadFile(path)
	require.NoError(t, err)
	bad := filepath.Join(dir, "bad")
	require.NoError(t, os.WriteFile(bad, append(secret, "what\n"...), 0o600))
	_, err = ReadIdentities(bad)
	assert.ErrorIs(t, err, ErrKeyFile)
	_, err = ReadRecipients(bad)
	assert.ErrorIs(t, err, ErrKeyFile)
	assert.NotContains(t, err.Error(), "SECRET", "a key in the wrong place is not repeated")
	_, err = ReadRecipients(filepath.Join(dir, "none"))
	assert.ErrorIs(t, err, ErrKeyFile)
	_, err = ReadIdentities(filepath.Join(dir, "none"))
	assert.ErrorIs(t, err, os.ErrNotExist)
}

func TestNoPlaintextOnDisk(t *testing.T) {
	res, plain := sealed(t, 10*time.Second)
	file, err := os.ReadFile(res.Path)
	require.NoError(t, err)
	assert.Negative(t, bytes.Index(file, plain[100:132]))
	assert.Negative(t, bytes.Index(file, []byte("RIFF")))
	assert.Equal(t, res.SHA256, sha256.Sum256(file))
}
