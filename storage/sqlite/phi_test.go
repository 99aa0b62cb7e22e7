package sqlite_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/callward/callward/storage"
	"github.com/callward/callward/storage/seal"
	"github.com/callward/callward/storage/sqlite"
	"github.com/callward/callward/storage/storagetest"
)

// plant writes something known into every place that holds PHI, changes some
// of it, and returns what must be found nowhere.
func plant(t *testing.T, s *sqlite.Store) (jane storage.Patient, planted []string) {
	t.Helper()
	jane = storagetest.Jane(t)
	visit := storage.Visit{ID: "encounter-66b1c0de", Patient: jane.ID, Date: "2026-10-31", Start: storagetest.Now.Add(-500 * time.Hour), Status: storage.VisitFinished}
	invoice := storage.Invoice{Number: "INVOICE9182736", Patient: jane.ID, Date: "2026-11-01"}
	require.NoError(t, s.Update(ctx, func(tx storage.Tx) error {
		was := jane
		was.Name = "Jane Formerly-Thistlewood"
		_, err1 := tx.PutPatient(was)
		_, err2 := tx.PutPatient(jane)
		_, err3 := tx.PutVisit(visit)
		_, err4 := tx.PutInvoice(invoice)
		_, err5 := tx.AddCallback(storage.Callback{CallID: "c1", Phone: "+13105550177"})
		err6 := tx.AddOptOut(storage.OptOut{Phone: "+13105550188", Channel: storage.OptOutAll})
		e := storagetest.Entry("Disclose")
		e.Facts = storage.Facts(`{"said":"Marzipan"}`)
		_, err7 := tx.Audit(e)
		return errors.Join(err1, err2, err3, err4, err5, err6, err7)
	}))
	return jane, []string{"Quillfeather", "Thistlewood", "2000-02-29", "3105550142", "3105550143", "MRN7781", "17 90210", "Larkspur", "Beverly",
		"jane-1", "encounter-66b1c0de", "2026-10-31", "INVOICE9182736", "3105550177", "3105550188", "Marzipan"}
}

// forms are the encodings a value could hide in.
func forms(s string) map[string][]byte {
	var wide []byte
	for _, u := range utf16.Encode([]rune(s)) {
		wide = append(wide, byte(u), byte(u>>8))
	}
	f := map[string][]byte{"raw": []byte(s), "hex": []byte(hex.EncodeToString([]byte(s))), "UTF-16": wide}
	for shift := range 3 {
		b := base64.StdEncoding.EncodeToString(append(make([]byte, shift), s...))
		f["base64"+strings.Repeat("'", shift)] = []byte(b[4*((shift+2)/3) : len(b)-4]) // without what depends on its neighbours
	}
	return f
}

func TestNoPlaintextInAnyFile(t *testing.T) {
	dir := t.TempDir()
	s := open(t, sqlite.Config{Path: filepath.Join(dir, "callward.db"), Keys: newKeys(t)})
	_, planted := plant(t, s)
	search := func(when string) {
		files, err := os.ReadDir(dir)
		require.NoError(t, err)
		require.NotEmpty(t, files)
		for _, f := range files {
			b, err := os.ReadFile(filepath.Join(dir, f.Name()))
			require.NoError(t, err)
			b = bytes.ToLower(b)
			for _, p := range planted {
				for form, want := range forms(p) {
					assert.False(t, bytes.Contains(b, bytes.ToLower(want)), "%s: %q in %s as %s", when, p, f.Name(), form)
				}
			}
			fi, err := f.Info()
			require.NoError(t, err)
			assert.EqualValues(t, 0o600, fi.Mode().Perm(), f.Name())
		}
	}
	search("while open")
	wal, err := os.Stat(filepath.Join(dir, "callward.db-wal"))
	require.NoError(t, err)
	require.Positive(t, wal.Size(), "the search above must have looked at a write-ahead log")
	require.NoError(t, s.Close())
	search("closed")

	// The search itself works: what is not sealed is found.
	b, err := os.ReadFile(filepath.Join(dir, "callward.db"))
	require.NoError(t, err)
	assert.True(t, bytes.Contains(b, []byte("ask_consent")))
}

// everything reads all that plant wrote.
func everything(t *testing.T, s *sqlite.Store, jane storage.Patient) {
	t.Helper()
	require.NoError(t, s.View(ctx, func(tx storage.Tx) error {
		p, err := tx.Patient(jane.ID)
		require.NoError(t, err)
		assert.Equal(t, jane.Reveal(), p.Reveal())
		matches, err := tx.MatchPatients(jane.Identifiers)
		require.NoError(t, err)
		require.Len(t, matches, 1)
		assert.Len(t, matches[0].Matched, 4)
		id, err := tx.PatientBySource(jane.Source)
		require.NoError(t, err)
		assert.Equal(t, jane.ID, id)
		visits, err := tx.LatestVisits(jane.ID, storagetest.Now)
		require.NoError(t, err)
		assert.Len(t, visits, 1)
		invoices, err := tx.Invoices(jane.ID)
		require.NoError(t, err)
		require.Len(t, invoices, 1)
		assert.Equal(t, "INVOICE9182736", invoices[0].Number)
		callbacks, err := tx.Callbacks(true)
		require.NoError(t, err)
		require.Len(t, callbacks, 1)
		assert.Equal(t, "+13105550177", callbacks[0].Phone)
		optOuts, err := tx.OptOuts("+13105550188", "")
		require.NoError(t, err)
		assert.Len(t, optOuts, 1)
		facts, err := tx.EntryFacts(1)
		require.NoError(t, err)
		assert.JSONEq(t, `{"said":"Marzipan"}`, string(facts))
		return nil
	}))
	// Written again, nothing is new: lookups find what is there.
	require.NoError(t, s.Update(ctx, func(tx storage.Tx) error {
		changed, err := tx.PutPatient(jane)
		assert.False(t, changed)
		require.NoError(t, err)
		changed, err = tx.PutInvoice(storage.Invoice{Number: "INVOICE9182736", Patient: jane.ID, Date: "2026-11-01"})
		assert.False(t, changed)
		return err
	}))
}

func crowd(t *testing.T, s *sqlite.Store, n int) {
	t.Helper()
	require.NoError(t, s.Update(ctx, func(tx storage.Tx) error {
		for i := range n {
			p := storagetest.Jane(t)
			p.Source.ID = string(p.ID)
			p.Identifiers = []storage.Identifier{{Kind: storage.KindMRN, Value: string(p.ID)}}
			if _, err := tx.PutPatient(p); err != nil {
				return err
			}
			if i%3 == 0 {
				if _, err := tx.PutInvoice(storage.Invoice{Number: string(p.ID), Patient: p.ID}); err != nil {
					return err
				}
			}
		}
		return nil
	}))
}

func TestRotate(t *testing.T) {
	keys, keyset := newKeyset(t)
	cfg := sqlite.Config{Path: filepath.Join(t.TempDir(), "callward.db"), Keys: keys}
	s := open(t, cfg)
	jane, _ := plant(t, s)
	crowd(t, s, 450)
	require.ErrorIs(t, sqlite.Rotate(ctx, cfg, keyset, nil), seal.ErrInUse)
	require.NoError(t, s.Close())
	require.NoError(t, keys.Close())
	before, err := os.ReadFile(keyset)
	require.NoError(t, err)

	// Interrupted in the midst of it.
	stop := errors.New("stopped")
	halfway, cancel := context.WithCancelCause(ctx)
	err = sqlite.Rotate(halfway, cfg, keyset, func(done, _ int64) {
		if done >= 400 {
			cancel(stop)
		}
	})
	require.ErrorIs(t, err, stop)
	mixed, err := seal.Load(keyset)
	require.NoError(t, err)
	require.True(t, mixed.Rotating())
	s, err = sqlite.Open(ctx, sqlite.Config{Path: cfg.Path, Keys: mixed})
	require.NoError(t, err)
	everything(t, s, jane) // half old and half new, all is found
	require.NoError(t, s.Close())
	require.NoError(t, mixed.Close())

	var last, total int64
	require.NoError(t, sqlite.Rotate(ctx, cfg, keyset, func(done, of int64) {
		assert.Greater(t, done, last)
		last, total = done, of
	}))
	assert.Equal(t, total, last)
	assert.Less(t, total, int64(300), "what was done before is not done again")

	after, err := seal.Load(keyset)
	require.NoError(t, err)
	defer func() { require.NoError(t, after.Close()) }()
	require.False(t, after.Rotating())
	s = open(t, sqlite.Config{Path: cfg.Path, Keys: after})
	everything(t, s, jane)

	old := filepath.Join(t.TempDir(), "old.json")
	require.NoError(t, os.WriteFile(old, before, 0o600))
	oldKeys, err := seal.Load(old)
	require.NoError(t, err)
	defer func() { require.NoError(t, oldKeys.Close()) }()
	_, err = sqlite.Open(ctx, sqlite.Config{Path: cfg.Path, Keys: oldKeys})
	require.ErrorIs(t, err, storage.ErrSealed, "the old keys open nothing any more")
}

// A sealed value put into another row does not open there.
func TestSealedValuesDoNotMove(t *testing.T) {
	s := open(t, sqlite.Config{Path: filepath.Join(t.TempDir(), "callward.db"), Keys: newKeys(t)})
	jane, _ := plant(t, s)
	crowd(t, s, 1)
	require.NoError(t, s.Exec("UPDATE patient SET sealed = (SELECT sealed FROM patient WHERE id <> '"+string(jane.ID)+"') WHERE id = '"+string(jane.ID)+"'"))
	require.ErrorIs(t, s.View(ctx, func(tx storage.Tx) error { _, err := tx.Patient(jane.ID); return err }), storage.ErrSealed)
}

// The log and the consents cannot be changed through SQL by accident.
func TestAppendOnly(t *testing.T) {
	s := open(t, sqlite.Config{Path: filepath.Join(t.TempDir(), "callward.db")})
	require.NoError(t, s.Update(ctx, audit("x")))
	for _, q := range []string{"DELETE FROM audit", "UPDATE audit SET leaf = '{}'"} {
		assert.ErrorContains(t, s.Exec(q), "append-only", q)
	}
}
