package recording

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"filippo.io/age"
)

// The tail.
//
// age seals 64 KiB at a time, 4.1 s of two tracks, and a killed process loses
// the chunk it was filling, and what waits in the jitter window. So that it loses
// less than 4 s, whatever the instant, the first 24 KiB (1.5 s) of each chunk are
// also sealed by themselves, into a small age file beside the recording, as soon
// as they are there. It is a WAV stream with
// the recording's own header, which says at which byte of the data it belongs,
// so it opens without us too. The next chunk's tail takes its place and the seal
// removes it. Recover keeps it as id.truncated.tail.age, and Open puts the two
// together.
const (
	tailBytes           = 24 << 10
	tailSuffix          = ".wav.age.tail"
	tailNewSuffix       = ".wav.age.tail.new"
	truncatedTailSuffix = ".truncated.tail.age"
)

// tail collects the beginning of the chunk being filled.
type tail struct {
	h      Header
	keys   []age.Recipient
	head   int64 // bytes of the WAV header
	plain  int64 // plaintext handed to age, header included
	buf    []byte
	done   bool // this chunk's tail is written
	failed error
}

// add takes note of plaintext handed to age and tells whether a tail is due.
func (t *tail) add(p []byte) bool {
	for len(p) > 0 {
		room := chunkBytes - t.plain%chunkBytes
		n := min(int64(len(p)), room)
		if t.plain%chunkBytes == 0 {
			t.buf, t.done = t.buf[:0], false
		}
		if keep := min(n, int64(tailBytes-len(t.buf))); keep > 0 {
			t.buf = append(t.buf, p[:keep]...)
		}
		t.plain += n
		p = p[n:]
	}
	return !t.done && len(t.buf) == tailBytes
}

// writeTail seals what add has collected. A fault costs only the tail.
func (s *sealer) writeTail() (err error) {
	t := &s.tail
	t.done = true
	audio := t.buf
	offset := t.plain - t.plain%chunkBytes - t.head // of the data
	if offset < 0 {                                 // the first chunk begins with the header
		audio, offset = audio[t.head:], 0
	}
	f, err := os.OpenFile(s.path(tailNewSuffix), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err = errors.Join(err, f.Close()); err == nil {
			err = os.Rename(s.path(tailNewSuffix), s.path(tailSuffix))
		}
		if err != nil {
			os.Remove(s.path(tailNewSuffix))
		}
	}()
	var whole bytes.Buffer // age writes its header in small pieces
	enc, err := age.Encrypt(&whole, t.keys...)
	if err != nil {
		return err
	}
	if _, err := enc.Write(wavHeader(t.h, offset)); err != nil {
		return err
	}
	if _, err := enc.Write(audio); err != nil {
		return err
	}
	if err := enc.Close(); err != nil {
		return err
	}
	_, err = f.Write(whole.Bytes())
	return err
}

// dropTail removes the tail of a file that has its end, or keeps it beside one
// that has not.
func (s *sealer) dropTail(sealed bool) {
	clear(s.tail.buf)
	if sealed {
		os.Remove(s.path(tailSuffix))
		return
	}
	_ = os.Rename(s.path(tailSuffix), s.path(truncatedTailSuffix))
}

// readTail opens the tail kept beside a truncated recording, if there is one. It
// returns its plaintext after the WAV header, and where in the recording's data
// that belongs. A tail that does not authenticate is an error.
func readTail(path string, ids []age.Identity) (h Header, audio []byte, offset int64, err error) {
	base, ok := strings.CutSuffix(path, truncatedSuffix)
	if !ok {
		return h, nil, 0, nil
	}
	f, err := os.Open(base + truncatedTailSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		return h, nil, 0, nil
	}
	if err != nil {
		return h, nil, 0, err
	}
	defer f.Close()
	plain, _, err := decrypt(f, 1<<20, ids)
	if err != nil {
		return h, nil, 0, fmt.Errorf("%s: %w", f.Name(), err)
	}
	b, err := io.ReadAll(io.LimitReader(plain, chunkBytes))
	if err != nil {
		return h, nil, 0, fmt.Errorf("%w: %s does not authenticate", ErrTampered, f.Name())
	}
	r := bytes.NewReader(b)
	h, offset, err = readWAV(r)
	if err != nil {
		return h, nil, 0, fmt.Errorf("%w: %s: %w", ErrFormat, f.Name(), err)
	}
	return h, b[len(b)-r.Len():], offset, nil
}
