package importer

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/callward/callward/storage"
)

// Sentinels.
var (
	// ErrRejected: some row is bad and the import is atomic, so nothing was kept.
	ErrRejected = errors.New("importer: nothing was imported, because rows were refused")
	// ErrNoFiles: nothing to import at the paths given.
	ErrNoFiles = errors.New("importer: no .json, .ndjson, .jsonl or .csv file")
)

// Limits and defaults.
const (
	DefaultSystem   = "import"
	DefaultMaxRow   = 4 << 20 // bytes of one line, resource or CSV record
	batchRows       = 200
	maxProblems     = 1000 // kept in a report; all are counted
	defaultActor    = "cli:patient-import"
	actionImport    = "patient.import"
	actionImportRow = "patient.import.batch"
)

// Options say how to import.
type Options struct {
	Store  storage.Store
	System string // names the source; records of different systems are different records. DefaultSystem if empty
	Atomic bool   // all or nothing: one transaction, held for the length of the import
	Actor  string // for the audit log; "cli:patient-import" if empty
	MaxRow int    // bytes; DefaultMaxRow if zero
	Clock  func() time.Time
	Rand   io.Reader // pseudonyms; crypto/rand if nil
	// Progress is called now and then, from Import's own goroutine.
	Progress func(Progress)
}

// Progress of an import. Done and Total are bytes, each file counted once for
// every time it is read.
type Progress struct {
	File        string
	Done, Total int64
	Rows        int // read so far
}

// Problem is a row that was refused, or a value that was left out. Reason holds
// no value of the row.
type Problem struct {
	File   string `json:"file"`
	Line   int    `json:"line"` // where the row begins; 0 for the whole file
	What   string `json:"what"` // "Patient", "Encounter", "invoice", ...
	Reason string `json:"reason"`
}

func (p Problem) String() string {
	return fmt.Sprintf("%s:%d: %s: %s", p.File, p.Line, p.What, p.Reason)
}

// Tally counts rows of one kind.
type Tally struct {
	Written   int `json:"written"` // new, or changed
	Unchanged int `json:"unchanged"`
}

// Report is what an import did. With Atomic and a refused row, nothing was kept
// and the tallies are zero.
type Report struct {
	Patients Tally `json:"patients"`
	Visits   Tally `json:"visits"`
	Invoices Tally `json:"invoices"`

	Files   int            `json:"files"`
	Ignored map[string]int `json:"ignored,omitempty"` // FHIR resources of other types

	Refused int       `json:"refused"`       // rows
	Bad     []Problem `json:"bad,omitempty"` // the first 1000 of them
	Noted   int       `json:"noted"`         // values left out of rows that were kept
	Notes   []Problem `json:"notes,omitempty"`

	AuditEntry int64 `json:"audit_entry"`
}

// Import reads files, and directories of them, and writes what it finds. Rows
// are refused one by one and reported; with Options.Atomic a refused row makes
// it ErrRejected and nothing is kept. Other errors are those of the files and of
// the store, and end the import: what was committed before stays, and importing
// again goes on from there.
func Import(ctx context.Context, o Options, paths ...string) (Report, error) {
	if o.System == "" {
		o.System = DefaultSystem
	}
	if o.Actor == "" {
		o.Actor = defaultActor
	}
	if o.MaxRow == 0 {
		o.MaxRow = DefaultMaxRow
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Rand == nil {
		o.Rand = rand.Reader
	}
	if o.Progress == nil {
		o.Progress = func(Progress) {}
	}
	files, size, err := findFiles(paths)
	if err != nil {
		return Report{}, err
	}
	var id [6]byte
	if _, err := io.ReadFull(o.Rand, id[:]); err != nil {
		return Report{}, fmt.Errorf("importer: draw an id: %w", err)
	}
	im := &run{o: o, id: hex.EncodeToString(id[:]), files: files, total: 2 * size}
	if o.Atomic {
		im.total *= 2
		return im.atomic(ctx)
	}
	return im.batches(ctx)
}

// run is one import.
type run struct {
	o     Options
	id    string
	files []file
	total int64
	done  int64
	rows  int
}

// batches keeps good rows, some at a time.
func (im *run) batches(ctx context.Context) (Report, error) {
	rep := newReport(im.files)
	w := newWriter(&im.o)
	var batch []row
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		var out outcome
		err := im.o.Store.Update(ctx, func(tx storage.Tx) error {
			out = outcome{}
			w.begin()
			for i := range batch {
				if err := w.put(tx, &batch[i], &out); err != nil {
					return err
				}
			}
			if out.wrote() {
				_, err := tx.Audit(im.entry(actionImportRow, &out.Report, false))
				return err
			}
			return nil
		})
		if err != nil {
			return err
		}
		w.keep()
		rep.add(&out.Report)
		clear(batch)
		batch = batch[:0]
		return nil
	}
	err := im.read(ctx, rep, func(r row) error {
		batch = append(batch, r)
		if len(batch) < batchRows {
			return nil
		}
		return flush()
	}, flush)
	if err != nil {
		return *rep, err
	}
	return im.summary(ctx, rep, false)
}

// atomic checks all files first, so that the transaction, which keeps others
// from writing, is not begun for nothing.
func (im *run) atomic(ctx context.Context) (Report, error) {
	rep := newReport(im.files)
	nothing := func() error { return nil }
	if err := im.read(ctx, rep, func(row) error { return nil }, nothing); err != nil {
		return *rep, err
	}
	checked := im.done
	if rep.Refused == 0 {
		var out outcome
		var number int64
		err := im.o.Store.Update(ctx, func(tx storage.Tx) error {
			im.done = checked
			rep, out = newReport(im.files), outcome{}
			w := newWriter(&im.o)
			w.begin()
			err := im.read(ctx, rep, func(r row) error { return w.put(tx, &r, &out) }, nothing)
			if err != nil {
				return err
			}
			rep.add(&out.Report)
			if rep.Refused > 0 {
				return ErrRejected
			}
			number, err = tx.Audit(im.entry(actionImport, rep, false))
			return err
		})
		switch {
		case err == nil:
			rep.AuditEntry = number
			return *rep, nil
		case !errors.Is(err, ErrRejected):
			return *rep, err
		}
	}
	rep.Patients, rep.Visits, rep.Invoices = Tally{}, Tally{}, Tally{}
	out, err := im.summary(ctx, rep, true)
	if err != nil {
		return out, err
	}
	return out, fmt.Errorf("%w: %d", ErrRejected, out.Refused)
}

// summary writes the entry for the whole import.
func (im *run) summary(ctx context.Context, rep *Report, rejected bool) (Report, error) {
	err := im.o.Store.Update(ctx, func(tx storage.Tx) (err error) {
		rep.AuditEntry, err = tx.Audit(im.entry(actionImport, rep, rejected))
		return err
	})
	return *rep, err
}

func (im *run) entry(action string, rep *Report, rejected bool) storage.Entry {
	d := map[string]string{
		"import":  im.id,
		"refused": strconv.Itoa(rep.Refused),
	}
	for name, t := range map[string]Tally{"patients": rep.Patients, "visits": rep.Visits, "invoices": rep.Invoices} {
		d[name+".written"] = strconv.Itoa(t.Written)
		d[name+".unchanged"] = strconv.Itoa(t.Unchanged)
	}
	if action == actionImport {
		d["files"] = strconv.Itoa(len(im.files))
		d["atomic"] = strconv.FormatBool(im.o.Atomic)
		d["kept"] = strconv.FormatBool(!rejected)
	}
	return storage.Entry{
		At: im.o.Clock(), Actor: im.o.Actor, Action: action, Outcome: storage.OutcomeEvent, Detail: d,
	}
}

func newReport(files []file) *Report { return &Report{Files: len(files)} }

func (r *Report) bad(p Problem) {
	if r.Refused++; len(r.Bad) < maxProblems {
		r.Bad = append(r.Bad, p)
	}
}

func (r *Report) note(p Problem) {
	if r.Noted++; len(r.Notes) < maxProblems {
		r.Notes = append(r.Notes, p)
	}
}

func (r *Report) ignore(kind string) {
	if r.Ignored == nil {
		r.Ignored = make(map[string]int)
	}
	r.Ignored[kind]++
}

// add takes over what one transaction did.
func (r *Report) add(b *Report) {
	r.Patients.add(b.Patients)
	r.Visits.add(b.Visits)
	r.Invoices.add(b.Invoices)
	for _, p := range b.Bad {
		r.bad(p)
	}
}

func (t *Tally) add(b Tally) {
	t.Written += b.Written
	t.Unchanged += b.Unchanged
}
