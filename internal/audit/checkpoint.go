package audit

import (
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Errors about checkpoints.
var (
	// ErrForked: the log does not contain the one a checkpoint was signed for.
	ErrForked = errors.New("audit: the log was changed after it was signed")
	// ErrCheckpoint: not a checkpoint, or not signed by a key given.
	ErrCheckpoint = errors.New("audit: not a valid checkpoint")
)

// Checkpoint is a signed statement: at this time the log had this size and
// this root. Its form is a C2SP tlog-checkpoint (origin, size, root, then a
// line of ours with the time) in a signed note, so other tools read it too:
//
//	callward
//	1204
//	qLx0...=
//	time 2026-11-23T10:00:00.123Z
//
//	— callward Az3...
type Checkpoint struct {
	Origin string    `json:"origin"`
	Size   int64     `json:"size"`
	Root   tlog.Hash `json:"root"`
	At     time.Time `json:"at"`
	Note   []byte    `json:"-"`
}

const timeLine = "time "
const timeForm = "2006-01-02T15:04:05.000Z"

func (c Checkpoint) sign(s note.Signer) ([]byte, error) {
	text := fmt.Sprintf("%s\n%d\n%s\n%s%s\n", c.Origin, c.Size, c.Root, timeLine, c.At.Format(timeForm))
	b, err := note.Sign(&note.Note{Text: text}, s)
	if err != nil {
		return nil, fmt.Errorf("audit: sign checkpoint: %w", err)
	}
	return b, nil
}

// ParseCheckpoint reads a note. With verifiers it must be signed by one of
// them; with nil the signature is not checked. Errors: ErrCheckpoint.
func ParseCheckpoint(b []byte, v note.Verifiers) (Checkpoint, error) {
	known := v
	if known == nil {
		known = note.VerifierList()
	}
	n, err := note.Open(b, known)
	var unverified *note.UnverifiedNoteError
	if errors.As(err, &unverified) && v == nil {
		n, err = unverified.Note, nil
	}
	if err != nil {
		return Checkpoint{}, fmt.Errorf("%w: %w", ErrCheckpoint, err)
	}
	c, err := parseText(n.Text)
	c.Note = b
	return c, err
}

func parseText(text string) (Checkpoint, error) {
	bad := func(what string) (Checkpoint, error) { return Checkpoint{}, fmt.Errorf("%w: %s", ErrCheckpoint, what) }
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if len(lines) < 4 || lines[0] == "" {
		return bad("lines are missing")
	}
	c := Checkpoint{Origin: lines[0]}
	var err error
	if c.Size, err = strconv.ParseInt(lines[1], 10, 64); err != nil || c.Size < 0 || strconv.FormatInt(c.Size, 10) != lines[1] {
		return bad("size")
	}
	root, err := base64.StdEncoding.DecodeString(lines[2])
	if err != nil || len(root) != tlog.HashSize || base64.StdEncoding.EncodeToString(root) != lines[2] {
		return bad("root")
	}
	c.Root = tlog.Hash(root)
	at, ok := strings.CutPrefix(lines[3], timeLine)
	if c.At, err = time.Parse(timeForm, at); err != nil || !ok {
		return bad("time")
	}
	return c, nil
}

// WriteFile writes the note to a file in one step, replacing one that is
// there. It holds nothing secret.
func (c Checkpoint) WriteFile(path string) error {
	tmp := path + ".new"
	if err := os.WriteFile(tmp, c.Note, 0o644); err != nil {
		return fmt.Errorf("audit: write checkpoint: %w", err)
	}
	if err := os.Rename(tmp, path); err != nil {
		return fmt.Errorf("audit: write checkpoint: %w", err)
	}
	return nil
}
