package sqlite

import (
	"database/sql"
	"fmt"

	"github.com/callward/callward/storage"
)

const callColumns = `id, version, step, language, intent, verified_patient, verified_at, verified_by, agent,
	agent_channel, bridge, recording, started_at, answered_at, ended_at, disposition, reason, hangup_cause`

// PutCall writes a call if nobody else has since it was read.
func (t *tx) PutCall(c storage.Call) error {
	if err := required("call id", c.ID); err != nil {
		return err
	}
	if err := noCommas("call verified by", c.VerifiedBy); err != nil {
		return err
	}
	values := []any{c.ID, c.Version + 1, c.Step, c.Language, c.Intent, string(c.VerifiedPatient), ms(c.VerifiedAt),
		list(c.VerifiedBy), string(c.AgentID), c.AgentChannel, c.Bridge, c.RecordingID,
		ms(c.StartedAt), ms(c.AnsweredAt), ms(c.EndedAt), c.Disposition, c.Reason, c.HangupCause}
	var n int64
	var err error
	if c.Version == 0 {
		n, err = t.affected("INSERT INTO call ("+callColumns+`)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`, values...)
	} else {
		n, err = t.affected(`UPDATE call SET version = ?2, step = ?3, language = ?4, intent = ?5, verified_patient = ?6,
			verified_at = ?7, verified_by = ?8, agent = ?9, agent_channel = ?10, bridge = ?11, recording = ?12,
			started_at = ?13, answered_at = ?14, ended_at = ?15, disposition = ?16, reason = ?17, hangup_cause = ?18
			WHERE id = ?1 AND version = ?2 - 1`, values...)
	}
	if err == nil && n == 0 {
		err = fmt.Errorf("%w: the call was changed since version %d was read", storage.ErrConflict, c.Version)
	}
	return err
}

// Call reads one.
func (t *tx) Call(id string) (storage.Call, error) {
	all, err := t.calls(" WHERE id = ?", id)
	if err == nil && len(all) == 0 {
		err = notFound("call")
	}
	if err != nil {
		return storage.Call{}, err
	}
	return all[0], nil
}

// OpenCalls lists calls that have not ended.
func (t *tx) OpenCalls() ([]storage.Call, error) {
	return t.calls(" WHERE ended_at IS NULL ORDER BY started_at, id")
}

// Calls lists calls, newest first.
func (t *tx) Calls(f storage.CallFilter) ([]storage.Call, error) {
	var w filter
	w.eq("agent", string(f.Agent))
	w.eq("verified_patient", string(f.Patient))
	w.between("started_at", f.From, f.To)
	return t.calls(w.sql()+" ORDER BY started_at DESC, id"+limit(f.Limit), w.args...)
}

func (t *tx) calls(rest string, args ...any) ([]storage.Call, error) {
	var out []storage.Call
	err := t.each("SELECT "+callColumns+" FROM call"+rest, args, func(r *sql.Rows) error {
		var c storage.Call
		err := r.Scan(&c.ID, &c.Version, &c.Step, &c.Language, &c.Intent, &c.VerifiedPatient, msTo{&c.VerifiedAt},
			listTo[storage.IdentifierKind]{&c.VerifiedBy}, &c.AgentID, &c.AgentChannel, &c.Bridge, &c.RecordingID,
			msTo{&c.StartedAt}, msTo{&c.AnsweredAt}, msTo{&c.EndedAt}, &c.Disposition, &c.Reason, &c.HangupCause)
		out = append(out, c)
		return classify(err)
	})
	return out, err
}

// AddStep appends a completed step.
func (t *tx) AddStep(callID string, s storage.Step) error {
	if s.Name == "" {
		return fmt.Errorf("%w: step name", storage.ErrInvalid)
	}
	n, err := t.affected("UPDATE call SET step = ? WHERE id = ?", s.Name, callID)
	if err != nil {
		return err
	}
	if n == 0 {
		return notFound("call")
	}
	if s.At.IsZero() {
		s.At = t.s.cfg.Clock()
	}
	return t.exec(`INSERT INTO step (call, number, name, at, entry)
		SELECT ?1, coalesce(max(number), 0) + 1, ?2, ?3, ?4 FROM step WHERE call = ?1`,
		callID, s.Name, ms(s.At), s.Entry)
}

// Steps lists a call's steps.
func (t *tx) Steps(callID string) ([]storage.Step, error) {
	var out []storage.Step
	err := t.each("SELECT number, name, at, entry FROM step WHERE call = ? ORDER BY number", []any{callID}, func(r *sql.Rows) error {
		var s storage.Step
		err := r.Scan(&s.Number, &s.Name, msTo{&s.At}, &s.Entry)
		out = append(out, s)
		return classify(err)
	})
	return out, err
}

const consentColumns = `id, call, patient, party, party_kind, purpose, answer, how, prompt, prompt_version, language, at`

// AddConsent appends a consent event.
func (t *tx) AddConsent(c storage.Consent) (int64, error) {
	if err := t.writable(); err != nil {
		return 0, err
	}
	switch c.Answer {
	case storage.AnswerYes, storage.AnswerNo, storage.AnswerSilence, storage.AnswerUnclear, storage.AnswerWithdrawn:
	default:
		return 0, fmt.Errorf("%w: consent answer", storage.ErrInvalid)
	}
	if c.Party == "" || c.Purpose == "" {
		return 0, fmt.Errorf("%w: consent party or purpose", storage.ErrInvalid)
	}
	if c.At.IsZero() {
		c.At = t.s.cfg.Clock()
	}
	id, err := t.nextID("consent")
	if err != nil {
		return 0, err
	}
	return id, t.exec("INSERT INTO consent ("+consentColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		id, c.CallID, string(c.Patient), c.Party, c.PartyKind, c.Purpose, string(c.Answer), c.By,
		c.PromptID, c.PromptVersion, c.Language, ms(c.At))
}

// Consent reads one.
func (t *tx) Consent(id int64) (storage.Consent, error) {
	all, err := t.consents(" WHERE id = ?", id)
	if err == nil && len(all) == 0 {
		err = notFound("consent")
	}
	if err != nil {
		return storage.Consent{}, err
	}
	return all[0], nil
}

// Consents lists a call's consent events.
func (t *tx) Consents(callID string) ([]storage.Consent, error) {
	return t.consents(" WHERE call = ? ORDER BY id", callID)
}

func (t *tx) consents(rest string, args ...any) ([]storage.Consent, error) {
	var out []storage.Consent
	err := t.each("SELECT "+consentColumns+" FROM consent"+rest, args, func(r *sql.Rows) error {
		var c storage.Consent
		err := r.Scan(&c.ID, &c.CallID, &c.Patient, &c.Party, &c.PartyKind, &c.Purpose, &c.Answer, &c.By,
			&c.PromptID, &c.PromptVersion, &c.Language, msTo{&c.At})
		out = append(out, c)
		return classify(err)
	})
	return out, err
}
