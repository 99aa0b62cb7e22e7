package callflow

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/callward/callward/ari"
	"github.com/callward/callward/storage"
)

const (
	birth      = "03141971"
	phone      = "2065550142"
	wrongBirth = "03151971"
	wrongPhone = "2065550143"
)

func TestIdentify(t *testing.T) {
	type keys = map[string][]string
	for _, c := range []struct {
		name     string
		keys     keys
		prepare  func(*scene)
		verified bool
		failures int
		says     []string // must be heard
	}{
		{name: "birth date and phone", keys: keys{}, verified: true},
		{name: "phone passed over, record number", keys: keys{"ask_phone": {"#"}, "ask_mrn": {"4471902#"}}, verified: true},
		{name: "house and ZIP", keys: keys{"ask_birth_date": {"#"}, "ask_phone": {phone}, "ask_mrn": {"#"}, "ask_house": {"812#"}, "ask_zip": {"98101"}}, verified: true},
		{name: "all passed over", keys: keys{"ask_birth_date": {"#"}, "ask_phone": {"#"}, "ask_mrn": {"#"}, "ask_house": {"#"}}},
		{name: "silence", keys: keys{"ask_birth_date": nil}, says: []string{"no_input", "identify_failed"}},
		{name: "wrong once", keys: keys{"ask_phone": {wrongPhone, phone}, "ask_birth_date": {birth, birth}}, verified: true, failures: 1, says: []string{"identify_retry"}},
		{name: "wrong three times", keys: keys{"ask_birth_date": {birth, birth, birth}, "ask_phone": {wrongPhone, wrongPhone, wrongPhone}}, failures: 3, says: []string{"identify_failed"}},
		{name: "nobody", keys: keys{"ask_birth_date": {wrongBirth, wrongBirth, wrongBirth}, "ask_phone": {wrongPhone, wrongPhone, wrongPhone}}, failures: 3, says: []string{"identify_failed"}},
		{name: "unreadable twice is free", keys: keys{"ask_birth_date": {"13321971", "99999999", birth}}, verified: true, says: []string{"identify_unreadable"}},
		{name: "twins", prepare: twin, keys: keys{"ask_mrn": {"4471902#"}}, verified: true, says: []string{"ask_discriminator"}},
		{name: "twins, no third", prepare: twin, keys: keys{}, says: []string{"ask_discriminator", "identify_failed"}},
		{name: "locked", prepare: func(s *scene) {
			s.store.edit(func(d *memData) {
				for i := range 5 {
					d.attempts = append(d.attempts, storage.Attempt{CallID: "c0", At: time.Now().Add(-time.Duration(5-i) * time.Minute),
						Result: storage.AttemptFailed, Patients: []storage.PatientID{nina}})
				}
			})
		}, keys: keys{}, says: []string{"identify_failed"}},
		{name: "typed ahead", keys: keys{"language_choice": {"11" + birth + phone}, "menu": nil, "ask_birth_date": nil, "ask_phone": nil}, verified: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			play(t, func(s *scene) {
				for id, k := range c.keys {
					s.keys[id] = k
				}
				if c.prepare != nil {
					c.prepare(s)
				}
			}, func(s *scene) {
				s.talking()
				row := s.row()
				assert.Equal(t, c.verified, row.VerifiedPatient == nina)
				failed := 0
				for _, a := range s.store.read().attempts {
					if a.CallID == patientLeg && a.Result == storage.AttemptFailed {
						failed++
					}
				}
				assert.Equal(t, c.failures, failed)
				for _, id := range c.says {
					assert.True(t, s.hears(id), id)
				}
				whisper := "agent_whisper_unverified"
				if c.verified {
					whisper = "agent_whisper_verified"
				}
				assert.Contains(t, s.heard(s.leg("agent")), whisper)
				assert.Equal(t, c.verified, s.event("agent.disclose").Decision == "allow")
				s.HangUp(patientLeg, ari.CauseNormal)
				assert.Equal(t, string(Completed), s.over().Disposition, "an agent is reached whatever came of it")
			})
		})
	}
}

// twin shares birth date and telephone with the patient.
func twin(s *scene) {
	s.store.edit(func(d *memData) {
		d.patients["p-twin"] = storage.Patient{ID: "p-twin", Name: "Nora Alvarado", BirthDate: "1971-03-14", Identifiers: []storage.Identifier{
			{Kind: storage.KindBirthDate, Value: "1971-03-14"}, {Kind: storage.KindPhone, Value: "+12065550142"},
			{Kind: storage.KindMRN, Value: "4471903"},
		}}
	})
}

// What a caller hears after a wrong answer does not depend on whether there is
// such a patient, nor on which answer was wrong.
func TestNoOracle(t *testing.T) {
	var first []string
	for _, k := range [][2]string{{birth, wrongPhone}, {wrongBirth, phone}, {wrongBirth, wrongPhone}} {
		play(t, func(s *scene) {
			s.keys["ask_birth_date"], s.keys["ask_phone"] = []string{k[0], k[0], k[0]}, []string{k[1], k[1], k[1]}
		}, func(s *scene) {
			s.talking()
			if first == nil {
				first = s.heard(patientLeg)
			}
			assert.Equal(t, first, s.heard(patientLeg))
			s.HangUp(patientLeg, ari.CauseNormal)
			s.over()
		})
	}
}

func TestBilling(t *testing.T) {
	for _, c := range []struct {
		name          string
		date, invoice []string
		open          bool
	}{
		{"date of service", []string{"11051999"}, nil, true},
		{"invoice", []string{"#"}, []string{"7701#"}, true},
		{"wrong date, then right", []string{"11061999", "11051999"}, nil, true},
		{"wrong dates", []string{"11061999", "11071999", "11081999"}, nil, false},
		{"wrong invoice", []string{"#", "#", "#"}, []string{"7702#", "7702#", "7702#"}, false},
		{"neither", []string{"#"}, []string{"#"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			play(t, func(s *scene) {
				s.keys["menu"] = []string{"3"}
				s.keys["billing_ask_date"], s.keys["billing_ask_invoice"] = c.date, c.invoice
			}, func(s *scene) {
				s.talking()
				assert.Equal(t, nina, s.row().VerifiedPatient)
				assert.Equal(t, c.open, s.event("agent.disclose").Decision == "allow")
				assert.Equal(t, !c.open, s.hears("billing_failed"))
				s.HangUp(patientLeg, ari.CauseNormal)
				s.over()
			})
		})
	}
}
