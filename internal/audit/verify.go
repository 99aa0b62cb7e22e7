package audit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
	"golang.org/x/sync/errgroup"

	"github.com/callward/callward/storage/sqlite"
)

// Kind is what is wrong.
type Kind string

// The kinds.
const (
	Changed       Kind = "changed"        // the bytes are not those that were hashed
	Missing       Kind = "missing"        // numbers without an entry
	Moved         Kind = "moved"          // an entry that says it has another number
	Malformed     Kind = "malformed"      // not an entry
	Rewritten     Kind = "rewritten"      // consistent in itself, but not what was signed
	Truncated     Kind = "truncated"      // more entries were signed than are there
	BadCheckpoint Kind = "bad_checkpoint" // a checkpoint that is not signed by the key
	Damaged       Kind = "damaged"        // an index would leave entries out of a list
)

// Problem is one finding. From and To are entry numbers, both included; 0 if
// the finding is not about entries.
type Problem struct {
	Kind   Kind   `json:"kind"`
	From   int64  `json:"from,omitempty"`
	To     int64  `json:"to,omitempty"`
	Detail string `json:"detail,omitempty"`
}

// String is the finding as one line.
func (p Problem) String() string {
	s := string(p.Kind)
	switch {
	case p.From == 0:
	case p.From == p.To:
		s += fmt.Sprintf(": entry %d", p.From)
	default:
		s += fmt.Sprintf(": entries %d to %d", p.From, p.To)
	}
	if p.Detail != "" {
		s += ": " + p.Detail
	}
	return s
}

// maxProblems bounds a report; More counts the rest.
const maxProblems = 1000

// Report is what Verify found.
type Report struct {
	Entries     int64        `json:"entries"`  // rows read
	Last        int64        `json:"last"`     // the highest number
	Root        tlog.Hash    `json:"root"`     // of a log without problems
	Anchored    int64        `json:"anchored"` // entries up to here are those that were signed
	AnchoredAt  time.Time    `json:"anchored_at,omitzero"`
	Checkpoints []Checkpoint `json:"checkpoints,omitempty"` // those whose signature is good
	Problems    []Problem    `json:"problems,omitempty"`
	More        int64        `json:"more,omitempty"` // problems beyond those listed
}

// OK tells whether nothing was found.
func (r Report) OK() bool { return len(r.Problems) == 0 }

func (r *Report) add(p Problem) {
	if len(r.Problems) >= maxProblems {
		r.More++
		return
	}
	r.Problems = append(r.Problems, p)
}

// Verify checks the audit log in a database file, or in a copy of one, against
// itself, against the checkpoints inside it and against the one in
// checkpointFile, which may be empty. verifierKey is the public key, or several
// of them, one a line. It needs no server and no PHI keys and changes nothing.
//
// What is wrong with the log is in the Report; the error is for what kept
// Verify from looking: ErrKey, ErrCheckpoint for checkpointFile,
// storage.ErrUnavailable, storage.ErrNotFound, storage.ErrNewer.
func Verify(ctx context.Context, dbPath, checkpointFile, verifierKey string) (Report, error) {
	known, err := verifiers(verifierKey)
	if err != nil {
		return Report{}, err
	}
	var outside []Checkpoint
	if checkpointFile != "" {
		c, err := readCheckpoint(checkpointFile, known)
		if err != nil {
			return Report{}, err
		}
		outside = append(outside, c)
	}
	log, err := sqlite.OpenAudit(ctx, dbPath)
	if err != nil {
		return Report{}, err
	}
	defer func() { _ = log.Close() }()
	index, err := sqlite.OpenAudit(ctx, dbPath) // read at the same time
	if err != nil {
		return Report{}, err
	}
	defer func() { _ = index.Close() }()
	return verify(ctx, log, index, outside, known)
}

func readCheckpoint(path string, known note.Verifiers) (Checkpoint, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("audit: checkpoint: %w", err)
	}
	c, err := ParseCheckpoint(b, known)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

func verify(ctx context.Context, log, index *sqlite.AuditReader, outside []Checkpoint, known note.Verifiers) (Report, error) {
	var report Report
	points, err := trusted(log, outside, known, &report)
	if err != nil {
		return report, err
	}
	c := &checker{report: &report, points: points}
	c.anchors()
	var sums [2]uint64
	var indexErr error
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return scan(ctx, log, c) })
	g.Go(func() error {
		sums, indexErr = indexSums(ctx, index, log.Last())
		return context.Cause(ctx)
	})
	if err := g.Wait(); err != nil {
		return report, err
	}
	c.finish()
	c.indexes(sums, indexErr)
	return report, nil
}

// trusted gathers the checkpoints with a good signature, smallest first.
func trusted(r *sqlite.AuditReader, outside []Checkpoint, known note.Verifiers, report *Report) ([]Checkpoint, error) {
	inside, err := r.Checkpoints()
	if err != nil {
		return nil, err
	}
	points := slices.Clone(outside)
	for _, s := range inside {
		c, err := ParseCheckpoint(s.Note, known)
		if err == nil && c.Size != s.Size {
			err = errors.New("it was kept under another size")
		}
		if err != nil {
			report.add(Problem{Kind: BadCheckpoint, Detail: fmt.Sprintf("the one kept for %d entries: %v", s.Size, err)})
			continue
		}
		points = append(points, c)
	}
	slices.SortStableFunc(points, func(a, b Checkpoint) int {
		return cmp.Or(cmp.Compare(a.Size, b.Size), a.At.Compare(b.At))
	})
	points = slices.CompactFunc(points, func(a, b Checkpoint) bool { return string(a.Note) == string(b.Note) })
	report.Checkpoints = points
	return points, nil
}
