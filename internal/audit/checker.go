package audit

import (
	"fmt"
	"math/bits"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/callward/callward/storage/auditlog"
	"github.com/callward/callward/storage/sqlite"
)

// hashed is a row with what can be computed from it alone.
type hashed struct {
	sqlite.AuditRow
	leaf tlog.Hash
	says int64 // the number inside the leaf; 0 if it is not a leaf
	sums [2]uint64
}

// hash is what a worker does; buf is its own to use again.
func hash(r sqlite.AuditRow, buf *[]byte) hashed {
	*buf = append((*buf)[:0], r.Leaf...)
	h := hashed{AuditRow: r, leaf: tlog.RecordHash(*buf)}
	if n, call, patient, err := auditlog.Check(r.Leaf); err == nil {
		h.says = n
		h.sums = [2]uint64{indexSum(r.Number, call), indexSum(r.Number, string(patient))}
	}
	return h
}

// checker follows the log from its first row to its last. It keeps the right
// edge of the tree as the stored hashes have it, after each was checked: so
// one bad row is one finding and not one for every row that follows.
type checker struct {
	report *Report
	points []Checkpoint // still to be checked, smallest first

	size  int64         // the number of the last row
	node  [63]tlog.Hash // node[l] counts if bit l of size is set
	known uint64        // bit l: node[l] is known
	found int64         // the highest number a finding was about
	sums  [2]uint64     // of what the indexes must hold; see indexSum
}

func (c *checker) problem(p Problem) {
	c.found = max(c.found, p.To)
	c.report.add(p)
}

// row checks the next row.
func (c *checker) row(r hashed) {
	if r.Number <= c.size { // only in a damaged file
		c.problem(Problem{Kind: Malformed, From: max(r.Number, 1), To: max(r.Number, 1), Detail: "the number is not above the one before"})
		return
	}
	c.report.Entries++
	for i, sum := range r.sums {
		c.sums[i] += sum
	}
	if r.Number > c.size+1 {
		c.skip(r.Number - 1)
	}
	switch {
	case r.says == 0:
		c.problem(Problem{Kind: Malformed, From: r.Number, To: r.Number})
	case r.says != r.Number:
		c.problem(Problem{Kind: Moved, From: r.Number, To: r.Number, Detail: fmt.Sprintf("it says it is entry %d", r.says)})
	}
	c.hashes(r)
	c.anchors()
}

// hashes checks the hashes beside a row and takes it into the tree.
func (c *checker) hashes(r hashed) {
	n := r.Number
	whole := len(r.Hashes) == auditlog.HashSize*auditlog.HashesAt(n)
	stored := func(level int) (h tlog.Hash) {
		copy(h[:], r.Hashes[level*auditlog.HashSize:])
		return h
	}
	current, known := r.leaf, true
	if whole {
		if current = stored(0); current != r.leaf {
			c.changed(n, n, "its hash does not match")
		}
	} else {
		c.changed(n, n, "the hashes beside it are not as many as must be")
	}
	level := 0
	for ; c.size>>level&1 == 1; level++ {
		both := known && c.known>>level&1 == 1
		computed := tlog.NodeHash(c.node[level], current)
		switch {
		case whole:
			current, known = stored(level+1), true
			if both && computed != current {
				c.changed(n+1-2<<level, n, "the hash over them does not match")
			}
		default:
			current, known = computed, both
		}
		c.known &^= 1 << level
	}
	c.size = n
	c.node[level] = current
	c.known &^= 1 << level
	if known {
		c.known |= 1 << level
	}
}

// changed reports entries whose hash does not match, unless one of them was
// reported already.
func (c *checker) changed(from, to int64, detail string) {
	if c.found < from {
		c.problem(Problem{Kind: Changed, From: from, To: to, Detail: detail})
	}
}

// skip reports rows that are not there. Of the edge, what ended before the gap
// stays known.
func (c *checker) skip(to int64) {
	from := c.size + 1
	c.problem(Problem{Kind: Missing, From: from, To: to})
	for level := range c.node {
		start := to >> (level + 1) << (level + 1)
		if to>>level&1 == 1 && start+1<<level > c.size {
			c.known &^= 1 << level
		}
	}
	for len(c.points) > 0 && c.points[0].Size <= to {
		c.points = c.points[1:] // it was signed over entries that are missing: reported above
	}
	c.size = to
}

// root is the root hash of the log so far, if it is known.
func (c *checker) root() (tlog.Hash, bool) {
	if c.size == 0 {
		h, err := tlog.TreeHash(0, nil)
		return h, err == nil
	}
	if c.known&uint64(c.size) != uint64(c.size) {
		return tlog.Hash{}, false
	}
	level := bits.TrailingZeros64(uint64(c.size))
	h := c.node[level]
	for level++; c.size>>level > 0; level++ {
		if c.size>>level&1 == 1 {
			h = tlog.NodeHash(c.node[level], h)
		}
	}
	return h, true
}

// anchors checks the checkpoints of the size reached.
func (c *checker) anchors() {
	for len(c.points) > 0 && c.points[0].Size <= c.size {
		p := c.points[0]
		c.points = c.points[1:]
		root, known := c.root()
		switch {
		case !known: // entries before it are missing: reported already
		case root != p.Root:
			c.problem(Problem{Kind: Rewritten, From: c.report.Anchored + 1, To: p.Size,
				Detail: "signed otherwise on " + p.At.Format(timeForm)})
		default:
			c.report.Anchored, c.report.AnchoredAt = p.Size, p.At
		}
	}
}

// finish checks what is left when there are no more rows.
func (c *checker) finish() {
	c.report.Last = c.size
	if root, known := c.root(); known {
		c.report.Root = root
	}
	if n := len(c.points); n > 0 {
		p := c.points[n-1]
		c.problem(Problem{Kind: Truncated, From: c.size + 1, To: p.Size,
			Detail: "signed on " + p.At.Format(timeForm)})
	}
}
