package sqlite_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/callward/callward/storage"
	"github.com/callward/callward/storage/seal"
	"github.com/callward/callward/storage/sqlite"
	"github.com/callward/callward/storage/storagetest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

func TestContract(t *testing.T) {
	keys := newKeys(t) // of all places, so that one opened twice has the same
	storagetest.Exercise(t, func(t *testing.T, place string, clock func() time.Time) storage.Store {
		return open(t, sqlite.Config{Path: filepath.Join(place, "callward.db"), Keys: keys, Clock: clock})
	})
}

func newKeys(t testing.TB) *seal.Keys {
	t.Helper()
	k, err := seal.NewInMemory()
	require.NoError(t, err)
	return k
}

func open(t testing.TB, cfg sqlite.Config) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(context.Background(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	return s
}
