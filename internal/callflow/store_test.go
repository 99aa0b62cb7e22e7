package callflow

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/callward/callward/storage"
	"github.com/callward/callward/storage/auditlog"
)

// memStore is a storage.Store in memory that keeps the transaction contract:
// what fn wrote is there wholly or not at all. It works inside synctest, can be
// told to be away, and tells of each write before it begins. What the call
// script does not use panics.
type memStore struct {
	mu      sync.Mutex
	data    memData
	away    bool
	slow    time.Duration
	writes  int
	onWrite func(n int) // before write n, from 1
}

type memData struct {
	entries    []storage.StoredEntry
	patients   map[storage.PatientID]storage.Patient
	visits     []storage.Visit
	invoices   []storage.Invoice
	attempts   []storage.Attempt
	agents     map[storage.AgentID]storage.Agent
	calls      map[string]storage.Call
	steps      map[string][]storage.Step
	consents   []storage.Consent
	recordings map[string]storage.Recording
	callbacks  []storage.Callback
	optOuts    []storage.OptOut
}

func newMemStore() *memStore {
	return &memStore{data: memData{
		patients: map[storage.PatientID]storage.Patient{}, agents: map[storage.AgentID]storage.Agent{},
		calls: map[string]storage.Call{}, steps: map[string][]storage.Step{}, recordings: map[string]storage.Recording{},
	}}
}

// clone is deep enough: rows are replaced, never changed.
func (d memData) clone() memData {
	d.entries, d.attempts, d.consents = slices.Clip(d.entries), slices.Clip(d.attempts), slices.Clip(d.consents)
	d.visits, d.invoices = slices.Clip(d.visits), slices.Clip(d.invoices)
	d.callbacks, d.optOuts = slices.Clip(d.callbacks), slices.Clip(d.optOuts)
	d.patients, d.agents, d.calls = maps.Clone(d.patients), maps.Clone(d.agents), maps.Clone(d.calls)
	d.recordings = maps.Clone(d.recordings)
	d.steps = maps.Clone(d.steps)
	for id, s := range d.steps {
		d.steps[id] = slices.Clip(s)
	}
	return d
}

// setAway makes every transaction fail from now on, or work again.
func (m *memStore) setAway(away bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.away = away
}

// setSlow makes each write wait for the disk.
func (m *memStore) setSlow(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.slow = d
}

// hook is told of each write from now on.
func (m *memStore) hook(fn func(n int)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.onWrite = fn
}

func (m *memStore) View(ctx context.Context, fn func(storage.Tx) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if m.away {
		return storage.ErrUnavailable
	}
	d := m.data.clone()
	return fn(&memTx{d: &d, readOnly: true})
}

func (m *memStore) Update(ctx context.Context, fn func(storage.Tx) error) error {
	m.mu.Lock()
	m.writes++
	n, tell, slow := m.writes, m.onWrite, m.slow
	m.mu.Unlock()
	if tell != nil {
		tell(n)
	}
	if slow > 0 {
		t := time.NewTimer(slow)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if m.away {
		return storage.ErrUnavailable
	}
	d := m.data.clone()
	if err := fn(&memTx{d: &d}); err != nil {
		return err
	}
	m.data = d
	return nil
}

func (m *memStore) Close() error { return nil }

// read is the data as it stands.
func (m *memStore) read() memData {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.data.clone()
}

// edit changes the data from outside the call.
func (m *memStore) edit(fn func(*memData)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	fn(&m.data)
}

type memTx struct {
	storage.Tx // panics for what is not here
	d          *memData
	readOnly   bool
}

func (t *memTx) writable() error {
	if t.readOnly {
		return storage.ErrReadOnly
	}
	return nil
}

func (t *memTx) Audit(e storage.Entry) (int64, error) {
	n := int64(len(t.d.entries)) + 1
	leaf, err := auditlog.Append(nil, n, e) // refuses what the log would refuse
	if err != nil {
		return 0, err
	}
	t.d.entries = append(t.d.entries, storage.StoredEntry{Number: n, Entry: e, Leaf: string(leaf)})
	return n, t.writable()
}

func (t *memTx) Entries(f storage.EntryFilter) (out []storage.StoredEntry, err error) {
	for _, e := range t.d.entries {
		if f.Matches(e.Number, e.Entry) {
			out = append(out, e)
		}
	}
	return out, nil
}

func (t *memTx) PutPatient(p storage.Patient) (bool, error) {
	t.d.patients[p.ID] = p
	return true, t.writable()
}

func (t *memTx) Patient(id storage.PatientID) (storage.Patient, error) {
	return found(t.d.patients, id)
}

func (t *memTx) MatchPatients(offered []storage.Identifier) (out []storage.PatientMatch, err error) {
	for _, id := range slices.Sorted(maps.Keys(t.d.patients)) {
		m := storage.PatientMatch{Patient: id}
		for _, have := range t.d.patients[id].Identifiers {
			if !slices.Contains(m.OnFile, have.Kind) {
				m.OnFile = append(m.OnFile, have.Kind)
			}
			for _, o := range offered {
				if o.Kind == have.Kind && o.Value == have.Value && !slices.Contains(m.Matched, o.Kind) {
					m.Matched = append(m.Matched, o.Kind)
				}
			}
		}
		if len(m.Matched) > 0 {
			out = append(out, m)
		}
	}
	return out, nil
}

func (t *memTx) Visits(id storage.PatientID) (out []storage.Visit, err error) {
	for _, v := range t.d.visits {
		if v.Patient == id {
			out = append(out, v)
		}
	}
	slices.SortFunc(out, func(a, b storage.Visit) int { return cmp.Compare(b.Date, a.Date) })
	return out, nil
}

func (t *memTx) Invoices(id storage.PatientID) (out []storage.Invoice, err error) {
	for _, v := range t.d.invoices {
		if v.Patient == id {
			out = append(out, v)
		}
	}
	return out, nil
}

func (t *memTx) AddAttempt(a storage.Attempt) error {
	for _, p := range a.Patients {
		if _, err := t.Patient(p); err != nil {
			return err
		}
	}
	t.d.attempts = append(t.d.attempts, a)
	return t.writable()
}

func (t *memTx) Attempts(callID string) (out []storage.Attempt, err error) {
	for _, a := range t.d.attempts {
		if a.CallID == callID {
			out = append(out, a)
		}
	}
	return out, nil
}

func (t *memTx) CountFailures(id storage.PatientID, since time.Time) (n int, fifthAt time.Time, err error) {
	var l storage.Lock
	for _, a := range t.d.attempts {
		if a.Result != storage.AttemptFailed || !slices.Contains(a.Patients, id) {
			continue
		}
		if !a.At.Before(since) {
			n++
		}
		l.Failure(a.At)
	}
	return n, l.LockedAt(), nil
}

func (t *memTx) PutAgent(a storage.Agent) (bool, error) {
	t.d.agents[a.ID] = a
	return true, t.writable()
}

func (t *memTx) Agent(id storage.AgentID) (storage.Agent, error) { return found(t.d.agents, id) }

func (t *memTx) Agents() (out []storage.Agent, err error) {
	for _, id := range slices.Sorted(maps.Keys(t.d.agents)) {
		out = append(out, t.d.agents[id])
	}
	return out, nil
}

func (t *memTx) PutCall(c storage.Call) error {
	if t.d.calls[c.ID].Version != c.Version {
		return fmt.Errorf("%w: the call was changed since version %d was read", storage.ErrConflict, c.Version)
	}
	c.Version++
	t.d.calls[c.ID] = c
	return t.writable()
}

func (t *memTx) Call(id string) (storage.Call, error) { return found(t.d.calls, id) }

func (t *memTx) OpenCalls() (out []storage.Call, err error) {
	for _, id := range slices.Sorted(maps.Keys(t.d.calls)) {
		if c := t.d.calls[id]; c.EndedAt.IsZero() {
			out = append(out, c)
		}
	}
	return out, nil
}

func (t *memTx) AddStep(callID string, s storage.Step) error {
	c, err := t.Call(callID)
	if err != nil {
		return err
	}
	c.Step = s.Name
	t.d.calls[callID] = c
	s.Number = int64(len(t.d.steps[callID])) + 1
	t.d.steps[callID] = append(t.d.steps[callID], s)
	return t.writable()
}

func (t *memTx) Steps(callID string) ([]storage.Step, error) { return t.d.steps[callID], nil }

func (t *memTx) AddConsent(c storage.Consent) (int64, error) {
	if _, err := t.Call(c.CallID); err != nil {
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
	c.ID = int64(len(t.d.consents)) + 1
	t.d.consents = append(t.d.consents, c)
	return c.ID, t.writable()
}

func (t *memTx) Consents(callID string) (out []storage.Consent, err error) {
	for _, c := range t.d.consents {
		if c.CallID == callID {
			out = append(out, c)
		}
	}
	return out, nil
}

func (t *memTx) PutRecording(r storage.Recording) error {
	if _, err := t.Call(r.CallID); err != nil {
		return err
	}
	if r.Status == "" {
		return fmt.Errorf("%w: recording status", storage.ErrInvalid)
	}
	if r.ConsentID < 1 || int(r.ConsentID) > len(t.d.consents) {
		return storage.ErrNotFound
	}
	t.d.recordings[r.ID] = r
	return t.writable()
}

func (t *memTx) Recordings(f storage.RecordingFilter) (out []storage.Recording, err error) {
	for _, id := range slices.Sorted(maps.Keys(t.d.recordings)) {
		r := t.d.recordings[id]
		if (f.CallID == "" || f.CallID == r.CallID) && (f.Status == "" || f.Status == r.Status) {
			out = append(out, r)
		}
	}
	return out, nil
}

func (t *memTx) AddCallback(c storage.Callback) (int64, error) {
	if c.Phone == "" {
		return 0, fmt.Errorf("%w: callback phone", storage.ErrInvalid)
	}
	c.ID = int64(len(t.d.callbacks)) + 1
	t.d.callbacks = append(t.d.callbacks, c)
	return c.ID, t.writable()
}

func (t *memTx) AddOptOut(o storage.OptOut) error {
	if o.Phone == "" && o.Patient == "" {
		return fmt.Errorf("%w: opt-out of nobody", storage.ErrInvalid)
	}
	t.d.optOuts = append(t.d.optOuts, o)
	return t.writable()
}

func found[K comparable, V any](m map[K]V, id K) (V, error) {
	v, ok := m[id]
	if !ok {
		return v, storage.ErrNotFound
	}
	return v, nil
}
