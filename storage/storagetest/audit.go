package storagetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/callward/callward/storage"
	"github.com/callward/callward/storage/auditlog"
)

func audit(t *testing.T, s *suite) {
	full := Entry("StartRecording")
	bare := storage.Entry{Actor: "callward", Action: "call.ended", Outcome: storage.OutcomeEvent}
	s.update(t, func(tx storage.Tx) {
		must[int64](t)(tx.Audit(full))
		must[int64](t)(tx.Audit(bare))
	})
	bare.At = Now
	s.view(t, func(tx storage.Tx) {
		got := must[[]storage.StoredEntry](t)(tx.Entries(storage.EntryFilter{}))
		require.Len(t, got, 2)
		for i, want := range []storage.Entry{full, bare} {
			assert.Equal(t, want, got[i].Entry)
			leaf := must[[]byte](t)(auditlog.Append(nil, int64(i+1), want))
			assert.Equal(t, string(leaf), got[i].Leaf)
		}
	})
}

func auditFilters(t *testing.T, s *suite) {
	s.update(t, func(tx storage.Tx) {
		for i, e := range []storage.Entry{
			{Actor: "a", Call: "c1", Patient: "p-1", Action: "x", Outcome: storage.OutcomeAllow, Rules: []string{"r1"}, At: at(0)},
			{Actor: "a", Call: "c1", Action: "y", Outcome: storage.OutcomeDeny, Rules: []string{"r1", "r2"}, At: at(time.Second)},
			{Actor: "b", Call: "c2", Patient: "p-2", Action: "x", Outcome: storage.OutcomeAllow, At: at(2 * time.Second)},
			{Actor: "b", Action: "z", Outcome: storage.OutcomeEvent, At: at(-time.Hour)}, // a clock may step back
		} {
			require.EqualValues(t, i+1, must[int64](t)(tx.Audit(e)))
		}
	})
	for _, c := range []struct {
		name string
		f    storage.EntryFilter
		want []int64
	}{
		{"all", storage.EntryFilter{}, []int64{1, 2, 3, 4}},
		{"call", storage.EntryFilter{Call: "c1"}, []int64{1, 2}},
		{"patient", storage.EntryFilter{Patient: "p-2"}, []int64{3}},
		{"actor", storage.EntryFilter{Actor: "b"}, []int64{3, 4}},
		{"action", storage.EntryFilter{Action: "x"}, []int64{1, 3}},
		{"outcome", storage.EntryFilter{Outcome: storage.OutcomeDeny}, []int64{2}},
		{"rule", storage.EntryFilter{Rule: "r2"}, []int64{2}},
		{"time", storage.EntryFilter{From: at(0), To: at(2 * time.Second)}, []int64{1, 2}},
		{"range", storage.EntryFilter{After: 1, Before: 4}, []int64{2, 3}},
		{"first", storage.EntryFilter{Limit: 2}, []int64{1, 2}},
		{"last", storage.EntryFilter{Limit: 2, Last: true}, []int64{3, 4}},
		{"first after the filter", storage.EntryFilter{Limit: 1, Actor: "b"}, []int64{3}},
		{"together", storage.EntryFilter{Call: "c1", Action: "x"}, []int64{1}},
		{"none", storage.EntryFilter{Call: "c9"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.view(t, func(tx storage.Tx) {
				var got []int64
				for _, e := range must[[]storage.StoredEntry](t)(tx.Entries(c.f)) {
					got = append(got, e.Number)
				}
				assert.Equal(t, c.want, got)
			})
		})
	}
}

func auditRefuses(t *testing.T, s *suite) {
	for name, change := range map[string]func(*storage.Entry){
		"no actor":        func(e *storage.Entry) { e.Actor = "" },
		"no action":       func(e *storage.Entry) { e.Action = "" },
		"unknown outcome": func(e *storage.Entry) { e.Outcome = "maybe" },
		"zero outcome":    func(e *storage.Entry) { e.Outcome = "" },
		"quote":           func(e *storage.Entry) { e.Call = `a"b` },
		"accent":          func(e *storage.Entry) { e.Detail = map[string]string{"name": "José"} },
		"long":            func(e *storage.Entry) { e.Profile = string(make([]byte, 300)) },
	} {
		t.Run(name, func(t *testing.T) {
			e := Entry("x")
			change(&e)
			s.fails(t, storage.ErrInvalid, func(tx storage.Tx) error {
				_, err := tx.Audit(e)
				return err
			})
		})
	}
	s.update(t, func(tx storage.Tx) {
		_, err := tx.Audit(storage.Entry{})
		require.ErrorIs(t, err, storage.ErrInvalid)
		assert.EqualValues(t, 1, must[int64](t)(tx.Audit(Entry("x"))), "a refused entry leaves no gap")
	})
}

func auditFacts(t *testing.T, s *suite) {
	e := Entry("Disclose")
	e.Facts = storage.Facts(`{"identifiers":["birth_date","phone"]}`)
	s.update(t, func(tx storage.Tx) {
		must[int64](t)(tx.Audit(e))
		must[int64](t)(tx.Audit(e))
		must[int64](t)(tx.Audit(Entry("x")))
	})
	s.view(t, func(tx storage.Tx) {
		got := must[[]storage.StoredEntry](t)(tx.Entries(storage.EntryFilter{}))
		assert.NotEqual(t, got[0].Entry.FactsHash, got[1].Entry.FactsHash, "the hash is salted")
		assert.Nil(t, got[0].Entry.Facts)
		assert.Equal(t, []byte(e.Facts), must[[]byte](t)(tx.EntryFacts(1)))
		_, err := tx.EntryFacts(3)
		assert.ErrorIs(t, err, storage.ErrNotFound)
	})
}

// hashReader reads through the contract as tlog wants it.
func hashReader(tx storage.Tx) tlog.HashReader {
	return tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		got, err := tx.AuditHashes(indexes)
		out := make([]tlog.Hash, len(got))
		for i, h := range got {
			out[i] = h
		}
		return out, err
	})
}

func auditTree(t *testing.T, s *suite) {
	s.view(t, func(tx storage.Tx) {
		empty := must[tlog.Hash](t)(tlog.TreeHash(0, nil))
		assert.Equal(t, storage.AuditTree{Root: empty}, must[storage.AuditTree](t)(tx.AuditTree()))
	})
	const n = 37
	trees := make([]storage.AuditTree, 0, n+1)
	for range n {
		s.update(t, func(tx storage.Tx) {
			must[int64](t)(tx.Audit(Entry("x")))
			trees = append(trees, must[storage.AuditTree](t)(tx.AuditTree()))
		})
	}
	s.view(t, func(tx storage.Tx) {
		r := hashReader(tx)
		for i, tree := range trees {
			require.EqualValues(t, i+1, tree.Size)
			require.EqualValues(t, must[tlog.Hash](t)(tlog.TreeHash(tree.Size, r)), tree.Root)
		}
		head := trees[n-1]
		for _, e := range must[[]storage.StoredEntry](t)(tx.Entries(storage.EntryFilter{})) {
			proof := must[tlog.RecordProof](t)(tlog.ProveRecord(head.Size, e.Number-1, r))
			require.NoError(t, tlog.CheckRecord(proof, head.Size, head.Root, e.Number-1, tlog.RecordHash([]byte(e.Leaf))))
		}
		proof := must[tlog.TreeProof](t)(tlog.ProveTree(n, 11, r))
		require.NoError(t, tlog.CheckTree(proof, n, head.Root, 11, trees[10].Root))
		_, err := tx.AuditHashes([]int64{tlog.StoredHashIndex(0, n)})
		require.ErrorIs(t, err, storage.ErrNotFound)
	})
}

func checkpoints(t *testing.T, s *suite) {
	two := storage.Checkpoint{Size: 2, At: at(time.Minute), Note: []byte("note two\n")}
	one := storage.Checkpoint{Size: 1, At: at(0), Note: []byte("note one\n")}
	s.update(t, func(tx storage.Tx) {
		for _, c := range []storage.Checkpoint{two, one, two} {
			require.NoError(t, tx.AddCheckpoint(c))
		}
		assert.ErrorIs(t, tx.AddCheckpoint(storage.Checkpoint{Size: 1}), storage.ErrInvalid)
	})
	s.view(t, func(tx storage.Tx) {
		assert.Equal(t, []storage.Checkpoint{one, two}, must[[]storage.Checkpoint](t)(tx.Checkpoints()))
	})
}
