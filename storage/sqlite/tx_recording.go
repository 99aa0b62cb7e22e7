package sqlite

import (
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/callward/callward/storage"
)

const recordingColumns = `id, call, segment, consent, patient, status, reason, path, started_at, last_frame_at,
	stopped_at, withdrawn_at, duration, bytes, frames0, frames1, lost0, lost1, late0, late1, sha256`

// PutRecording writes a recording's row.
func (t *tx) PutRecording(r storage.Recording) error {
	if err := errors.Join(required("recording id", r.ID), required("call id", r.CallID)); err != nil {
		return err
	}
	if r.Status == "" {
		return fmt.Errorf("%w: recording status", storage.ErrInvalid)
	}
	return t.exec("INSERT OR REPLACE INTO recording ("+recordingColumns+`)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		r.ID, r.CallID, r.Segment, r.ConsentID, string(r.Patient), string(r.Status), r.Reason, r.Path,
		ms(r.StartedAt), ms(r.LastFrameAt), ms(r.StoppedAt), ms(r.WithdrawnAt), r.Duration.Milliseconds(), r.Bytes,
		r.Frames[0], r.Frames[1], r.Lost[0], r.Lost[1], r.Late[0], r.Late[1], r.SHA256[:])
}

// Recording reads one.
func (t *tx) Recording(id string) (storage.Recording, error) {
	all, err := t.recordings(" WHERE id = ?", id)
	if err == nil && len(all) == 0 {
		err = notFound("recording")
	}
	if err != nil {
		return storage.Recording{}, err
	}
	return all[0], nil
}

// Recordings lists by filter, newest first.
func (t *tx) Recordings(f storage.RecordingFilter) ([]storage.Recording, error) {
	var w filter
	w.eq("call", f.CallID)
	w.eq("patient", string(f.Patient))
	w.eq("status", string(f.Status))
	w.between("started_at", f.From, f.To)
	return t.recordings(w.sql()+" ORDER BY started_at DESC, id DESC"+limit(f.Limit), w.args...)
}

func (t *tx) recordings(rest string, args ...any) ([]storage.Recording, error) {
	var out []storage.Recording
	err := t.each("SELECT "+recordingColumns+" FROM recording"+rest, args, func(rows *sql.Rows) error {
		var r storage.Recording
		var duration int64
		var sum []byte
		err := rows.Scan(&r.ID, &r.CallID, &r.Segment, &r.ConsentID, &r.Patient, &r.Status, &r.Reason, &r.Path,
			msTo{&r.StartedAt}, msTo{&r.LastFrameAt}, msTo{&r.StoppedAt}, msTo{&r.WithdrawnAt}, &duration, &r.Bytes,
			&r.Frames[0], &r.Frames[1], &r.Lost[0], &r.Lost[1], &r.Late[0], &r.Late[1], &sum)
		if err == nil && len(sum) != len(r.SHA256) {
			err = errors.New("recording hash has a wrong length")
		}
		if err != nil {
			return classify(err)
		}
		r.Duration = time.Duration(duration) * time.Millisecond
		copy(r.SHA256[:], sum)
		out = append(out, r)
		return nil
	})
	return out, err
}
