package sqlite

import (
	"database/sql"
	"fmt"
	"time"

	"github.com/callward/callward/storage"
)

// AddAttempt records one submitted set of identifiers.
func (t *tx) AddAttempt(a storage.Attempt) error {
	if err := t.writable(); err != nil {
		return err
	}
	switch a.Result {
	case storage.AttemptMatched, storage.AttemptFailed, storage.AttemptAmbiguous, storage.AttemptUnreadable:
	default:
		return fmt.Errorf("%w: attempt result", storage.ErrInvalid)
	}
	for _, k := range a.Offered {
		if !k.Valid() {
			return fmt.Errorf("%w: identifier kind", storage.ErrInvalid)
		}
	}
	if err := required("call id", a.CallID); err != nil {
		return err
	}
	if a.At.IsZero() {
		a.At = t.s.cfg.Clock()
	}
	id, err := t.nextID("attempt")
	if err != nil {
		return err
	}
	if err := t.exec("INSERT INTO attempt (id, call, at, result, offered) VALUES (?, ?, ?, ?, ?)",
		id, a.CallID, ms(a.At), string(a.Result), list(a.Offered)); err != nil {
		return err
	}
	for _, p := range a.Patients {
		if err := t.exec("INSERT INTO attempt_patient (patient, attempt) VALUES (?, ?) ON CONFLICT DO NOTHING", string(p), id); err != nil {
			return err
		}
	}
	return nil
}

// nextID is the next id of a table whose rows are never deleted.
func (t *tx) nextID(table string) (id int64, err error) {
	_, err = t.one("SELECT coalesce(max(id), 0) + 1 FROM "+table, nil, &id)
	return id, err
}

// Attempts lists a call's attempts.
func (t *tx) Attempts(callID string) ([]storage.Attempt, error) {
	var out []storage.Attempt
	var ids []int64
	err := t.each("SELECT id, at, result, offered FROM attempt WHERE call = ? ORDER BY id", []any{callID}, func(r *sql.Rows) error {
		a := storage.Attempt{CallID: callID}
		var id int64
		if err := r.Scan(&id, msTo{&a.At}, &a.Result, listTo[storage.IdentifierKind]{&a.Offered}); err != nil {
			return classify(err)
		}
		out, ids = append(out, a), append(ids, id)
		return nil
	})
	if err != nil {
		return nil, err
	}
	for i, id := range ids {
		err := t.each("SELECT patient FROM attempt_patient WHERE attempt = ? ORDER BY patient", []any{id}, func(r *sql.Rows) error {
			var p storage.PatientID
			if err := r.Scan(&p); err != nil {
				return classify(err)
			}
			out[i].Patients = append(out[i].Patients, p)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// CountFailures counts failed attempts against a record.
func (t *tx) CountFailures(id storage.PatientID, since time.Time) (n int, fifthAt time.Time, err error) {
	var l storage.Lock
	err = t.each(`SELECT at FROM attempt_patient JOIN attempt ON attempt.id = attempt
		WHERE patient = ? AND result = ? ORDER BY at, attempt.id`, []any{string(id), string(storage.AttemptFailed)}, func(r *sql.Rows) error {
		var at time.Time
		if err := r.Scan(msTo{&at}); err != nil {
			return classify(err)
		}
		if !at.Before(since) {
			n++
		}
		l.Failure(at)
		return nil
	})
	return n, l.LockedAt(), err
}
