package sqlite_test

import (
	"crypto/rand"
	"database/sql"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callward/callward/storage"
	"github.com/callward/callward/storage/auditlog"
	"github.com/callward/callward/storage/sqlite"
	"github.com/callward/callward/storage/storagetest"
)

// bare is what a plain program would do: the same row into the same table on
// the same pragmas, one transaction each.
func bare(tb testing.TB) func() {
	path := filepath.Join(tb.TempDir(), "bare.db")
	s := open(tb, sqlite.Config{Path: path}) // for the schema
	require.NoError(tb, s.Close())
	db, err := sql.Open("sqlite3", "file:"+path+"?_journal_mode=WAL&_synchronous=FULL&_foreign_keys=on&_secure_delete=on&_stmt_cache_size=128&_txlock=immediate")
	require.NoError(tb, err)
	db.SetMaxOpenConns(1)
	tb.Cleanup(func() { require.NoError(tb, db.Close()) })
	leaf, err := auditlog.Append(nil, 1000, storagetest.Entry("x"))
	require.NoError(tb, err)
	text, hashes := string(leaf), make([]byte, 2*auditlog.HashSize)
	n := 0
	return func() {
		n++
		tx, err := db.Begin()
		if err == nil {
			_, err = tx.Exec("INSERT INTO audit (n, leaf, hashes) VALUES (?, ?, ?)", n, text, hashes)
		}
		if err == nil {
			err = tx.Commit()
		}
		require.NoError(tb, err)
	}
}

func ours(tb testing.TB) func() {
	s := open(tb, sqlite.Config{Path: filepath.Join(tb.TempDir(), "callward.db")})
	fn := audit("x")
	return func() { require.NoError(tb, s.Update(ctx, fn)) }
}

// BenchmarkCommit commits one audit entry at a time, bare and ours by turns so
// that both see the same disk, and reports the median of each and ours as a
// share of bare's rate.
func BenchmarkCommit(b *testing.B) {
	var took [2][]time.Duration
	once := [2]func(){bare(b), ours(b)}
	for i := 0; b.Loop(); i++ {
		for j := range once {
			k := (i + j) % 2 // who goes first changes
			start := time.Now()
			once[k]()
			took[k] = append(took[k], time.Since(start))
		}
	}
	var median [2]float64
	for k := range took {
		slices.Sort(took[k])
		median[k] = float64(took[k][len(took[k])/2])
	}
	b.ReportMetric(median[0], "bare-ns/commit")
	b.ReportMetric(median[1], "ours-ns/commit")
	b.ReportMetric(100*median[0]/median[1], "%-of-bare")
}

// BenchmarkGroupCommit has many callers commit one entry each.
func BenchmarkGroupCommit(b *testing.B) {
	s := open(b, sqlite.Config{Path: filepath.Join(b.TempDir(), "callward.db")})
	fn := audit("x")
	var failed atomic.Bool
	b.SetParallelism(64)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if s.Update(ctx, fn) != nil {
				failed.Store(true)
			}
		}
	})
	require.False(b, failed.Load())
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkMatch looks two identifiers up among many patients.
func BenchmarkMatch(b *testing.B) {
	s := open(b, sqlite.Config{Path: filepath.Join(b.TempDir(), "callward.db"), Keys: newKeys(b)})
	require.NoError(b, s.Update(ctx, func(tx storage.Tx) error {
		for range 2000 {
			p := storage.Patient{Identifiers: []storage.Identifier{{Kind: storage.KindBirthDate, Value: "2000-02-29"}}}
			id, err := storage.NewPatientID(rand.Reader)
			if err != nil {
				return err
			}
			p.ID = id
			p.Identifiers = append(p.Identifiers, storage.Identifier{Kind: storage.KindMRN, Value: string(id)})
			p.Identifiers[0].Value = string(id[len(id)-2:])
			if _, err := tx.PutPatient(p); err != nil {
				return err
			}
		}
		return nil
	}))
	offered := []storage.Identifier{{Kind: storage.KindBirthDate, Value: "a0"}, {Kind: storage.KindMRN, Value: "nobody"}}
	for b.Loop() {
		require.NoError(b, s.View(ctx, func(tx storage.Tx) error {
			_, err := tx.MatchPatients(offered)
			return err
		}))
	}
}
