package storagetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/callward/callward/storage"
)

func patients(t *testing.T, s *suite) {
	jane := Jane(t)
	s.update(t, func(tx storage.Tx) {
		assert.True(t, must[bool](t)(tx.PutPatient(jane)))
		assert.False(t, must[bool](t)(tx.PutPatient(jane)), "the same again changes nothing")
		shuffled := jane
		shuffled.Identifiers = append([]storage.Identifier{jane.Identifiers[4]}, jane.Identifiers...)
		assert.False(t, must[bool](t)(tx.PutPatient(shuffled)), "order and doubles do not matter")
	})
	moved := jane
	moved.Identifiers = jane.Identifiers[:3]
	moved.Deceased = true
	s.update(t, func(tx storage.Tx) { assert.True(t, must[bool](t)(tx.PutPatient(moved))) })
	s.view(t, func(tx storage.Tx) {
		assert.Equal(t, moved.Reveal(), must[storage.Patient](t)(tx.Patient(jane.ID)).Reveal())
		assert.Empty(t, must[[]storage.PatientMatch](t)(tx.MatchPatients(jane.Identifiers[3:])), "old numbers no longer match")
		assert.Equal(t, []storage.PatientID{jane.ID}, must[[]storage.PatientID](t)(tx.Patients("", 0)))
		assert.Empty(t, must[[]storage.PatientID](t)(tx.Patients(jane.ID, 10)))
		_, err := tx.Patient("p-none")
		assert.ErrorIs(t, err, storage.ErrNotFound)
	})
	for name, bad := range map[string]storage.Patient{
		"no id":        {Name: "x"},
		"unknown kind": {ID: "p-1", Identifiers: []storage.Identifier{{Kind: "ssn", Value: "1"}}},
		"empty value":  {ID: "p-1", Identifiers: []storage.Identifier{{Kind: storage.KindMRN}}},
	} {
		t.Run(name, func(t *testing.T) {
			s.fails(t, storage.ErrInvalid, func(tx storage.Tx) error {
				_, err := tx.PutPatient(bad)
				return err
			})
		})
	}
}

func sources(t *testing.T, s *suite) {
	jane := Jane(t)
	s.update(t, func(tx storage.Tx) {
		must[bool](t)(tx.PutPatient(jane))
		must[bool](t)(tx.PutPatient(storage.Patient{ID: newID(t), Name: "No Source"}))
		must[bool](t)(tx.PutPatient(storage.Patient{ID: newID(t), Name: "No Source Either"}))
	})
	s.view(t, func(tx storage.Tx) {
		assert.Equal(t, jane.ID, must[storage.PatientID](t)(tx.PatientBySource(jane.Source)))
		_, err := tx.PatientBySource(storage.Source{System: "urn:other", ID: jane.Source.ID})
		assert.ErrorIs(t, err, storage.ErrNotFound)
	})
	s.fails(t, storage.ErrConflict, func(tx storage.Tx) error {
		_, err := tx.PutPatient(storage.Patient{ID: newID(t), Source: jane.Source})
		return err
	})
}

func match(t *testing.T, s *suite) {
	dob := storage.Identifier{Kind: storage.KindBirthDate, Value: "2000-02-29"}
	phone := storage.Identifier{Kind: storage.KindPhone, Value: "+13105550142"}
	mobile := storage.Identifier{Kind: storage.KindPhone, Value: "+13105550143"}
	mrn := storage.Identifier{Kind: storage.KindMRN, Value: "A1"}
	twinMRN := storage.Identifier{Kind: storage.KindMRN, Value: "A2"}
	put := func(ids ...storage.Identifier) storage.PatientID {
		p := storage.Patient{ID: newID(t), Identifiers: ids}
		s.update(t, func(tx storage.Tx) { must[bool](t)(tx.PutPatient(p)) })
		return p.ID
	}
	one := put(dob, phone, mobile, mrn)
	twin := put(dob, phone, twinMRN)
	noDOB := put(mobile)

	type kinds = []storage.IdentifierKind
	const d, p, m = storage.KindBirthDate, storage.KindPhone, storage.KindMRN
	full := kinds{d, m, p}
	for _, c := range []struct {
		name    string
		offered []storage.Identifier
		want    map[storage.PatientID]storage.PatientMatch
	}{
		{"twins", []storage.Identifier{dob, phone}, map[storage.PatientID]storage.PatientMatch{
			one: {Matched: kinds{d, p}, OnFile: full}, twin: {Matched: kinds{d, p}, OnFile: full}}},
		{"a third splits them", []storage.Identifier{dob, phone, twinMRN}, map[storage.PatientID]storage.PatientMatch{
			one: {Matched: kinds{d, p}, OnFile: full}, twin: {Matched: kinds{d, m, p}, OnFile: full}}},
		{"home and mobile are one kind", []storage.Identifier{phone, mobile}, map[storage.PatientID]storage.PatientMatch{
			one: {Matched: kinds{p}, OnFile: full}, twin: {Matched: kinds{p}, OnFile: full}, noDOB: {Matched: kinds{p}, OnFile: kinds{p}}}},
		{"a record without birth date", []storage.Identifier{dob, mobile}, map[storage.PatientID]storage.PatientMatch{
			one: {Matched: kinds{d, p}, OnFile: full}, twin: {Matched: kinds{d}, OnFile: full}, noDOB: {Matched: kinds{p}, OnFile: kinds{p}}}},
		{"the kind counts", []storage.Identifier{{Kind: m, Value: dob.Value}}, nil},
		{"the value is exact", []storage.Identifier{{Kind: d, Value: "2000-02-28"}}, nil},
		{"nothing offered", nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.view(t, func(tx storage.Tx) {
				got := must[[]storage.PatientMatch](t)(tx.MatchPatients(c.offered))
				require.Len(t, got, len(c.want))
				for i, g := range got {
					want := c.want[g.Patient]
					want.Patient = g.Patient
					assert.Equal(t, want, g)
					assert.True(t, i == 0 || got[i-1].Patient < g.Patient, "ordered by id")
				}
			})
		})
	}
	s.view(t, func(tx storage.Tx) {
		_, err := tx.MatchPatients([]storage.Identifier{{Kind: "name", Value: "x"}})
		assert.ErrorIs(t, err, storage.ErrInvalid)
	})
}

func visits(t *testing.T, s *suite) {
	jane, john := Jane(t), storage.Patient{ID: newID(t)}
	day := func(n int) time.Time { return Now.AddDate(0, 0, n) }
	visit := func(id string, start time.Time, status storage.VisitStatus) storage.Visit {
		return storage.Visit{ID: id, Patient: jane.ID, Date: start.Format(time.DateOnly), Start: start, Status: status}
	}
	morning := visit("v3", day(-2), storage.VisitFinished)
	evening := visit("v4", day(-2).Add(2*time.Hour), storage.VisitFinished)
	all := []storage.Visit{
		visit("v1", day(-30), storage.VisitFinished),
		morning, evening,
		visit("v2", day(-1), storage.VisitCancelled),
		visit("v5", day(5), storage.VisitPlanned),
		visit("v6", day(6), storage.VisitFinished), // the future is no date of service, whatever it says
		visit("v7", day(0).Add(-time.Hour), storage.VisitInProgress),
	}
	s.update(t, func(tx storage.Tx) {
		must[bool](t)(tx.PutPatient(jane))
		must[bool](t)(tx.PutPatient(john))
		for _, v := range all {
			assert.True(t, must[bool](t)(tx.PutVisit(v)))
		}
		assert.False(t, must[bool](t)(tx.PutVisit(morning)))
		changed := all[0]
		changed.Status = storage.VisitCancelled
		assert.True(t, must[bool](t)(tx.PutVisit(changed)))
	})
	s.view(t, func(tx storage.Tx) {
		assert.Equal(t, []storage.Visit{evening, morning}, must[[]storage.Visit](t)(tx.LatestVisits(jane.ID, Now)))
		assert.Empty(t, must[[]storage.Visit](t)(tx.LatestVisits(john.ID, Now)))
		assert.Len(t, must[[]storage.Visit](t)(tx.Visits(jane.ID)), len(all))
	})
	stolen := morning
	stolen.Patient = john.ID
	s.fails(t, storage.ErrConflict, func(tx storage.Tx) error { _, err := tx.PutVisit(stolen); return err })
	orphan := visit("v9", Now, storage.VisitFinished)
	orphan.Patient = "p-none"
	s.fails(t, storage.ErrNotFound, func(tx storage.Tx) error { _, err := tx.PutVisit(orphan); return err })
	bad := morning
	bad.Date = "yesterday"
	s.fails(t, storage.ErrInvalid, func(tx storage.Tx) error { _, err := tx.PutVisit(bad); return err })
}

func invoices(t *testing.T, s *suite) {
	jane, john := Jane(t), storage.Patient{ID: newID(t)}
	newer := storage.Invoice{Number: "INV2", Patient: jane.ID, Date: "2026-10-02"}
	older := storage.Invoice{Number: "INV1", Patient: jane.ID, Date: "2026-09-01", Void: true}
	s.update(t, func(tx storage.Tx) {
		must[bool](t)(tx.PutPatient(jane))
		must[bool](t)(tx.PutPatient(john))
		assert.True(t, must[bool](t)(tx.PutInvoice(older)))
		assert.True(t, must[bool](t)(tx.PutInvoice(newer)))
		assert.False(t, must[bool](t)(tx.PutInvoice(newer)))
	})
	s.view(t, func(tx storage.Tx) {
		assert.Equal(t, []storage.Invoice{newer, older}, must[[]storage.Invoice](t)(tx.Invoices(jane.ID)))
		assert.Empty(t, must[[]storage.Invoice](t)(tx.Invoices(john.ID)))
	})
	stolen := newer
	stolen.Patient = john.ID
	s.fails(t, storage.ErrConflict, func(tx storage.Tx) error { _, err := tx.PutInvoice(stolen); return err })
}

func attempts(t *testing.T, s *suite) {
	jane := Jane(t)
	a := storage.Attempt{CallID: "c1", At: Now, Result: storage.AttemptFailed,
		Offered: []storage.IdentifierKind{storage.KindBirthDate, storage.KindPhone}, Patients: []storage.PatientID{jane.ID}}
	b := storage.Attempt{CallID: "c1", At: at(time.Second), Result: storage.AttemptUnreadable}
	s.update(t, func(tx storage.Tx) {
		must[bool](t)(tx.PutPatient(jane))
		require.NoError(t, tx.AddAttempt(a))
		require.NoError(t, tx.AddAttempt(b))
	})
	s.view(t, func(tx storage.Tx) {
		assert.Equal(t, []storage.Attempt{a, b}, must[[]storage.Attempt](t)(tx.Attempts("c1")))
		assert.Empty(t, must[[]storage.Attempt](t)(tx.Attempts("c2")))
	})
	s.fails(t, storage.ErrInvalid, func(tx storage.Tx) error { return tx.AddAttempt(storage.Attempt{CallID: "c1"}) })
	a.Patients = []storage.PatientID{"p-none"}
	s.fails(t, storage.ErrNotFound, func(tx storage.Tx) error { return tx.AddAttempt(a) })
}

func lock(t *testing.T, s *suite) {
	jane, john := Jane(t), storage.Patient{ID: newID(t)}
	s.update(t, func(tx storage.Tx) {
		must[bool](t)(tx.PutPatient(jane))
		must[bool](t)(tx.PutPatient(john))
		for _, h := range []int{0, 1, 2, 23, 23, 24, 30} {
			require.NoError(t, tx.AddAttempt(storage.Attempt{CallID: "c1", At: at(time.Duration(h) * time.Hour),
				Result: storage.AttemptFailed, Patients: []storage.PatientID{jane.ID}}))
		}
		for range 9 { // only failures count
			require.NoError(t, tx.AddAttempt(storage.Attempt{CallID: "c1", At: Now,
				Result: storage.AttemptMatched, Patients: []storage.PatientID{john.ID}}))
		}
	})
	s.view(t, func(tx storage.Tx) {
		n, fifth, err := tx.CountFailures(jane.ID, at(23*time.Hour))
		require.NoError(t, err)
		assert.Equal(t, 4, n)
		assert.Equal(t, at(23*time.Hour), fifth, "failures while locked do not lengthen the lock")
		n, fifth, err = tx.CountFailures(john.ID, time.Time{})
		require.NoError(t, err)
		assert.Zero(t, n)
		assert.Zero(t, fifth)
	})
}
