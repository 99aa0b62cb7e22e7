package sqlite

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"

	"github.com/callward/callward/storage"
	"github.com/callward/callward/storage/auditlog"
)

// maxBatch bounds how many callers share one commit, so that the first of them
// does not wait for an endless queue.
const maxBatch = 512

// writer is the write connection. Whoever has put a token into turn owns all
// other fields but waiting.
type writer struct {
	s       *Store
	c       *conn
	turn    chan struct{}
	waiting atomic.Int64

	batch  *batch // the open transaction; nil if none
	last   int    // how many callers shared the commit before
	tree   auditlog.Tree
	loaded bool  // tree is what the connection sees, unless
	seen   int64 // data_version changed: another process, such as an import, wrote
}

// batch is one transaction that several callers share.
type batch struct {
	n    int // callers whose part succeeded
	done chan struct{}
	err  error // valid once done is closed
}

func newWriter(s *Store, c *conn) *writer {
	return &writer{s: s, c: c, turn: make(chan struct{}, 1)}
}

// Update runs fn in one durable transaction; see storage.Store.
func (s *Store) Update(ctx context.Context, fn func(storage.Tx) error) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.running.Done()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	w := s.writer
	w.waiting.Add(1)
	select {
	case w.turn <- struct{}{}:
		w.waiting.Add(-1)
	case <-ctx.Done():
		// Somebody may have left the commit to this caller.
		s.running.Add(1)
		go func() {
			defer s.running.Done()
			w.turn <- struct{}{}
			w.waiting.Add(-1)
			w.yield()
		}()
		return context.Cause(ctx)
	}
	b, err := w.run(fn)
	if err != nil {
		return err
	}
	<-b.done
	return b.err
}

// run runs fn as a part of the open transaction, or of a new one. Needs the
// turn, and gives it up whatever happens, a panic in fn included.
func (w *writer) run(fn func(storage.Tx) error) (*batch, error) {
	defer w.yield()
	if err := w.begin(); err != nil {
		return nil, err
	}
	// The first part needs no savepoint: to undo it is to undo everything.
	if w.batch.n > 0 {
		if err := w.c.exec("SAVEPOINT part"); err != nil {
			w.giveUp(err)
			return nil, err
		}
	}
	b, before, kept := w.batch, w.tree, false
	t := &tx{s: w.s, c: w.c, w: w}
	defer func() {
		t.done = true
		if !kept {
			w.undo(before)
		}
	}()
	err := fn(t)
	if err == nil {
		err = t.broken
	}
	if err == nil && b.n > 0 {
		err = w.c.exec("RELEASE part")
	}
	if err != nil {
		return nil, err
	}
	b.n++
	kept = true
	return b, nil
}

func (w *writer) begin() error {
	if w.batch != nil {
		return nil
	}
	if err := w.s.inPlace(); err != nil {
		return err
	}
	if err := w.c.exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	w.batch = &batch{done: make(chan struct{})}
	if err := w.load(); err != nil {
		w.giveUp(err)
		return err
	}
	return nil
}

func (w *writer) load() error {
	var version int64
	if _, err := w.c.one("PRAGMA data_version", nil, &version); err != nil {
		return err
	}
	if w.loaded && version == w.seen {
		return nil
	}
	tree, err := loadTree(w.c)
	if err != nil {
		return err
	}
	w.tree, w.seen, w.loaded = tree, version, true
	return nil
}

// undo takes back one part.
func (w *writer) undo(before auditlog.Tree) {
	switch {
	case w.batch.n == 0:
		w.giveUp(nil)
	case w.c.rolledBack():
		w.giveUp(fmt.Errorf("%w: SQLite rolled the transaction back", storage.ErrUnavailable))
	default:
		err := w.c.exec("ROLLBACK TO part")
		if err == nil {
			err = w.c.exec("RELEASE part")
		}
		if err != nil {
			w.giveUp(err)
			return
		}
		w.tree = before
	}
}

// giveUp rolls the whole transaction back and tells every caller in it why.
func (w *writer) giveUp(err error) {
	if !w.c.rolledBack() {
		_ = w.c.exec("ROLLBACK")
	}
	w.loaded = false
	w.end(err)
}

func (w *writer) end(err error) {
	w.last = w.batch.n
	w.batch.err = err
	close(w.batch.done)
	w.batch = nil
}

// yield commits unless somebody waits to do so, and gives up the turn.
func (w *writer) yield() {
	if w.batch != nil && w.last > 1 && w.waiting.Load() == 0 {
		runtime.Gosched() // those of the last batch may be on their way back
	}
	if w.batch != nil && (w.waiting.Load() == 0 || w.batch.n >= maxBatch) {
		if err := w.c.exec("COMMIT"); err != nil {
			w.giveUp(err)
		} else {
			w.end(nil)
		}
	}
	<-w.turn
}
