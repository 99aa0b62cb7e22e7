package importer

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/callward/callward/storage"
	"github.com/callward/callward/storage/seal"
	"github.com/callward/callward/storage/sqlite"
)

var today = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func openStore(t testing.TB) storage.Store {
	t.Helper()
	dir := t.TempDir()
	keys, err := seal.Create(filepath.Join(dir, "keys"))
	require.NoError(t, err)
	st, err := sqlite.Open(t.Context(), sqlite.Config{
		Path: filepath.Join(dir, "db"), Keys: keys, Clock: func() time.Time { return today },
	})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, st.Close()) })
	return st
}

// files writes named texts to a directory and returns it.
func files(t testing.TB, texts map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range texts {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	return dir
}

func options(st storage.Store) Options {
	return Options{Store: st, System: "h", Clock: func() time.Time { return today }}
}

func imported(t testing.TB, o Options, paths ...string) Report {
	t.Helper()
	rep, err := Import(t.Context(), o, paths...)
	require.NoError(t, err)
	return rep
}

// record reads the patient imported under an id, with visits and invoices.
func record(t testing.TB, st storage.Store, id string) (p storage.Patient, v []storage.Visit, i []storage.Invoice) {
	t.Helper()
	require.NoError(t, st.View(t.Context(), func(tx storage.Tx) error {
		pid, err := tx.PatientBySource(storage.Source{System: "h", ID: id})
		if err != nil {
			return err
		}
		if p, err = tx.Patient(pid); err != nil {
			return err
		}
		if v, err = tx.Visits(pid); err != nil {
			return err
		}
		i, err = tx.Invoices(pid)
		return err
	}))
	return p, v, i
}

func audited(t testing.TB, st storage.Store) (all []storage.StoredEntry) {
	t.Helper()
	require.NoError(t, st.View(context.Background(), func(tx storage.Tx) (err error) {
		all, err = tx.Entries(storage.EntryFilter{})
		return err
	}))
	return all
}
