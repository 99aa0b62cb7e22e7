package audit_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/callward/callward/internal/audit"
)

// FuzzCheckpoint: any note is read or refused; what is read names a size that
// can be.
func FuzzCheckpoint(f *testing.F) {
	const good = "clinic\n3\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\ntime 2026-11-23T10:00:00.000Z\n\n— clinic AAAAAAAA\n"
	_, err := audit.ParseCheckpoint([]byte(good), nil)
	require.NoError(f, err)
	for _, s := range []string{good, "", "\n\n\n\n\n— a AAAA\n", good[:40]} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := audit.ParseCheckpoint(b, nil)
		if err != nil {
			require.ErrorIs(t, err, audit.ErrCheckpoint)
			return
		}
		require.GreaterOrEqual(t, c.Size, int64(0))
		require.NotEmpty(t, c.Origin)
		require.Equal(t, b, c.Note)
	})
}
