package recording

import (
	"errors"
	"fmt"
	"time"
)

// Sentinels. Errors of this package wrap one of these where a caller may want
// to tell them apart; texts hold file names and numbers of ours, never audio or
// patient data.
var (
	// ErrKey: no usable recipient, so nothing can be sealed and nothing is recorded.
	ErrKey = errors.New("recording: no usable recipient")
	// ErrDiskFull: less than Options.MinFree is free, or the disk filled up while recording.
	ErrDiskFull = errors.New("recording: disk full")
	// ErrWrite: the sealed file could not be written or synced.
	ErrWrite = errors.New("recording: cannot write")
	// ErrStalled: a track stopped delivering frames.
	ErrStalled = errors.New("recording: track stalled")
	// ErrStopped: the session has already been stopped, has failed, or the recorder is closed.
	ErrStopped = errors.New("recording: session is over")
	// ErrPaused: Pause of a paused session or Resume of a running one.
	ErrPaused = errors.New("recording: not possible in this state")
	// ErrBadID: the recording id cannot be a file name.
	ErrBadID = errors.New("recording: id cannot be a file name")
	// ErrExists: a recording with this id is already there.
	ErrExists = errors.New("recording: id already used")
	// ErrTruncated: the file ends before its seal. Everything that
	// authenticates was delivered.
	ErrTruncated = errors.New("recording: file ends before its seal")
	// ErrTampered: a part of the file does not authenticate, or it is not the
	// file that was sealed. Nothing was delivered.
	ErrTampered = errors.New("recording: file is not what was sealed")
	// ErrIdentity: none of the identities opens the file.
	ErrIdentity = errors.New("recording: no identity opens this file")
	// ErrFormat: the file opens but does not hold a recording of ours.
	ErrFormat = errors.New("recording: not a recording")
	// ErrKeyFile: a recipients or identity file is missing, malformed or readable by others.
	ErrKeyFile = errors.New("recording: key file")
)

// StalledError says which track stopped. It matches ErrStalled.
type StalledError struct {
	Track  int           // 0 patient, 1 what the patient hears
	Window time.Duration // length of the stretch that was looked at
	Frames int           // frames of 20 ms that came in it; 50 a second are due
}

func (e *StalledError) Error() string {
	return fmt.Sprintf("%v: track %d brought %d frames in %s", ErrStalled, e.Track, e.Frames, e.Window)
}

// Unwrap makes errors.Is(err, ErrStalled) true.
func (e *StalledError) Unwrap() error { return ErrStalled }
