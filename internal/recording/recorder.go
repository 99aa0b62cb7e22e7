package recording

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"filippo.io/age"
)

// Defaults of Options.
const (
	DefaultMinFree    = 64 << 20
	DefaultStallAfter = 5 * time.Second
)

// Recorder makes recordings in one directory.
type Recorder struct {
	o Options

	mu     sync.Mutex
	live   map[*Session]struct{}
	closed bool
}

// New checks that recordings can be sealed and kept: it wants usable recipients
// (ErrKey) and a directory it can make or use (ErrWrite).
func New(o Options) (*Recorder, error) {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.MinFree == 0 {
		o.MinFree = DefaultMinFree
	}
	if o.StallAfter == 0 {
		o.StallAfter = DefaultStallAfter
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.openFile == nil {
		o.openFile = openPart
	}
	if o.free == nil {
		o.free = freeBytes
	}
	if o.Keys == nil {
		keys := o.Recipients
		o.Keys = func() ([]age.Recipient, error) { return keys, nil }
	}
	keys, err := usableKeys(&o)
	if err != nil {
		return nil, err
	}
	if _, err := age.Encrypt(io.Discard, keys...); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, diskError(err)
	}
	return &Recorder{o: o, live: make(map[*Session]struct{})}, nil
}

// usableKeys are the recipients a file can be sealed to right now. A passphrase
// is not one: the machine that records would hold what opens the file.
func usableKeys(o *Options) ([]age.Recipient, error) {
	keys, err := o.Keys()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("%w: none configured (make a pair with `callward init`)", ErrKey)
	}
	for i, k := range keys {
		switch k.(type) {
		case *age.HybridRecipient, *age.X25519Recipient:
		default:
			return nil, fmt.Errorf("%w: recipient %d is neither hybrid nor X25519", ErrKey, i+1)
		}
	}
	return keys, nil
}

// FileID is the id of a recording: the call id and the segment, made safe as a
// file name.
func FileID(callID string, segment int) string {
	safe := strings.Map(func(r rune) rune {
		if r < 0x80 && (r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '-' || r == '_' || r == '.') {
			return r
		}
		return '_'
	}, callID)
	return strings.TrimLeft(safe, ".") + "-r" + strconv.Itoa(segment)
}

// Start begins a recording; at is the instant consent allows it from, and the
// zero of the file's time. Errors: ErrKey, ErrDiskFull, ErrWrite, ErrExists,
// ErrBadID, ErrStopped (recorder closed). Nothing is left behind on an error.
func (r *Recorder) Start(h Header, at time.Time) (*Session, error) {
	if h.ID == "" {
		h.ID = FileID(h.CallID, h.Segment)
	}
	if len(h.ID) > 200 || h.ID == "-r"+strconv.Itoa(h.Segment) || h.ID != strings.TrimSuffix(FileID(h.ID, 0), "-r0") {
		return nil, fmt.Errorf("%w: give ids of letters, digits, dot, dash and underscore", ErrBadID)
	}
	if h.StartedAt.IsZero() {
		h.StartedAt = at
	}
	keys, err := r.ready()
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, ErrStopped
	}
	out, err := newSealer(&r.o, h, keys)
	if err != nil {
		return nil, err
	}
	s := newSession(r, h, out, at)
	r.live[s] = struct{}{}
	go s.run()
	return s, nil
}

// Ready tells whether a recording could start now: ErrKey, ErrDiskFull,
// ErrWrite.
func (r *Recorder) Ready() error {
	_, err := r.ready()
	return err
}

func (r *Recorder) ready() ([]age.Recipient, error) {
	keys, err := usableKeys(&r.o)
	if err != nil {
		return nil, err
	}
	switch free, err := r.o.free(r.o.Dir); {
	case err != nil:
		return nil, diskError(err)
	case free < r.o.MinFree:
		return nil, fmt.Errorf("%w: %d bytes free in %s, %d wanted (recording.min_free)", ErrDiskFull, free, r.o.Dir, r.o.MinFree)
	}
	return keys, nil
}

func (r *Recorder) forget(s *Session) {
	r.mu.Lock()
	delete(r.live, s)
	r.mu.Unlock()
}

// Live is how many recordings are running.
func (r *Recorder) Live() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.live)
}

// Close seals every running recording as of at and refuses new ones. It may be
// called twice.
func (r *Recorder) Close(at time.Time) error {
	r.mu.Lock()
	r.closed = true
	var all []*Session
	for s := range r.live {
		all = append(all, s)
	}
	r.mu.Unlock()
	var errs []error
	for _, s := range all {
		if _, err := s.Stop(at); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", s.h.ID, err))
		}
	}
	return errors.Join(errs...)
}
