package sqlite

import (
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"

	"github.com/callward/callward/storage"
	"github.com/callward/callward/storage/auditlog"
	"github.com/callward/callward/storage/seal"
)

// factsSalt is how many random bytes are hashed before an entry's facts.
const factsSalt = 32

func factsPlace(n int64) seal.Place {
	return seal.Place{Table: "audit_facts", Column: "sealed", Row: strconv.FormatInt(n, 10)}
}

// Audit appends an entry.
func (t *tx) Audit(e storage.Entry) (int64, error) {
	if err := t.writable(); err != nil {
		return 0, err
	}
	n := t.w.tree.Size() + 1
	if e.At.IsZero() {
		e.At = t.s.cfg.Clock()
	}
	var facts []byte
	if e.Facts != nil {
		salted := make([]byte, factsSalt, factsSalt+len(e.Facts))
		if _, err := io.ReadFull(t.s.cfg.Rand, salted); err != nil {
			return 0, fmt.Errorf("sqlite: draw a salt: %w", err)
		}
		salted = append(salted, e.Facts...)
		e.FactsHash = sha256.Sum256(salted)
		var err error
		if facts, err = t.s.cfg.Keys.Seal(factsPlace(n), salted); err != nil {
			return 0, err
		}
	}
	leaf, err := auditlog.Append(make([]byte, 0, 512), n, e)
	if err != nil {
		return 0, err
	}
	next := t.w.tree
	hashes := next.Append(make([]byte, 0, 4*auditlog.HashSize), leaf)
	if err := t.exec("INSERT INTO audit (n, leaf, hashes) VALUES (?, ?, ?)", n, string(leaf), hashes); err != nil {
		return 0, err
	}
	t.w.tree = next // from here on the row exists, or the part is undone
	if facts != nil {
		if err := t.exec("INSERT INTO audit_facts (n, sealed) VALUES (?, ?)", n, facts); err != nil {
			t.broken = err
			return 0, err
		}
	}
	return n, nil
}

// Entries lists entries in order of number.
func (t *tx) Entries(f storage.EntryFilter) ([]storage.StoredEntry, error) {
	if err := t.live(); err != nil {
		return nil, err
	}
	out, err := entries(t.c, f)
	return out, t.note(err)
}

// entries finds by call or patient through an index and checks everything
// against the leaf itself.
func entries(c *conn, f storage.EntryFilter) ([]storage.StoredEntry, error) {
	var w filter
	w.add("n > ?", f.After)
	if f.Before > 0 {
		w.add("n < ?", f.Before)
	}
	if f.Call != "" {
		w.add("call <> '' AND call = ?", f.Call)
	}
	if f.Patient != "" {
		w.add("patient <> '' AND patient = ?", string(f.Patient))
	}
	order := " ORDER BY n"
	if f.Last {
		order += " DESC"
	}
	var out []storage.StoredEntry
	err := c.each("SELECT n, leaf FROM audit"+w.sql()+order, w.args, func(r *sql.Rows) error {
		var row int64
		var leaf string
		if err := r.Scan(&row, &leaf); err != nil {
			return classify(err)
		}
		n, e, err := auditlog.Decode(leaf)
		if err != nil || n != row {
			return fmt.Errorf("%w: audit entry %d is damaged: run callward audit verify", storage.ErrUnavailable, row)
		}
		if f.Matches(n, e) {
			out = append(out, storage.StoredEntry{Number: n, Entry: e, Leaf: leaf})
		}
		if f.Limit > 0 && len(out) >= f.Limit {
			return errEnough
		}
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return nil, err
	}
	if f.Last {
		slices.Reverse(out)
	}
	return out, nil
}

var errEnough = errors.New("sqlite: enough rows")

// EntryFacts opens the facts beside entry n.
func (t *tx) EntryFacts(n int64) ([]byte, error) {
	var leaf string
	var sealed []byte
	found, err := t.one("SELECT leaf, sealed FROM audit JOIN audit_facts USING (n) WHERE n = ?", []any{n}, &leaf, &sealed)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, notFound("facts of the audit entry")
	}
	salted, err := t.s.cfg.Keys.Open(factsPlace(n), sealed)
	if err != nil {
		return nil, err
	}
	_, e, err := auditlog.Decode(leaf)
	if err != nil || len(salted) < factsSalt || sha256.Sum256(salted) != e.FactsHash {
		return nil, fmt.Errorf("%w: facts of audit entry %d do not match its hash", storage.ErrSealed, n)
	}
	return salted[factsSalt:], nil
}

// AuditTree is the size and root of the log.
func (t *tx) AuditTree() (storage.AuditTree, error) {
	tree, err := t.tree()
	if err != nil {
		return storage.AuditTree{}, err
	}
	return storage.AuditTree{Size: tree.Size(), Root: tree.Root()}, nil
}

func (t *tx) tree() (auditlog.Tree, error) {
	if err := t.live(); err != nil {
		return auditlog.Tree{}, err
	}
	if t.w != nil {
		return t.w.tree, nil
	}
	tree, err := loadTree(t.c)
	return tree, t.note(err)
}

// AuditHashes reads stored hashes by tlog index.
func (t *tx) AuditHashes(indexes []int64) ([][32]byte, error) {
	tree, err := t.tree()
	if err != nil {
		return nil, err
	}
	hashes, err := auditlog.Hashes(tree.Size(), rowHashes(t.c), indexes)
	if err != nil {
		return nil, t.note(err)
	}
	out := make([][32]byte, len(hashes))
	for i, h := range hashes {
		out[i] = h
	}
	return out, nil
}

func loadTree(c *conn) (auditlog.Tree, error) {
	var size int64
	if _, err := c.one("SELECT coalesce(max(n), 0) FROM audit", nil, &size); err != nil {
		return auditlog.Tree{}, err
	}
	return auditlog.Load(size, rowHashes(c))
}

func rowHashes(c *conn) auditlog.RowHashes {
	return func(n int64) ([]byte, error) {
		var b []byte
		found, err := c.one("SELECT hashes FROM audit WHERE n = ?", []any{n}, &b)
		if err == nil && !found {
			err = fmt.Errorf("%w: audit entry %d is missing: run callward audit verify", storage.ErrUnavailable, n)
		}
		return b, err
	}
}

// AddCheckpoint keeps a signed checkpoint.
func (t *tx) AddCheckpoint(c storage.Checkpoint) error {
	if c.Size < 0 || len(c.Note) == 0 {
		return fmt.Errorf("%w: checkpoint", storage.ErrInvalid)
	}
	return t.exec("INSERT INTO checkpoint (size, at, note) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
		c.Size, c.At.UnixMilli(), string(c.Note))
}

// Checkpoints lists all, smallest tree first.
func (t *tx) Checkpoints() ([]storage.Checkpoint, error) {
	if err := t.live(); err != nil {
		return nil, err
	}
	out, err := checkpoints(t.c)
	return out, t.note(err)
}

func checkpoints(c *conn) ([]storage.Checkpoint, error) {
	var out []storage.Checkpoint
	err := c.each("SELECT size, at, note FROM checkpoint ORDER BY size, at", nil, func(r *sql.Rows) error {
		var p storage.Checkpoint
		var note string
		if err := r.Scan(&p.Size, msTo{&p.At}, &note); err != nil {
			return classify(err)
		}
		p.Note = []byte(note)
		out = append(out, p)
		return nil
	})
	return out, err
}
