package storagetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/callward/callward/storage"
)

func transactions(t *testing.T, s *suite) {
	ctx := context.Background()
	boom := errors.New("boom")
	err := s.store.Update(ctx, func(tx storage.Tx) error {
		must[int64](t)(tx.Audit(Entry("first")))
		require.NoError(t, tx.PutCall(storage.Call{ID: "c1"}))
		return boom
	})
	require.ErrorIs(t, err, boom)
	var kept storage.Tx
	s.view(t, func(tx storage.Tx) {
		kept = tx
		_, err := tx.Call("c1")
		assert.ErrorIs(t, err, storage.ErrNotFound)
		assert.Zero(t, must[storage.AuditTree](t)(tx.AuditTree()).Size)
		_, err = tx.Audit(Entry("in a view"))
		assert.ErrorIs(t, err, storage.ErrReadOnly)
		assert.ErrorIs(t, tx.PutCall(storage.Call{ID: "c1"}), storage.ErrReadOnly)
		_, err = tx.PutPatient(Jane(t))
		assert.ErrorIs(t, err, storage.ErrReadOnly)
	})
	_, err = kept.Call("c1")
	assert.ErrorIs(t, err, storage.ErrTxDone)
	s.update(t, func(tx storage.Tx) {
		kept = tx
		assert.EqualValues(t, 1, must[int64](t)(tx.Audit(Entry("first"))), "a rolled back number is used again")
		assert.EqualValues(t, 2, must[int64](t)(tx.Audit(Entry("second"))))
		assert.Len(t, must[[]storage.StoredEntry](t)(tx.Entries(storage.EntryFilter{})), 2, "a transaction sees its own entries")
	})
	_, err = kept.Audit(Entry("late"))
	assert.ErrorIs(t, err, storage.ErrTxDone)
	require.ErrorIs(t, s.store.View(ctx, func(storage.Tx) error { return boom }), boom)
}

func panics(t *testing.T, s *suite) {
	assert.PanicsWithValue(t, "boom", func() {
		_ = s.store.Update(context.Background(), func(tx storage.Tx) error {
			must[int64](t)(tx.Audit(Entry("lost")))
			panic("boom")
		})
	})
	s.update(t, func(tx storage.Tx) {
		assert.EqualValues(t, 1, must[int64](t)(tx.Audit(Entry("kept"))))
	})
}

func closed(t *testing.T, s *suite) {
	require.NoError(t, s.store.Close())
	require.NoError(t, s.store.Close())
	nothing := func(storage.Tx) error { return nil }
	assert.ErrorIs(t, s.store.Update(context.Background(), nothing), storage.ErrClosed)
	assert.ErrorIs(t, s.store.View(context.Background(), nothing), storage.ErrUnavailable)
}

func cancelled(t *testing.T, s *suite) {
	gone := errors.New("hung up")
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(gone)
	never := func(storage.Tx) error { t.Error("fn ran"); return nil }
	assert.ErrorIs(t, s.store.Update(ctx, never), gone)
	assert.ErrorIs(t, s.store.View(ctx, never), gone)

	// A caller that gives up in the queue must not take the others' commit
	// with it: the first's commit was left to the second.
	ctx, cancel = context.WithCancelCause(context.Background())
	inside, results := make(chan struct{}), make(chan error, 2)
	release := make(chan struct{})
	go func() {
		results <- s.store.Update(context.Background(), func(tx storage.Tx) error {
			close(inside)
			<-release
			_, err := tx.Audit(Entry("kept"))
			return err
		})
	}()
	<-inside
	second := make(chan error, 1)
	go func() { second <- s.store.Update(ctx, never) }()
	cancel(gone)
	require.ErrorIs(t, <-second, gone)
	close(release)
	require.NoError(t, <-results)

	// Cancelled inside fn: what fn did is still committed.
	ctx, cancel = context.WithCancelCause(context.Background())
	require.NoError(t, s.store.Update(ctx, func(tx storage.Tx) error {
		cancel(gone)
		_, err := tx.Audit(Entry("kept too"))
		return err
	}))
	s.view(t, func(tx storage.Tx) {
		assert.EqualValues(t, 2, must[storage.AuditTree](t)(tx.AuditTree()).Size)
	})
}

func concurrent(t *testing.T, s *suite) {
	const callers, each = 16, 25
	refused := errors.New("refused")
	var mu sync.Mutex
	numbers := map[int64]string{}
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			for i := range each {
				name := fmt.Sprintf("action.%d.%d", c, i)
				var n int64
				err := s.store.Update(context.Background(), func(tx storage.Tx) error {
					var err error
					if n, err = tx.Audit(Entry(name)); err != nil {
						return err
					}
					if i%5 == 4 {
						return refused
					}
					return tx.PutCall(storage.Call{ID: name})
				})
				if i%5 == 4 {
					assert.ErrorIs(t, err, refused)
					continue
				}
				if !assert.NoError(t, err) {
					return
				}
				mu.Lock()
				numbers[n] = name
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	const kept = callers * each * 4 / 5
	require.Len(t, numbers, kept)
	s.view(t, func(tx storage.Tx) {
		entries := must[[]storage.StoredEntry](t)(tx.Entries(storage.EntryFilter{}))
		require.Len(t, entries, kept)
		for i, e := range entries {
			require.EqualValues(t, i+1, e.Number, "no gap")
			require.Equal(t, numbers[e.Number], e.Entry.Action)
		}
		require.Len(t, must[[]storage.Call](t)(tx.OpenCalls()), kept)
	})
}

func snapshot(t *testing.T, s *suite) {
	s.update(t, func(tx storage.Tx) { must[int64](t)(tx.Audit(Entry("one"))) })
	s.view(t, func(tx storage.Tx) {
		before := must[storage.AuditTree](t)(tx.AuditTree())
		done := make(chan error, 1)
		go func() {
			done <- s.store.Update(context.Background(), func(tx storage.Tx) error {
				_, err := tx.Audit(Entry("two"))
				return err
			})
		}()
		require.NoError(t, <-done, "a reader does not hold up a writer")
		assert.Equal(t, before, must[storage.AuditTree](t)(tx.AuditTree()))
	})
}

func durable(t *testing.T, s *suite) {
	place := t.TempDir()
	clock := func() time.Time { return Now }
	jane := Jane(t)
	st := s.open(t, place, clock)
	var tree storage.AuditTree
	update(t, st, func(tx storage.Tx) {
		for i := range 5 {
			must[int64](t)(tx.Audit(Entry(fmt.Sprint("action", i))))
		}
		require.True(t, must[bool](t)(tx.PutPatient(jane)))
		require.NoError(t, tx.PutCall(storage.Call{ID: "c1", StartedAt: Now}))
		tree = must[storage.AuditTree](t)(tx.AuditTree())
	})
	require.NoError(t, st.Close())

	s.store = s.open(t, place, clock)
	s.update(t, func(tx storage.Tx) {
		assert.Equal(t, tree, must[storage.AuditTree](t)(tx.AuditTree()))
		assert.Equal(t, jane.Reveal(), must[storage.Patient](t)(tx.Patient(jane.ID)).Reveal())
		assert.Len(t, must[[]storage.PatientMatch](t)(tx.MatchPatients(jane.Identifiers)), 1)
		assert.Len(t, must[[]storage.Call](t)(tx.OpenCalls()), 1)
		assert.EqualValues(t, 6, must[int64](t)(tx.Audit(Entry("after"))))
	})
}
