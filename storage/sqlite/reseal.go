package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/callward/callward/storage"
	"github.com/callward/callward/storage/seal"
)

// Progress tells how many rows are re-sealed, of how many.
type Progress func(done, total int64)

// resealBatch is how many rows one transaction re-seals.
const resealBatch = 200

// Rotate gives the database new keys: it adds them to the keyset file, seals
// every row and computes every lookup hash anew, and drops the old keys. It
// needs the keyset for itself (seal.ErrInUse while callward serve runs). If it
// is interrupted, run it again: it goes on where it was. A backup of the
// database made before needs the keyset of before. cfg.Keys is not used.
func Rotate(ctx context.Context, cfg Config, keyset string, progress Progress) error {
	keys, err := seal.LoadExclusive(keyset)
	if err != nil {
		return err
	}
	defer func() { _ = keys.Close() }()
	cfg.Keys = keys
	s, err := Open(ctx, cfg) // before adding keys: they must be this database's
	if err != nil {
		return err
	}
	if !keys.Rotating() {
		if err := keys.AddKeys(); err != nil {
			return errors.Join(err, s.Close())
		}
	}
	err = s.Reseal(ctx, progress)
	if err == nil {
		err = s.nothingStale(ctx)
	}
	if closeErr := s.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	return keys.Retire()
}

// sealedTable is a table with sealed rows and how to do one of them again.
type sealedTable struct {
	name    string
	id      string // the id column
	lookups bool   // has a lookup_key column
	again   func(t *tx, id any, sealed []byte) error
}

var sealedTables = []sealedTable{
	{"patient", "id", true, resealPatient},
	{"visit", "id", true, resealKept(visits, func(v storage.RevealedVisit) string { return v.ID })},
	{"invoice", "id", true, resealKept(invoices, func(i storage.RevealedInvoice) string { return i.Number })},
	{"optout", "id", true, resealOptOut},
	{"callback", "id", false, resealOnly("callback", "id")},
	{"audit_facts", "n", false, resealOnly("audit_facts", "n")},
}

// stale is the condition for rows not yet under the primary keys.
func (st sealedTable) stale(k *seal.Keys) (string, []any) {
	if st.lookups {
		return "(substr(sealed, 1, 5) <> ? OR lookup_key <> ?)", []any{k.Prefix(), k.LookupID()}
	}
	return "substr(sealed, 1, 5) <> ?", []any{k.Prefix()}
}

// Reseal brings every row under the primary keys, in batches; rows that are
// there already cost nothing, so it may be interrupted and run again. Errors:
// storage.ErrSealed, storage.ErrUnavailable, ctx's cause.
func (s *Store) Reseal(ctx context.Context, progress Progress) error {
	if s.cfg.Keys == nil {
		return fmt.Errorf("%w: no keyset is loaded", storage.ErrSealed)
	}
	total, err := s.staleRows(ctx)
	if err != nil {
		return err
	}
	var done int64
	for _, st := range sealedTables {
		var after any // the last id of the batch before
		for {
			n, last, err := s.resealSome(ctx, st, after)
			if err != nil {
				return err
			}
			if n == 0 {
				break
			}
			after = last
			if done += n; progress != nil {
				progress(done, total)
			}
		}
	}
	return s.Update(ctx, func(t storage.Tx) error { return t.(*tx).writeCanary() })
}

// nothingStale is the last look before old keys are dropped.
func (s *Store) nothingStale(ctx context.Context) error {
	n, err := s.staleRows(ctx)
	if err == nil && n > 0 {
		err = fmt.Errorf("%w: %d rows were written with the old key meanwhile: rotate again", storage.ErrConflict, n)
	}
	return err
}

func (s *Store) staleRows(ctx context.Context) (total int64, err error) {
	err = s.View(ctx, func(v storage.Tx) error {
		total = 0
		for _, st := range sealedTables {
			cond, args := st.stale(s.cfg.Keys)
			var n int64
			if _, err := v.(*tx).one("SELECT count(*) FROM "+st.name+" WHERE "+cond, args, &n); err != nil {
				return err
			}
			total += n
		}
		return nil
	})
	return total, err
}

func (s *Store) resealSome(ctx context.Context, st sealedTable, after any) (n int64, last any, err error) {
	type row struct {
		id     any
		sealed []byte
	}
	err = s.Update(ctx, func(u storage.Tx) error {
		t := u.(*tx)
		cond, args := st.stale(s.cfg.Keys)
		if after != nil {
			cond, args = cond+" AND "+st.id+" > ?", append(args, after)
		}
		var rows []row
		q := "SELECT " + st.id + ", sealed FROM " + st.name + " WHERE " + cond + " ORDER BY " + st.id + limit(resealBatch)
		err := t.each(q, args, func(r *sql.Rows) error {
			var one row
			err := r.Scan(&one.id, &one.sealed)
			one.sealed = slices.Clone(one.sealed)
			rows = append(rows, one)
			return classify(err)
		})
		if err != nil {
			return err
		}
		for _, r := range rows {
			if err := st.again(t, r.id, r.sealed); err != nil {
				return err
			}
			last = r.id
		}
		n = int64(len(rows))
		return nil
	})
	return n, last, err
}

func resealPatient(t *tx, id any, sealed []byte) error {
	var r storage.RevealedPatient
	place := patientPlace(storage.PatientID(text(id)))
	if err := t.openJSON(place, sealed, &r); err != nil {
		return err
	}
	_, again, err := t.sealJSON(place, r)
	if err != nil {
		return err
	}
	return t.writePatient(r.Redacting(), again)
}

func resealKept[R any](k kept, key func(R) string) func(*tx, any, []byte) error {
	return func(t *tx, id any, sealed []byte) error {
		var r R
		place := k.place(text(id))
		if err := t.openJSON(place, sealed, &r); err != nil {
			return err
		}
		_, again, err := t.sealJSON(place, r)
		if err != nil {
			return err
		}
		h, err := t.s.cfg.Keys.Lookup(k.domain, key(r))
		if err != nil {
			return err
		}
		return t.exec("UPDATE "+k.table+" SET key = ?, lookup_key = ?, sealed = ? WHERE id = ?",
			h, t.s.cfg.Keys.LookupID(), again, id)
	}
}

func resealOptOut(t *tx, id any, sealed []byte) error {
	keys := t.s.cfg.Keys
	place := seal.Place{Table: "optout", Column: "sealed", Row: text(id)}
	phone, err := keys.Open(place, sealed)
	if err != nil {
		return err
	}
	again, err := keys.Seal(place, phone)
	if err != nil {
		return err
	}
	var h []byte
	if len(phone) > 0 {
		if h, err = keys.Lookup(lookupPhone, string(phone)); err != nil {
			return err
		}
	}
	return t.exec("UPDATE optout SET phone = ?, lookup_key = ?, sealed = ? WHERE id = ?", h, keys.LookupID(), again, id)
}

func resealOnly(table, id string) func(*tx, any, []byte) error {
	return func(t *tx, row any, sealed []byte) error {
		place := seal.Place{Table: table, Column: "sealed", Row: text(row)}
		plain, err := t.s.cfg.Keys.Open(place, sealed)
		if err != nil {
			return err
		}
		again, err := t.s.cfg.Keys.Seal(place, plain)
		if err != nil {
			return err
		}
		return t.exec("UPDATE "+table+" SET sealed = ? WHERE "+id+" = ?", again, row)
	}
}

// text is a row id as its place names it.
func text(id any) string {
	if n, ok := id.(int64); ok {
		return strconv.FormatInt(n, 10)
	}
	return fmt.Sprint(id)
}

// The canary is a sealed row that tells a wrong keyset at the door.
var canaryPlace = seal.Place{Table: "meta", Column: "value", Row: "canary"}

const canary = "callward"

func (t *tx) writeCanary() error {
	sealed, err := t.s.cfg.Keys.Seal(canaryPlace, []byte(canary))
	if err != nil {
		return err
	}
	return t.exec("INSERT INTO meta (key, value) VALUES ('canary', ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", sealed)
}

// checkKeys refuses keys that are not those of this database. It only writes
// to a database that is new.
func (s *Store) checkKeys() error {
	if s.cfg.Keys == nil {
		return nil
	}
	found := false
	check := func(v storage.Tx) error {
		var sealed []byte
		var err error
		if found, err = v.(*tx).one("SELECT value FROM meta WHERE key = 'canary'", nil, &sealed); err != nil || !found {
			return err
		}
		if _, err := s.cfg.Keys.Open(canaryPlace, sealed); err != nil {
			return fmt.Errorf("%w: the database was sealed with another keyset: give the one it was made with", storage.ErrSealed)
		}
		return nil
	}
	if err := s.View(background, check); err != nil || found {
		return err
	}
	return s.Update(background, func(u storage.Tx) error {
		if err := check(u); err != nil || found {
			return err
		}
		return u.(*tx).writeCanary()
	})
}
