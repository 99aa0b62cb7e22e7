package importer

import (
	"encoding/json"
	"errors"
	"hash/maphash"
	"strings"

	"github.com/callward/callward/storage"
)

// row is one good row on its way to the store. Exactly one of the three is set.
type row struct {
	at      Problem // file, line and kind, for a later refusal
	patient *storage.Patient
	visit   *storage.Visit
	invoice *storage.Invoice
	of      reference // whose visit or invoice
}

// reference names a patient as a file does.
type reference struct {
	id  string // the source's own
	mrn string // normalised
}

// outcome is what one transaction did. Its Bad list is as long as its batch.
type outcome struct{ Report }

func (o *outcome) wrote() bool {
	return o.Patients.Written+o.Visits.Written+o.Invoices.Written > 0
}

// writer puts rows into transactions.
type writer struct {
	o *Options
	// seen holds a hash of every row's key and content, so that two different
	// rows with one key in one import are an error instead of a flip-flop.
	seen map[uint64]uint64
	now  map[uint64]uint64 // of the transaction under way
	seed maphash.Seed
}

func newWriter(o *Options) *writer {
	return &writer{o: o, seen: make(map[uint64]uint64), seed: maphash.MakeSeed()}
}

// begin is called at the start of a transaction, which may be run again.
func (w *writer) begin() { w.now = make(map[uint64]uint64) }

// keep is called once it is committed.
func (w *writer) keep() {
	for k, v := range w.now {
		w.seen[k] = v
	}
}

// Refusals by the store.
const (
	whyRepeated  = "the same key appears again with other content; the first is kept"
	whyNoPatient = "its patient is neither in the files nor on record"
	whyAmbiguous = "its record number belongs to several patients"
	whyConflict  = "its id or number belongs to another patient"
	whyInvalid   = "the store refuses a value of it"
)

// put writes one row. Refusals go into out; an error ends the transaction.
func (w *writer) put(tx storage.Tx, r *row, out *outcome) error {
	var err error
	switch {
	case r.patient != nil:
		err = w.putPatient(tx, r, out)
	case r.visit != nil:
		err = w.putVisit(tx, r, out)
	default:
		err = w.putInvoice(tx, r, out)
	}
	var no refusal
	switch {
	case err == nil:
		return nil
	case errors.As(err, &no):
		r.at.Reason = string(no)
	case errors.Is(err, storage.ErrConflict):
		r.at.Reason = whyConflict
	case errors.Is(err, storage.ErrInvalid):
		r.at.Reason = whyInvalid
	default:
		return err
	}
	out.bad(r.at)
	return nil
}

// refusal is a reason to refuse a row.
type refusal string

func (r refusal) Error() string { return string(r) }

func (w *writer) putPatient(tx storage.Tx, r *row, out *outcome) error {
	p := *r.patient
	first, err := w.first("patient", p.Source.ID, r.of, p.Reveal())
	if err != nil {
		return err
	}
	if !first {
		out.Patients.Unchanged++
		return nil
	}
	p.ID, err = tx.PatientBySource(p.Source)
	if errors.Is(err, storage.ErrNotFound) {
		p.ID, err = storage.NewPatientID(w.o.Rand)
	}
	if err != nil {
		return err
	}
	changed, err := tx.PutPatient(p)
	return out.Patients.count(changed, err)
}

func (w *writer) putVisit(tx storage.Tx, r *row, out *outcome) error {
	v := *r.visit
	first, err := w.first("visit", v.ID, r.of, v.Reveal())
	if err != nil {
		return err
	}
	if !first {
		out.Visits.Unchanged++
		return nil
	}
	if v.Patient, err = w.find(tx, r.of); err != nil {
		return err
	}
	changed, err := tx.PutVisit(v)
	return out.Visits.count(changed, err)
}

func (w *writer) putInvoice(tx storage.Tx, r *row, out *outcome) error {
	i := *r.invoice
	first, err := w.first("invoice", i.Number, r.of, i.Reveal())
	if err != nil {
		return err
	}
	if !first {
		out.Invoices.Unchanged++
		return nil
	}
	if i.Patient, err = w.find(tx, r.of); err != nil {
		return err
	}
	changed, err := tx.PutInvoice(i)
	return out.Invoices.count(changed, err)
}

func (t *Tally) count(changed bool, err error) error {
	switch {
	case err != nil:
		return err
	case changed:
		t.Written++
	default:
		t.Unchanged++
	}
	return nil
}

// first tells whether this is the first row with its key. A second one with the
// same content is no news; with other content it is refused.
func (w *writer) first(kind, id string, of reference, content any) (bool, error) {
	b, err := json.Marshal(content)
	if err != nil {
		return false, refusal(whyInvalid)
	}
	k := maphash.String(w.seed, key(kind, id))
	c := maphash.String(w.seed, key(of.id, of.mrn, string(b)))
	for _, m := range []map[uint64]uint64{w.seen, w.now} {
		if was, ok := m[k]; ok {
			if was != c {
				return false, refusal(whyRepeated)
			}
			return false, nil
		}
	}
	w.now[k] = c
	return true, nil
}

// find resolves a reference: the record imported under that id, or else the one
// record with that record number.
func (w *writer) find(tx storage.Tx, of reference) (storage.PatientID, error) {
	if of.id != "" {
		id, err := tx.PatientBySource(storage.Source{System: w.o.System, ID: of.id})
		if err == nil || !errors.Is(err, storage.ErrNotFound) {
			return id, err
		}
	}
	if of.mrn == "" {
		return "", refusal(whyNoPatient)
	}
	found, err := tx.MatchPatients([]storage.Identifier{{Kind: storage.KindMRN, Value: of.mrn}})
	switch {
	case err != nil:
		return "", err
	case len(found) == 0:
		return "", refusal(whyNoPatient)
	case len(found) > 1:
		return "", refusal(whyAmbiguous)
	}
	return found[0].Patient, nil
}

// key joins parts that hold no NUL into one key.
func key(parts ...string) string { return strings.Join(parts, "\x00") }
