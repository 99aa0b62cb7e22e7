// Package audit signs, lists and verifies the audit log (45 CFR 164.312(b) and
// (c); audit.every_decision, audit.integrity_retention).
//
// What lives here: signing keys, signed checkpoints, and the verifier, which
// needs a copy of the database and the public key and nothing else. What never
// may: appending entries (that is storage.Tx.Audit, in the transaction of what
// an entry reports), PHI, PHI keys.
//
// The bytes of an entry and the hashes beside it are described in
// storage/auditlog. What each kind of tampering runs into:
//
//	| what was done                       | what finds it, and what it can name        |
//	|-------------------------------------|--------------------------------------------|
//	| an entry changed                    | its hash: the entry                        |
//	| an entry and its hash changed       | the hash of its pair: the two entries      |
//	| ... and every hash above, too       | the next checkpoint: the entries since the |
//	|                                     | one before                                 |
//	| an entry removed                    | the gap in numbers: the entry              |
//	| the rest renumbered to close it     | the number inside the leaf: each entry     |
//	| entries swapped                     | the number inside the leaf: each entry     |
//	| the end cut off                     | a checkpoint of a larger log: the entries  |
//	| checkpoints in the database removed | the checkpoint kept elsewhere              |
//
// So a checkpoint should leave the machine: a line in a mail, a print, another
// system. Entries after the newest one are only as safe as the database file.
package audit

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/callward/callward/storage"
	"github.com/callward/callward/storage/sqlite"
)

// Log signs the audit log of a store.
type Log struct {
	store  storage.Store
	signer note.Signer
	clock  func() time.Time
}

// NewLog returns a Log; see LoadSigner.
func NewLog(store storage.Store, signer note.Signer, clock func() time.Time) *Log {
	return &Log{store: store, signer: signer, clock: clock}
}

// List lists entries of a store in order of number.
func List(ctx context.Context, s storage.Store, f storage.EntryFilter) ([]storage.StoredEntry, error) {
	var out []storage.StoredEntry
	err := s.View(ctx, func(tx storage.Tx) error {
		var err error
		out, err = tx.Entries(f)
		return err
	})
	return out, err
}

// ListFile lists entries of a database file without keys and without a server.
// It does not verify them.
func ListFile(ctx context.Context, dbPath string, f storage.EntryFilter) (out []storage.StoredEntry, err error) {
	r, err := sqlite.OpenAudit(ctx, dbPath)
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }()
	return r.Entries(f)
}

// Checkpoint signs the log as it stands, keeps the note in the store and
// returns it. It refuses, with ErrForked, to sign a log that does not contain
// the one signed last.
func (l *Log) Checkpoint(ctx context.Context) (Checkpoint, error) {
	var c Checkpoint
	err := l.store.Update(ctx, func(tx storage.Tx) error {
		tree, err := tx.AuditTree()
		if err != nil {
			return err
		}
		c = Checkpoint{Origin: l.signer.Name(), Size: tree.Size, Root: tree.Root, At: l.clock().UTC().Truncate(time.Millisecond)}
		if err := l.extends(tx, tree); err != nil {
			return err
		}
		if c.Note, err = c.sign(l.signer); err != nil {
			return err
		}
		return tx.AddCheckpoint(storage.Checkpoint{Size: c.Size, At: c.At, Note: c.Note})
	})
	return c, err
}

// extends proves that the log contains the last signed one.
func (l *Log) extends(tx storage.Tx, tree storage.AuditTree) error {
	all, err := tx.Checkpoints()
	if err != nil || len(all) == 0 {
		return err
	}
	last, err := ParseCheckpoint(all[len(all)-1].Note, nil)
	if err != nil {
		return err
	}
	if last.Size > tree.Size {
		return fmt.Errorf("%w: %d entries were signed, %d are there: run callward audit verify", ErrForked, last.Size, tree.Size)
	}
	if last.Size == 0 {
		return nil
	}
	proof, err := tlog.ProveTree(tree.Size, last.Size, hashReader{tx})
	if err != nil {
		return err
	}
	if err := tlog.CheckTree(proof, tree.Size, tree.Root, last.Size, last.Root); err != nil {
		return fmt.Errorf("%w: the first %d entries are not those that were signed: run callward audit verify", ErrForked, last.Size)
	}
	return nil
}

// hashReader reads stored hashes as tlog wants them.
type hashReader struct{ tx storage.Tx }

func (r hashReader) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	got, err := r.tx.AuditHashes(indexes)
	if err != nil {
		return nil, err
	}
	out := make([]tlog.Hash, len(got))
	for i, h := range got {
		out[i] = h
	}
	return out, nil
}
