package recording

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"os"

	"filippo.io/age"
)

const ageNonceBytes = 16 // between age's header and its first chunk

// Open decrypts a recording into w as a WAV stream. The whole file is
// authenticated before the first byte is written: if any part of it was
// altered, nothing is written and the error is ErrTampered (rule
// recording.secure). If the file merely ends before its seal, what
// authenticates is written and the error is ErrTruncated; an altered last,
// short chunk looks the same, so compare the hash (Verify) of a file that was
// sealed. Other errors: ErrIdentity, ErrFormat, and those of w and of the file.
func Open(path string, ids []age.Identity, w io.Writer) (Info, error) {
	f, err := os.Open(path)
	if err != nil {
		return Info{}, err
	}
	defer f.Close()
	info, rest, err := inspect(f, ids)
	if err != nil && !errors.Is(err, ErrTruncated) {
		return info, err
	}
	truncated := err
	if info.Opened {
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return info, err
		}
		plain, _, err := decrypt(f, info.Bytes, ids)
		if err != nil {
			return info, err
		}
		if err := copyPlain(w, plain); err != nil {
			return info, err
		}
	}
	if _, err := w.Write(rest); err != nil {
		return info, err
	}
	return info, truncated
}

// Verify compares the file with the hash kept when it was sealed and, given an
// identity, authenticates every chunk of it. It writes nothing. A zero sum is
// compared with nothing, and then an identity is needed (ErrIdentity). Errors
// as in Open, ErrTampered for a hash that differs.
func Verify(path string, sum [32]byte, ids []age.Identity) (Info, error) {
	f, err := os.Open(path)
	if err != nil {
		return Info{}, err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, f)
	if err != nil {
		return Info{}, err
	}
	info := Info{Bytes: n}
	h.Sum(info.SHA256[:0])
	known := sum != [32]byte{}
	if known && subtle.ConstantTimeCompare(sum[:], info.SHA256[:]) != 1 {
		return info, fmt.Errorf("%w: its hash differs from the one kept at the seal", ErrTampered)
	}
	if len(ids) == 0 {
		if !known {
			return info, fmt.Errorf("%w: no hash is on file, so an identity is needed to verify", ErrIdentity)
		}
		return info, nil
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return info, err
	}
	opened, _, err := inspect(f, ids)
	opened.SHA256 = info.SHA256
	return opened, err
}

// inspect authenticates all of f and reads its header. If f ends before its seal
// and its tail is beside it, rest is what the tail adds.
func inspect(f *os.File, ids []age.Identity) (info Info, rest []byte, err error) {
	st, err := f.Stat()
	if err != nil {
		return Info{}, nil, err
	}
	info.Bytes = st.Size()
	data, err := authenticate(f, &info, ids)
	if !errors.Is(err, ErrTruncated) {
		return info, nil, err
	}
	info.Truncated = true
	h, audio, offset, terr := readTail(f.Name(), ids)
	if terr != nil {
		return info, nil, terr
	}
	if len(audio) > 0 && offset <= data && data < offset+int64(len(audio)) {
		rest = audio[data-offset:]
		data += int64(len(rest))
		if !info.Opened { // it ended within its first chunk, and so within its header
			info.Header = h
			rest = append(wavHeader(h, 0), rest...)
		}
	}
	info.Duration = duration(data / 2)
	return info, rest, fmt.Errorf("%w after %s of audio", ErrTruncated, info.Duration)
}

// authenticate reads all of f, fills info in, and returns how many bytes of
// audio there are.
func authenticate(f *os.File, info *Info, ids []age.Identity) (data int64, err error) {
	plain, payload, err := decrypt(f, info.Bytes, ids)
	if err != nil {
		return 0, err
	}
	in := &counter{r: plain}
	info.Header, _, err = readWAV(in)
	head := in.n
	if err == nil {
		info.Opened = true
		_, err = io.Copy(io.Discard, in)
		data = in.n - head
		info.Duration = duration(data / 2)
	}
	switch good := in.n / chunkBytes; {
	case err == nil:
		return data, nil
	case errors.Is(err, ErrFormat):
		return 0, err
	case in.err == nil || errors.Is(in.err, io.EOF): // all of it authenticates
		return 0, fmt.Errorf("%w: it ends within its header", ErrFormat)
	case in.n%chunkBytes == 0 && cutShort(payload, good):
		return data, ErrTruncated
	default:
		return 0, fmt.Errorf("%w: chunk %d does not authenticate", ErrTampered, good)
	}
}

// cutShort tells whether a payload of that size, whose first good chunks
// authenticate and whose next does not, can be one that just ends too early: the
// bad chunk must be missing or shorter than a chunk.
func cutShort(payload, good int64) bool { return payload-good*sealedChunk < sealedChunk }

// decrypt reads age's header. payload is the size of what follows it.
func decrypt(r io.Reader, size int64, ids []age.Identity) (plain io.Reader, payload int64, err error) {
	if len(ids) == 0 {
		return nil, 0, fmt.Errorf("%w: none given", ErrIdentity)
	}
	in := bufio.NewReader(r)
	if _, err := in.Peek(1); errors.Is(err, io.EOF) {
		return nil, 0, fmt.Errorf("%w: it is empty", ErrTruncated)
	}
	head, err := age.ExtractHeader(in)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, 0, fmt.Errorf("%w: within the header", ErrTruncated)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	payload = size - int64(len(head)) - ageNonceBytes
	if payload < 0 {
		return nil, 0, fmt.Errorf("%w: within the header", ErrTruncated)
	}
	plain, err = age.Decrypt(io.MultiReader(bytes.NewReader(head), in), ids...)
	var none *age.NoIdentityMatchError
	switch {
	case errors.As(err, &none):
		return nil, 0, fmt.Errorf("%w: it is sealed to others", ErrIdentity)
	case err != nil:
		return nil, 0, fmt.Errorf("%w: %w", ErrTampered, err)
	}
	return plain, payload, nil
}

// copyPlain copies until the end or the first chunk that does not authenticate;
// inspect has judged that already. Only errors of w are returned.
func copyPlain(w io.Writer, plain io.Reader) error {
	buf := make([]byte, chunkBytes)
	for {
		n, rerr := plain.Read(buf)
		if _, err := w.Write(buf[:n]); err != nil {
			return err
		}
		if rerr != nil {
			return nil
		}
	}
}

// counter counts what is read and remembers how it ended.
type counter struct {
	r   io.Reader
	n   int64
	err error
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	if err != nil {
		c.err = err
	}
	return n, err
}
