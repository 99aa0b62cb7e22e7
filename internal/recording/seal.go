package recording

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"

	"filippo.io/age"
)

const (
	partSuffix      = ".wav.age.part"
	sealedSuffix    = ".wav.age"
	truncatedSuffix = ".truncated.age"

	chunkBytes  = 64 << 10        // age's plaintext chunk: 4.096 s of two tracks
	sealedChunk = chunkBytes + 16 // with its authentication tag
)

// sealFile is what a recording needs of a file.
type sealFile interface {
	io.Writer
	Reserve(from, to int64) error
	Truncate(size int64) error
	Sync() error
	Close() error
}

type osFile struct{ *os.File }

func (f osFile) Reserve(from, to int64) error { return reserve(f.File, from, to) }

func openPart(path string) (sealFile, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	if err := lock(f); err != nil {
		f.Close()
		return nil, err
	}
	return osFile{f}, nil
}

// sealer writes plaintext as an age file. age keeps one chunk in memory and
// hands each to Write as soon as it is full; nothing here holds it back, so a
// killed process loses one chunk at most, and what the kernel has is safe.
//
// Room on the disk is reserved two chunks ahead. When that fails the disk is
// full while the last chunk still fits: the file can be sealed.
type sealer struct {
	dir, id  string
	f        sealFile
	sum      hash.Hash
	enc      io.WriteCloser
	head     []byte // age's own header, until it is whole
	headDone bool
	n        int64 // bytes written
	reserved int64
	full     error // no room for another chunk
	err      error // the file is broken
	tail     tail
}

// newSealer makes the .part file, with age's header written and the WAV header
// in its first chunk.
func newSealer(o *Options, h Header, keys []age.Recipient) (_ *sealer, err error) {
	plain := wavHeader(h, 0)
	s := &sealer{dir: o.Dir, id: h.ID, sum: sha256.New()}
	s.tail = tail{h: h, keys: keys, head: int64(len(plain)), buf: make([]byte, 0, tailBytes)}
	for _, taken := range []string{s.path(sealedSuffix), s.path(truncatedSuffix)} {
		if _, err := os.Lstat(taken); err == nil {
			return nil, fmt.Errorf("%w: %s", ErrExists, taken)
		}
	}
	switch s.f, err = o.openFile(s.path(partSuffix)); {
	case errors.Is(err, os.ErrExist):
		return nil, fmt.Errorf("%w: %s (a dead process's file: run recovery first)", ErrExists, s.path(partSuffix))
	case err != nil:
		return nil, diskError(err)
	}
	defer func() {
		if err != nil {
			s.f.Close()
			os.Remove(s.path(partSuffix))
		}
	}()
	s.enc, err = age.Encrypt(s, keys...)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	s.headDone = true
	if _, err := s.Write(s.head); err != nil {
		return nil, err
	}
	s.head = nil
	if s.full != nil {
		return nil, s.full
	}
	if err := s.write(plain); err != nil {
		return nil, err
	}
	return s, syncDir(s.dir)
}

func (s *sealer) path(suffix string) string { return filepath.Join(s.dir, s.id+suffix) }

// Write takes ciphertext from age.
func (s *sealer) Write(p []byte) (int, error) {
	if !s.headDone {
		s.head = append(s.head, p...)
		return len(p), nil
	}
	if s.err != nil {
		return 0, s.err
	}
	n, err := s.f.Write(p)
	s.sum.Write(p[:n])
	s.n += int64(n)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	if err != nil {
		s.err = diskError(err)
		return n, s.err
	}
	if ahead := s.n + 2*sealedChunk; ahead > s.reserved {
		from := max(s.reserved, s.n)
		if err := s.f.Reserve(from, ahead); err != nil {
			s.full = diskError(err)
		} else {
			s.reserved = ahead
		}
	}
	return n, nil
}

// write seals p. After an error the file is broken or, if only full is set,
// must be closed now.
func (s *sealer) write(p []byte) error {
	if _, err := s.enc.Write(p); err != nil {
		return err
	}
	if s.tail.add(p) {
		if err := s.writeTail(); err != nil && s.tail.failed == nil {
			s.tail.failed = err
		}
	}
	return s.full
}

// close seals the file and returns its path. If it cannot be sealed, it is left
// under the truncated name and the error says why.
func (s *sealer) close() (path string, err error) {
	err = s.err
	if err == nil {
		err = s.enc.Close()
	}
	if err == nil {
		s.f.Truncate(s.n) // gives back what was reserved; if not, only room is lost
		if err = s.f.Sync(); err != nil {
			err = diskError(err)
		}
	}
	if cerr := s.f.Close(); err == nil && cerr != nil {
		err = diskError(cerr)
	}
	suffix := sealedSuffix
	if err != nil {
		suffix = truncatedSuffix
	}
	path = s.path(suffix)
	s.dropTail(err == nil)
	if rerr := os.Rename(s.path(partSuffix), path); rerr != nil {
		return s.path(partSuffix), errors.Join(err, diskError(rerr))
	}
	return path, errors.Join(err, syncDir(s.dir))
}

// remove throws the file away.
func (s *sealer) remove() error {
	s.f.Close()
	s.dropTail(true)
	if err := os.Remove(s.path(partSuffix)); err != nil {
		return diskError(err)
	}
	return syncDir(s.dir)
}

// diskError tells a full disk from other faults.
func diskError(err error) error {
	if isFull(err) {
		return fmt.Errorf("%w: %w (free some room, or move recording.dir)", ErrDiskFull, err)
	}
	return fmt.Errorf("%w: %w", ErrWrite, err)
}

// syncDir makes a rename in dir outlive a power cut.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return diskError(err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return diskError(err)
	}
	return nil
}
