package audit

import (
	"context"
	"hash/maphash"

	"github.com/callward/callward/storage/sqlite"
)

// indexes are those entries are listed through, in the order of hashed.sums.
var indexes = [2]sqlite.AuditIndex{sqlite.ByCall, sqlite.ByPatient}

var indexSeed = maphash.MakeSeed()

// indexSum is one index entry as a number. The sum over all entries tells
// whether two indexes hold the same, in whatever order; the seed is drawn anew
// by every process, so nobody can make a different index with the same sum.
func indexSum(n int64, value string) uint64 {
	if value == "" {
		return 0
	}
	return maphash.Comparable(indexSeed, struct {
		n     int64
		value string
	}{n, value})
}

// indexSums adds up what the indexes hold.
func indexSums(ctx context.Context, r *sqlite.AuditReader, last int64) (sums [2]uint64, err error) {
	for i, index := range indexes {
		err := r.Index(ctx, index, last, func(n int64, value string) { sums[i] += indexSum(n, value) })
		if err != nil {
			return sums, err
		}
	}
	return sums, nil
}

// indexes compares what the indexes hold with what the leaves say.
func (c *checker) indexes(sums [2]uint64, err error) {
	if err != nil {
		c.problem(Problem{Kind: Damaged, Detail: err.Error()})
		return
	}
	for i, index := range indexes {
		if sums[i] != c.sums[i] {
			c.problem(Problem{Kind: Damaged, Detail: "the index by " + string(index) + " does not hold what the entries say; sqlite3's REINDEX makes it anew"})
		}
	}
}
