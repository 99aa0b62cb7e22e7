package audit_test

import (
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callward/callward/internal/audit"
)

// BenchmarkVerify reports events/s of a whole verification, its indexes
// included, by the wall clock and, since cores may be shared, by CPU time.
func BenchmarkVerify(b *testing.B) {
	const entries = 200_000
	s := newSite(b)
	for range entries / 1000 {
		s.add(b, 1000)
	}
	s.checkpoint(b)
	require.NoError(b, s.store.Close())
	started := cpu(b)
	for b.Loop() {
		r, err := audit.Verify(ctx, s.db, "", s.pub)
		require.NoError(b, err)
		require.True(b, r.OK())
		require.EqualValues(b, entries, r.Anchored)
	}
	events := float64(entries) * float64(b.N)
	b.ReportMetric(events/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(events/(cpu(b)-started).Seconds(), "events/cpu-s")
}

// cpu is the CPU time this process has used.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
