package sqlite

import (
	"database/sql"
	"fmt"
	"strconv"
	"time"

	"github.com/callward/callward/storage"
	"github.com/callward/callward/storage/seal"
)

func callbackPlace(id int64) seal.Place {
	return seal.Place{Table: "callback", Column: "sealed", Row: strconv.FormatInt(id, 10)}
}

func optOutPlace(id int64) seal.Place {
	return seal.Place{Table: "optout", Column: "sealed", Row: strconv.FormatInt(id, 10)}
}

// AddCallback keeps a call-back request.
func (t *tx) AddCallback(c storage.Callback) (int64, error) {
	if err := t.writable(); err != nil {
		return 0, err
	}
	if c.Phone == "" {
		return 0, fmt.Errorf("%w: callback phone", storage.ErrInvalid)
	}
	if c.RequestedAt.IsZero() {
		c.RequestedAt = t.s.cfg.Clock()
	}
	id, err := t.nextID("callback")
	if err != nil {
		return 0, err
	}
	sealed, err := t.s.cfg.Keys.Seal(callbackPlace(id), []byte(c.Phone))
	if err != nil {
		return 0, err
	}
	return id, t.exec(`INSERT INTO callback (id, call, patient, language, intent, requested_at, done_at, sealed)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
		id, c.CallID, string(c.Patient), c.Language, c.Intent, ms(c.RequestedAt), ms(c.DoneAt), sealed)
}

// Callbacks lists requests, oldest first.
func (t *tx) Callbacks(openOnly bool) ([]storage.Callback, error) {
	where := ""
	if openOnly {
		where = " WHERE done_at IS NULL"
	}
	var out []storage.Callback
	err := t.each("SELECT id, call, patient, language, intent, requested_at, done_at, sealed FROM callback"+where+" ORDER BY id", nil,
		func(r *sql.Rows) error {
			var c storage.Callback
			var sealed []byte
			if err := r.Scan(&c.ID, &c.CallID, &c.Patient, &c.Language, &c.Intent, msTo{&c.RequestedAt}, msTo{&c.DoneAt}, &sealed); err != nil {
				return classify(err)
			}
			phone, err := t.s.cfg.Keys.Open(callbackPlace(c.ID), sealed)
			c.Phone = string(phone)
			out = append(out, c)
			return err
		})
	return out, err
}

// CallbackDone closes a request.
func (t *tx) CallbackDone(id int64, at time.Time) error {
	n, err := t.affected("UPDATE callback SET done_at = ? WHERE id = ?", ms(at), id)
	if err == nil && n == 0 {
		err = notFound("callback")
	}
	return err
}

// AddOptOut keeps a wish not to be contacted.
func (t *tx) AddOptOut(o storage.OptOut) error {
	if err := t.writable(); err != nil {
		return err
	}
	switch o.Channel {
	case storage.OptOutAll, storage.OptOutCalls, storage.OptOutTexts:
	default:
		return fmt.Errorf("%w: opt-out channel", storage.ErrInvalid)
	}
	if o.Phone == "" && o.Patient == "" {
		return fmt.Errorf("%w: opt-out without phone and patient", storage.ErrInvalid)
	}
	if o.At.IsZero() {
		o.At = t.s.cfg.Clock()
	}
	id, err := t.nextID("optout")
	if err != nil {
		return err
	}
	keys := t.s.cfg.Keys
	sealed, err := keys.Seal(optOutPlace(id), []byte(o.Phone))
	if err != nil {
		return err
	}
	var phone []byte
	if o.Phone != "" {
		if phone, err = keys.Lookup(lookupPhone, o.Phone); err != nil {
			return err
		}
	}
	return t.exec("INSERT INTO optout (id, phone, patient, channel, call, at, lookup_key, sealed) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
		id, phone, string(o.Patient), string(o.Channel), o.CallID, ms(o.At), keys.LookupID(), sealed)
}

// OptOuts lists the wishes kept for a number or a patient.
func (t *tx) OptOuts(phone string, patient storage.PatientID) ([]storage.OptOut, error) {
	where, args := "patient <> '' AND patient = ?", []any{string(patient)}
	if phone != "" {
		hashes, err := t.s.cfg.Keys.Lookups(lookupPhone, phone)
		if err != nil {
			return nil, err
		}
		q, more := in(hashes)
		where, args = "("+where+") OR phone IN "+q, append(args, more...)
	}
	var out []storage.OptOut
	err := t.each("SELECT id, patient, channel, call, at, sealed FROM optout WHERE "+where+" ORDER BY id", args, func(r *sql.Rows) error {
		var o storage.OptOut
		var id int64
		var sealed []byte
		if err := r.Scan(&id, &o.Patient, &o.Channel, &o.CallID, msTo{&o.At}, &sealed); err != nil {
			return classify(err)
		}
		number, err := t.s.cfg.Keys.Open(optOutPlace(id), sealed)
		o.Phone = string(number)
		out = append(out, o)
		return err
	})
	return out, err
}
