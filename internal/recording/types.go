package recording

import (
	"log/slog"
	"time"

	"filippo.io/age"
)

// Tracks of a recording.
const (
	TrackPatient = 0 // what the patient says
	TrackHeard   = 1 // what the patient hears
)

// Options says how recordings are made.
type Options struct {
	// Dir receives the sealed files. It is made (mode 0700) if it is not there.
	Dir string
	// Recipients seal every file. Hybrid (post-quantum) or X25519, not mixed.
	Recipients []age.Recipient
	// Keys, if set, is asked at every Start in place of Recipients, so a key
	// file that went away stops recordings and not the process.
	Keys func() ([]age.Recipient, error)
	// Clock tells the time of a failure; time.Now if nil.
	Clock func() time.Time
	// MinFree is how many bytes must be free in Dir before a recording starts.
	// Zero means 64 MiB.
	MinFree uint64
	// StallAfter is the stretch of time the watchdog looks at: a track that
	// brings less than a quarter of its 50 frames a second in it has stalled.
	// Zero means 5 s.
	StallAfter time.Duration
	// Logger gets ids, counts and durations; slog.Default if nil.
	Logger *slog.Logger

	// openFile lets a test stand in for the disk.
	openFile func(path string) (sealFile, error)
	// free lets a test say how much room there is.
	free func(dir string) (uint64, error)
}

// Header names a recording. All of it is written into the sealed file. It holds
// ids of ours only.
type Header struct {
	ID            string // recording id; FileID(CallID, Segment) if empty
	CallID        string
	Segment       int    // 1 for the first of a call
	ConsentID     string // the consent record this recording rests on
	PromptVersion string // version (hash) of the consent prompt that was heard
	Language      string // of that prompt
	StartedAt     time.Time
}

// Mark is a stretch left out of a recording by Pause.
type Mark struct {
	Offset    time.Duration // where in the file's audio it would have been
	PausedAt  time.Time
	ResumedAt time.Time // zero if the recording ended while paused
}

// Result is what is known of a recording once it is over. Frames are of 20 ms.
type Result struct {
	ID       string
	Path     string // empty if discarded or if nothing could be kept
	Bytes    int64  // size of the sealed file
	Duration time.Duration
	// Frames that arrived while recording, Lost frames of silence standing in
	// the file where audio was due, Late frames that arrived after their place
	// was written (their silence is in Lost too), Overflow frames dropped
	// because the disk did not keep up.
	Frames, Lost, Late, Overflow [2]int
	SHA256                       [32]byte // of the sealed file
	StartedAt, LastFrameAt       time.Time
	StoppedAt                    time.Time
	Marks                        []Mark
	// Truncated: the last chunk could not be written. Open yields the rest.
	Truncated bool
	Discarded bool
}

// Info is what an opened recording says of itself.
type Info struct {
	Header
	Bytes     int64 // size of the sealed file
	SHA256    [32]byte
	Opened    bool // an identity was given, so Header and Duration are known
	Duration  time.Duration
	Truncated bool
}
