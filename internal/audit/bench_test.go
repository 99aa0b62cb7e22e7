package audit_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/callward/callward/internal/audit"
)

// BenchmarkVerify reports events/s of a whole verification, SQLite's own check
// of table and indexes included.
func BenchmarkVerify(b *testing.B) {
	const entries = 200_000
	s := newSite(b)
	for range entries / 1000 {
		s.add(b, 1000)
	}
	s.checkpoint(b)
	require.NoError(b, s.store.Close())
	b.ResetTimer()
	for b.Loop() {
		r, err := audit.Verify(ctx, s.db, "", s.pub)
		require.NoError(b, err)
		require.True(b, r.OK())
		require.EqualValues(b, entries, r.Anchored)
	}
	b.ReportMetric(float64(entries)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
}
