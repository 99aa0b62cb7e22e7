package sqlite

import (
	"bytes"
	"cmp"
	"database/sql"
	"fmt"
	"slices"

	"github.com/callward/callward/storage"
	"github.com/callward/callward/storage/seal"
)

func patientPlace(id storage.PatientID) seal.Place {
	return seal.Place{Table: "patient", Column: "sealed", Row: string(id)}
}

// Domains of lookup hashes.
const (
	lookupSource  = "source"
	lookupVisit   = "visit"
	lookupInvoice = "invoice"
	lookupPhone   = "opt-out phone"
)

func lookupIdentifier(k storage.IdentifierKind) string { return "identifier " + string(k) }

func sourceValue(s storage.Source) string { return s.System + "\x00" + s.ID }

// PutPatient writes a whole record.
func (t *tx) PutPatient(p storage.Patient) (bool, error) {
	if err := t.writable(); err != nil {
		return false, err
	}
	if err := required("patient id", string(p.ID)); err != nil {
		return false, err
	}
	p, err := canonical(p)
	if err != nil {
		return false, err
	}
	plain, sealed, err := t.sealJSON(patientPlace(p.ID), p.Reveal())
	if err != nil {
		return false, err
	}
	was, err := t.patient(p.ID)
	if err != nil {
		return false, err
	}
	if bytes.Equal(was, plain) {
		return false, nil
	}
	if !p.Source.IsZero() {
		other, err := t.patientBySource(p.Source)
		if err != nil {
			return false, err
		}
		if other != "" && other != p.ID {
			return false, fmt.Errorf("%w: another patient has this source", storage.ErrConflict)
		}
	}
	return true, t.writePatient(p, sealed)
}

// canonical orders identifiers and drops doubles, so that equal records are
// equal bytes.
func canonical(p storage.Patient) (storage.Patient, error) {
	p.Identifiers = slices.Clone(p.Identifiers)
	slices.SortFunc(p.Identifiers, func(a, b storage.Identifier) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Value, b.Value), cmp.Compare(a.System, b.System))
	})
	p.Identifiers = slices.Compact(p.Identifiers)
	for _, i := range p.Identifiers {
		if !i.Kind.Valid() || i.Value == "" {
			return p, fmt.Errorf("%w: patient identifier", storage.ErrInvalid)
		}
	}
	return p, nil
}

// writePatient replaces the row and its hashes.
func (t *tx) writePatient(p storage.Patient, sealed []byte) error {
	keys := t.s.cfg.Keys
	var source []byte
	if !p.Source.IsZero() {
		var err error
		if source, err = keys.Lookup(lookupSource, sourceValue(p.Source)); err != nil {
			return err
		}
	}
	err := t.exec(`INSERT INTO patient (id, source, lookup_key, sealed) VALUES (?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET source = excluded.source, lookup_key = excluded.lookup_key, sealed = excluded.sealed`,
		string(p.ID), source, keys.LookupID(), sealed)
	if err != nil {
		return err
	}
	if err := t.exec("DELETE FROM identifier WHERE patient = ?", string(p.ID)); err != nil {
		return err
	}
	for _, i := range p.Identifiers {
		h, err := keys.Lookup(lookupIdentifier(i.Kind), i.Value)
		if err != nil {
			return err
		}
		// The same value of two systems is one row.
		if err := t.exec("INSERT INTO identifier (kind, hash, patient) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
			string(i.Kind), h, string(p.ID)); err != nil {
			return err
		}
	}
	return nil
}

// patient is a record's JSON; nil if there is none.
func (t *tx) patient(id storage.PatientID) ([]byte, error) {
	var sealed []byte
	found, err := t.one("SELECT sealed FROM patient WHERE id = ?", []any{string(id)}, &sealed)
	if err != nil || !found {
		return nil, err
	}
	return t.s.cfg.Keys.Open(patientPlace(id), sealed)
}

// Patient reads one record.
func (t *tx) Patient(id storage.PatientID) (storage.Patient, error) {
	var sealed []byte
	found, err := t.one("SELECT sealed FROM patient WHERE id = ?", []any{string(id)}, &sealed)
	if err != nil {
		return storage.Patient{}, err
	}
	if !found {
		return storage.Patient{}, notFound("patient")
	}
	var r storage.RevealedPatient
	err = t.openJSON(patientPlace(id), sealed, &r)
	return r.Redacting(), err
}

// PatientBySource finds a record imported before.
func (t *tx) PatientBySource(s storage.Source) (storage.PatientID, error) {
	id, err := t.patientBySource(s)
	if err == nil && id == "" {
		err = notFound("patient")
	}
	return id, err
}

func (t *tx) patientBySource(s storage.Source) (storage.PatientID, error) {
	hashes, err := t.s.cfg.Keys.Lookups(lookupSource, sourceValue(s))
	if err != nil {
		return "", err
	}
	q, args := in(hashes)
	var id string
	_, err = t.one("SELECT id FROM patient WHERE source IN "+q, args, &id)
	return storage.PatientID(id), err
}

// Patients lists ids.
func (t *tx) Patients(after storage.PatientID, max int) ([]storage.PatientID, error) {
	var out []storage.PatientID
	err := t.each("SELECT id FROM patient WHERE id > ? ORDER BY id"+limit(max), []any{string(after)}, func(r *sql.Rows) error {
		var id string
		if err := r.Scan(&id); err != nil {
			return classify(err)
		}
		out = append(out, storage.PatientID(id))
		return nil
	})
	return out, err
}

// MatchPatients returns every record that an identifier matches.
func (t *tx) MatchPatients(offered []storage.Identifier) ([]storage.PatientMatch, error) {
	matched := map[storage.PatientID][]storage.IdentifierKind{}
	for _, i := range offered {
		if !i.Kind.Valid() {
			return nil, fmt.Errorf("%w: identifier kind", storage.ErrInvalid)
		}
		hashes, err := t.s.cfg.Keys.Lookups(lookupIdentifier(i.Kind), i.Value)
		if err != nil {
			return nil, err
		}
		q, args := in(hashes)
		args = append([]any{string(i.Kind)}, args...)
		err = t.each("SELECT patient FROM identifier WHERE kind = ? AND hash IN "+q, args, func(r *sql.Rows) error {
			var id storage.PatientID
			if err := r.Scan(&id); err != nil {
				return classify(err)
			}
			if !slices.Contains(matched[id], i.Kind) {
				matched[id] = append(matched[id], i.Kind)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	out := make([]storage.PatientMatch, 0, len(matched))
	for id, kinds := range matched {
		onFile, err := t.onFile(id)
		if err != nil {
			return nil, err
		}
		slices.Sort(kinds)
		out = append(out, storage.PatientMatch{Patient: id, Matched: kinds, OnFile: onFile})
	}
	slices.SortFunc(out, func(a, b storage.PatientMatch) int { return cmp.Compare(a.Patient, b.Patient) })
	return out, nil
}

func (t *tx) onFile(id storage.PatientID) (kinds []storage.IdentifierKind, err error) {
	err = t.each("SELECT DISTINCT kind FROM identifier WHERE patient = ? ORDER BY kind", []any{string(id)}, func(r *sql.Rows) error {
		var k storage.IdentifierKind
		if err := r.Scan(&k); err != nil {
			return classify(err)
		}
		kinds = append(kinds, k)
		return nil
	})
	return kinds, err
}
