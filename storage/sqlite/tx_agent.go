package sqlite

import (
	"cmp"
	"database/sql"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/callward/callward/storage"
)

// PutAgent writes an agent with all trainings.
func (t *tx) PutAgent(a storage.Agent) (bool, error) {
	if err := t.writable(); err != nil {
		return false, err
	}
	if err := errors.Join(required("agent id", string(a.ID)), noCommas("agent languages", a.Languages)); err != nil {
		return false, err
	}
	a = storedAgent(a)
	was, err := t.agents(" WHERE id = ?", string(a.ID))
	if err != nil {
		return false, err
	}
	if len(was) == 1 && reflect.DeepEqual(was[0], a) {
		return false, nil
	}
	err = t.exec(`INSERT INTO agent (id, name, spoken_name, organisation, endpoint, on_duty, recording_consent,
		state, languages, hired_at, last_call_ended_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET name = excluded.name, spoken_name = excluded.spoken_name,
		organisation = excluded.organisation, endpoint = excluded.endpoint, on_duty = excluded.on_duty,
		recording_consent = excluded.recording_consent, state = excluded.state, languages = excluded.languages,
		hired_at = excluded.hired_at, last_call_ended_at = excluded.last_call_ended_at`,
		string(a.ID), a.Name, a.SpokenName, a.Organisation, a.Endpoint, a.OnDuty, a.RecordingConsent,
		a.State, list(a.Languages), ms(a.HiredAt), ms(a.LastCallEndedAt))
	if err != nil {
		return false, err
	}
	if err := t.exec("DELETE FROM training WHERE agent = ?", string(a.ID)); err != nil {
		return false, err
	}
	for i, c := range a.Trainings {
		if err := t.exec(`INSERT INTO training (agent, position, course, policy_version, completed_at, expires_at)
			VALUES (?, ?, ?, ?, ?, ?)`, string(a.ID), i, c.Course, c.PolicyVersion, ms(c.CompletedAt), ms(c.ExpiresAt)); err != nil {
			return false, err
		}
	}
	return true, nil
}

// storedAgent is the agent as it will be read back.
func storedAgent(a storage.Agent) storage.Agent {
	a.HiredAt, a.LastCallEndedAt = cut(a.HiredAt), cut(a.LastCallEndedAt)
	if len(a.Languages) == 0 {
		a.Languages = nil
	}
	var trainings []storage.Training
	for _, c := range a.Trainings {
		c.CompletedAt, c.ExpiresAt = cut(c.CompletedAt), cut(c.ExpiresAt)
		trainings = append(trainings, c)
	}
	slices.SortStableFunc(trainings, func(x, y storage.Training) int {
		return cmp.Or(cmp.Compare(x.Course, y.Course), x.CompletedAt.Compare(y.CompletedAt))
	})
	a.Trainings = trainings
	return a
}

// Agent reads one.
func (t *tx) Agent(id storage.AgentID) (storage.Agent, error) {
	all, err := t.agents(" WHERE id = ?", string(id))
	if err == nil && len(all) == 0 {
		err = notFound("agent")
	}
	if err != nil {
		return storage.Agent{}, err
	}
	return all[0], nil
}

// Agents lists all by id.
func (t *tx) Agents() ([]storage.Agent, error) { return t.agents("") }

func (t *tx) agents(where string, args ...any) ([]storage.Agent, error) {
	var out []storage.Agent
	err := t.each(`SELECT id, name, spoken_name, organisation, endpoint, on_duty, recording_consent, state, languages,
		hired_at, last_call_ended_at FROM agent`+where+" ORDER BY id", args, func(r *sql.Rows) error {
		var a storage.Agent
		err := r.Scan(&a.ID, &a.Name, &a.SpokenName, &a.Organisation, &a.Endpoint, &a.OnDuty, &a.RecordingConsent,
			&a.State, listTo[string]{&a.Languages}, msTo{&a.HiredAt}, msTo{&a.LastCallEndedAt})
		out = append(out, a)
		return classify(err)
	})
	if err != nil {
		return nil, err
	}
	for i := range out {
		err := t.each("SELECT course, policy_version, completed_at, expires_at FROM training WHERE agent = ? ORDER BY position",
			[]any{string(out[i].ID)}, func(r *sql.Rows) error {
				var c storage.Training
				err := r.Scan(&c.Course, &c.PolicyVersion, msTo{&c.CompletedAt}, msTo{&c.ExpiresAt})
				out[i].Trainings = append(out[i].Trainings, c)
				return classify(err)
			})
		if err != nil {
			return nil, fmt.Errorf("trainings: %w", err)
		}
	}
	return out, nil
}
