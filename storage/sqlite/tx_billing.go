package sqlite

import (
	"bytes"
	"cmp"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"github.com/callward/callward/storage"
	"github.com/callward/callward/storage/seal"
)

// kept is a table of rows whose own key is PHI: the row has a random id, and
// the key is looked up by its hash.
type kept struct{ table, domain string }

var (
	visits   = kept{"visit", lookupVisit}
	invoices = kept{"invoice", lookupInvoice}
)

func (k kept) place(row string) seal.Place {
	return seal.Place{Table: k.table, Column: "sealed", Row: row}
}

// PutVisit writes a visit.
func (t *tx) PutVisit(v storage.Visit) (bool, error) {
	v.Start = cut(v.Start)
	if v.ID == "" || !isDate(v.Date) {
		return false, fmt.Errorf("%w: visit", storage.ErrInvalid)
	}
	return t.putKept(visits, v.ID, v.Patient, v.Reveal())
}

// PutInvoice writes an invoice.
func (t *tx) PutInvoice(i storage.Invoice) (bool, error) {
	if i.Number == "" || i.Date != "" && !isDate(i.Date) {
		return false, fmt.Errorf("%w: invoice", storage.ErrInvalid)
	}
	return t.putKept(invoices, i.Number, i.Patient, i.Reveal())
}

func isDate(s string) bool {
	_, err := time.Parse(time.DateOnly, s)
	return err == nil
}

func (t *tx) putKept(k kept, key string, patient storage.PatientID, v any) (bool, error) {
	if err := t.writable(); err != nil {
		return false, err
	}
	hashes, err := t.s.cfg.Keys.Lookups(k.domain, key)
	if err != nil {
		return false, err
	}
	q, args := in(hashes)
	var id, owner string
	var was []byte
	found, err := t.one("SELECT id, patient, sealed FROM "+k.table+" WHERE key IN "+q, args, &id, &owner, &was)
	if err != nil {
		return false, err
	}
	if found && owner != string(patient) {
		return false, fmt.Errorf("%w: the %s is another patient's", storage.ErrConflict, k.table)
	}
	if !found {
		if id, err = t.rowID(); err != nil {
			return false, err
		}
	}
	plain, sealed, err := t.sealJSON(k.place(id), v)
	if err != nil {
		return false, err
	}
	if found {
		open, err := t.s.cfg.Keys.Open(k.place(id), was)
		if err != nil {
			return false, err
		}
		if bytes.Equal(open, plain) {
			return false, nil
		}
	}
	return true, t.exec("INSERT INTO "+k.table+` (id, key, patient, lookup_key, sealed) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET key = excluded.key, lookup_key = excluded.lookup_key, sealed = excluded.sealed`,
		id, hashes[0], string(patient), t.s.cfg.Keys.LookupID(), sealed)
}

// listKept opens a patient's rows.
func listKept[R any](t *tx, k kept, patient storage.PatientID) ([]R, error) {
	var out []R
	err := t.each("SELECT id, sealed FROM "+k.table+" WHERE patient = ?", []any{string(patient)}, func(r *sql.Rows) error {
		var id string
		var sealed []byte
		if err := r.Scan(&id, &sealed); err != nil {
			return classify(err)
		}
		var v R
		if err := t.openJSON(k.place(id), sealed, &v); err != nil {
			return err
		}
		out = append(out, v)
		return nil
	})
	return out, err
}

// Visits lists a patient's visits, newest first.
func (t *tx) Visits(id storage.PatientID) ([]storage.Visit, error) {
	rows, err := listKept[storage.RevealedVisit](t, visits, id)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(rows, func(a, b storage.RevealedVisit) int {
		return cmp.Or(cmp.Compare(b.Date, a.Date), b.Start.Compare(a.Start), cmp.Compare(a.ID, b.ID))
	})
	out := make([]storage.Visit, len(rows))
	for i, r := range rows {
		out[i] = storage.Visit(r)
	}
	return out, nil
}

// LatestVisits returns the visits of the most recent date of service.
func (t *tx) LatestVisits(id storage.PatientID, before time.Time) ([]storage.Visit, error) {
	all, err := t.Visits(id)
	if err != nil {
		return nil, err
	}
	var out []storage.Visit
	for _, v := range all {
		if v.Status != storage.VisitFinished || !began(v, before) {
			continue
		}
		if len(out) > 0 && v.Date != out[0].Date {
			break
		}
		out = append(out, v)
	}
	return out, nil
}

// began tells whether a visit began before an instant. Without a time of day,
// its date in UTC decides.
func began(v storage.Visit, before time.Time) bool {
	if v.Start.IsZero() {
		return v.Date <= before.UTC().Format(time.DateOnly)
	}
	return v.Start.Before(before)
}

// Invoices lists a patient's invoices, newest first.
func (t *tx) Invoices(id storage.PatientID) ([]storage.Invoice, error) {
	rows, err := listKept[storage.RevealedInvoice](t, invoices, id)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(rows, func(a, b storage.RevealedInvoice) int {
		return cmp.Or(cmp.Compare(b.Date, a.Date), cmp.Compare(a.Number, b.Number))
	})
	out := make([]storage.Invoice, len(rows))
	for i, r := range rows {
		out[i] = storage.Invoice(r)
	}
	return out, nil
}
