// Package storagetest is the suite every storage driver must pass.
//
// What lives here: behaviour the contract promises, tried through the
// contract alone. What never may: SQL, a path, anything one driver only has.
package storagetest

import (
	"context"
	"crypto/rand"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callward/callward/storage"
)

// Open opens the store that lives at a place, with the given clock; a second
// Open of a place whose store was closed must find what was kept. It closes
// the store at the end of the test if the test has not.
type Open func(t *testing.T, place string, clock func() time.Time) storage.Store

// Now is the instant the suite's clock shows.
var Now = time.Date(2026, 11, 23, 10, 0, 0, 123_000_000, time.UTC)

type suite struct {
	open  Open
	store storage.Store
}

// Exercise runs the suite. Every test gets a place of its own.
func Exercise(t *testing.T, open Open) {
	for name, test := range map[string]func(*testing.T, *suite){
		"transactions":          transactions,
		"panic in update":       panics,
		"closed":                closed,
		"cancelled":             cancelled,
		"concurrent updates":    concurrent,
		"snapshot":              snapshot,
		"audit":                 audit,
		"audit filters":         auditFilters,
		"audit refuses":         auditRefuses,
		"audit facts":           auditFacts,
		"audit tree":            auditTree,
		"checkpoints":           checkpoints,
		"patients":              patients,
		"patient sources":       sources,
		"match":                 match,
		"visits":                visits,
		"invoices":              invoices,
		"attempts":              attempts,
		"lock":                  lock,
		"agents":                agents,
		"calls":                 calls,
		"steps":                 steps,
		"consents":              consents,
		"recordings":            recordings,
		"callbacks":             callbacks,
		"opt-outs":              optOuts,
		"everything is durable": durable,
	} {
		t.Run(name, func(t *testing.T) {
			s := &suite{open: open}
			s.store = open(t, t.TempDir(), func() time.Time { return Now })
			test(t, s)
		})
	}
}

func (s *suite) update(t *testing.T, fn func(storage.Tx)) {
	t.Helper()
	update(t, s.store, fn)
}

func update(t *testing.T, st storage.Store, fn func(storage.Tx)) {
	t.Helper()
	require.NoError(t, st.Update(context.Background(), func(tx storage.Tx) error {
		fn(tx)
		return nil
	}))
}

func (s *suite) view(t *testing.T, fn func(storage.Tx)) {
	t.Helper()
	require.NoError(t, s.store.View(context.Background(), func(tx storage.Tx) error {
		fn(tx)
		return nil
	}))
}

// fails runs fn in an update of its own, which must fail with want and leave
// nothing behind.
func (s *suite) fails(t *testing.T, want error, fn func(storage.Tx) error) {
	t.Helper()
	require.ErrorIs(t, s.store.Update(context.Background(), fn), want)
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		require.NoError(t, err)
		return v
	}
}

func newID(t *testing.T) storage.PatientID {
	t.Helper()
	id, err := storage.NewPatientID(rand.Reader)
	require.NoError(t, err)
	return id
}

// Jane is a synthetic patient with every field set.
func Jane(t *testing.T) storage.Patient {
	t.Helper()
	return storage.Patient{
		ID:        newID(t),
		Source:    storage.Source{System: "urn:test", ID: "jane-1"},
		Name:      "Jane Quillfeather",
		BirthDate: "2000-02-29",
		Language:  "en",
		Identifiers: []storage.Identifier{
			{Kind: storage.KindBirthDate, Value: "2000-02-29"},
			{Kind: storage.KindHouseZIP, Value: "17 90210"},
			{Kind: storage.KindMRN, Value: "MRN7781", System: "urn:test:mrn"},
			{Kind: storage.KindPhone, Value: "+13105550142"},
			{Kind: storage.KindPhone, Value: "+13105550143"},
		},
		Addresses: []storage.Address{{Lines: []string{"17 Larkspur Way"}, City: "Beverly Hills", State: "CA", ZIP: "90210"}},
	}
}

// Entry is an audit entry with the given action.
func Entry(action string) storage.Entry {
	return storage.Entry{At: Now, Actor: "callward", Call: "c1", Patient: "p-1", Action: action,
		Outcome: storage.OutcomeAllow, Rules: []string{"recording.consent.required"}, Profile: "default",
		FactsHash: storage.Digest{1, 2, 3}, Detail: map[string]string{"prompt": "ask_consent", "attempt": "1"}}
}

func at(d time.Duration) time.Time { return Now.Add(d) }
