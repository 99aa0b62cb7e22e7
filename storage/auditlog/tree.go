package auditlog

import (
	"errors"
	"fmt"
	"math/bits"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/callward/callward/storage"
)

// HashSize is the length of a hash in bytes.
const HashSize = tlog.HashSize

// Tree is the right edge of a log: the roots of the full subtrees its leaves
// form. It is all that appending needs, and a plain value: a copy is a
// snapshot to return to.
type Tree struct {
	size int64
	node [63]tlog.Hash // node[l] counts if bit l of size is set
}

// RowHashes reads the hashes kept beside entry number n, concatenated.
type RowHashes func(n int64) ([]byte, error)

// Load reads the right edge of a log of the given size.
func Load(size int64, rows RowHashes) (Tree, error) {
	t := Tree{size: size}
	for left := size; left > 0; left &= left - 1 {
		level := bits.TrailingZeros64(uint64(left))
		h, err := rowHash(rows, left, level)
		if err != nil {
			return Tree{}, err
		}
		t.node[level] = h
	}
	return t, nil
}

// rowHash is the hash at a level among those beside entry n, which is the last
// leaf of the subtree.
func rowHash(rows RowHashes, n int64, level int) (h tlog.Hash, err error) {
	b, err := rows(n)
	if err != nil {
		return h, err
	}
	if len(b) != HashSize*HashesAt(n) {
		return h, fmt.Errorf("%w: hashes beside audit entry %d have a wrong length", storage.ErrUnavailable, n)
	}
	copy(h[:], b[level*HashSize:])
	return h, nil
}

// HashesAt is how many hashes are kept beside entry number n.
func HashesAt(n int64) int { return 1 + bits.TrailingZeros64(uint64(n)) }

// Size is the number of leaves.
func (t *Tree) Size() int64 { return t.size }

// Append adds a leaf and appends the hashes to keep beside it to dst.
func (t *Tree) Append(dst, leaf []byte) []byte { return t.AppendHash(dst, tlog.RecordHash(leaf)) }

// AppendHash is Append for a leaf whose hash is known.
func (t *Tree) AppendHash(dst []byte, h tlog.Hash) []byte {
	dst = append(dst, h[:]...)
	level := 0
	for ; t.size>>level&1 == 1; level++ {
		h = tlog.NodeHash(t.node[level], h)
		dst = append(dst, h[:]...)
	}
	t.node[level] = h
	t.size++
	return dst
}

// Root is the root hash.
func (t *Tree) Root() tlog.Hash {
	if t.size == 0 {
		root, _ := tlog.TreeHash(0, nil)
		return root
	}
	level := bits.TrailingZeros64(uint64(t.size))
	h := t.node[level]
	for level++; t.size>>level > 0; level++ {
		if t.size>>level&1 == 1 {
			h = tlog.NodeHash(t.node[level], h)
		}
	}
	return h
}

// Hashes reads stored hashes by tlog index out of a log of the given size.
// Errors: storage.ErrNotFound for an index beyond it.
func Hashes(size int64, rows RowHashes, indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, 0, len(indexes))
	for _, i := range indexes {
		if i < 0 {
			return nil, errors.New("auditlog: negative hash index")
		}
		level, k := tlog.SplitStoredHashIndex(i)
		n := (k + 1) << level
		if n > size {
			return nil, fmt.Errorf("%w: audit hash beyond entry %d", storage.ErrNotFound, size)
		}
		h, err := rowHash(rows, n, level)
		if err != nil {
			return nil, err
		}
		out = append(out, h)
	}
	return out, nil
}
