package callflow

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/callward/callward/ari"
	"github.com/callward/callward/ari/aritest"
	"github.com/callward/callward/storage"
)

// reborn lets the controller die and another begin. What it did not write is
// lost; its recordings are set right as at a start.
func (s *scene) reborn() {
	s.t.Helper()
	s.die()
	s.store.edit(func(d *memData) {
		for id, r := range d.recordings {
			if r.Status == storage.RecordingLive {
				r.Status, r.Reason = storage.RecordingBroken, "controller_died"
				d.recordings[id] = r
			}
		}
	})
	s.mu.Lock()
	s.events, s.spoken = nil, map[string]int{}
	s.mu.Unlock()
	s.start()
	s.waitFor("call.adopted")
}

// heardAgain is what the patient has heard since n prompts.
func (s *scene) heardAgain(n int) []string { return s.heard(patientLeg)[n:] }

func TestAdopt(t *testing.T) {
	yes, no, withdrawn := storage.AnswerYes, storage.AnswerNo, storage.AnswerWithdrawn
	for _, c := range []struct {
		name    string
		prepare func(*scene)
		when    func(*scene) bool
		after   time.Duration
		do      func(*scene) // just before the death
		first   string       // heard first after it
		answers []storage.Answer
		segment int // of the recording after it; 0 is none
		rang    int // agents rung over all
	}{
		{name: "in the greeting", when: func(s *scene) bool { return s.hears("greeting") },
			first: "greeting", answers: []storage.Answer{yes}, segment: 1, rang: 1},
		{name: "in the menu", prepare: func(s *scene) { s.keys["menu"] = []string{"", "1"} }, when: func(s *scene) bool { return s.hears("menu") },
			first: "menu", answers: []storage.Answer{yes}, segment: 1, rang: 1},
		{name: "in identification", when: func(s *scene) bool { return s.hears("ask_phone") },
			first: "identify_intro", answers: []storage.Answer{yes}, segment: 1, rang: 1},
		{name: "in the consent question", prepare: func(s *scene) { s.keys["ask_consent"] = nil }, when: func(s *scene) bool { return s.hears("ask_consent") },
			do: func(s *scene) { s.script("ask_consent", "1") }, first: "ask_consent", answers: []storage.Answer{yes}, segment: 1, rang: 1},
		{name: "after a no", prepare: func(s *scene) { s.keys["ask_consent"] = []string{"2"} }, when: func(s *scene) bool { return s.did("call.queued") },
			first: "queue_wait", answers: []storage.Answer{no}, rang: 2},
		{name: "agent ringing", prepare: func(s *scene) { s.phone("PJSIP/maria", aritest.Answered(8*time.Second)) }, when: func(s *scene) bool { return len(s.rung()) > 0 },
			first: "queue_wait", answers: []storage.Answer{yes}, segment: 1, rang: 2},
		{name: "in the announcement", when: func(s *scene) bool { return s.hears("agent_announce") },
			first: "queue_wait", answers: []storage.Answer{yes}, segment: 2, rang: 2},
		{name: "in conversation", when: func(s *scene) bool { return s.did("call.connected") }, after: 12 * time.Second,
			first: "consent_evidence", answers: []storage.Answer{yes}, segment: 2, rang: 1},
		{name: "after a withdrawal", when: func(s *scene) bool { return s.did("call.connected") }, after: 12 * time.Second,
			do:      func(s *scene) { s.Press(patientLeg, "*"); s.waitFor("consent.withdrawal_confirmed") },
			answers: []storage.Answer{yes, withdrawn}, rang: 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			play(t, c.prepare, func(s *scene) {
				s.dial()
				s.until("the instant", func() bool { return c.when(s) })
				s.after(c.after)
				if c.do != nil {
					c.do(s)
				}
				n := len(s.heard(patientLeg))
				s.reborn()
				s.until("conversation", func() bool { return len(s.Bridges()[s.talk()]) == 2 && s.row().Step == stepConnected })
				s.after(3 * time.Second)
				if c.first != "" {
					require.NotEmpty(t, s.heardAgain(n))
					assert.Equal(t, c.first, s.heardAgain(n)[0])
				} else {
					assert.Empty(t, s.heardAgain(n))
				}
				assert.Equal(t, c.answers, s.answers())
				assert.Equal(t, c.segment > 0, s.did("recording.started"))
				if c.segment > 0 {
					assert.Equal(t, itoa(int64(c.segment)), s.event("recording.started").Detail["segment"])
				}
				assert.Len(t, s.rung(), c.rang)
				s.HangUp(patientLeg, ari.CauseNormal)
				row := s.over()
				assert.Equal(t, string(Completed), row.Disposition)
				assert.Equal(t, nina, row.VerifiedPatient)
			})
		})
	}
}

// A conversation whose agent hung up meanwhile is queued again; the agent's
// place in the queue is not kept.
func TestAdoptAgentGone(t *testing.T) {
	play(t, func(s *scene) { s.second(nil) }, func(s *scene) {
		s.talking()
		s.after(12 * time.Second)
		s.die()
		s.HangUp(s.leg("agent"), ari.CauseNormal)
		s.store.edit(func(d *memData) {
			for id, r := range d.recordings {
				r.Status = storage.RecordingBroken
				d.recordings[id] = r
			}
		})
		s.start()
		s.until("another agent", func() bool { return len(s.rung()) == 2 && len(s.Bridges()[s.talk()]) == 2 })
		s.after(time.Second)
		s.HangUp(patientLeg, ari.CauseNormal)
		assert.Equal(t, string(Completed), s.over().Disposition)
	})
}

// A third party who was in the conversation still counts after a restart: one
// who was never asked may not be recorded, one who said yes may.
func TestAdoptThirdParty(t *testing.T) {
	for _, c := range []struct {
		name, key string
		recorded  bool
	}{{"said yes", "1", true}, {"said no", "2", false}} {
		t.Run(c.name, func(t *testing.T) {
			play(t, nil, func(s *scene) {
				s.invited(c.key)
				s.waitFor("party.joined")
				s.after(2 * time.Second)
				s.reborn()
				s.after(10 * time.Second)
				assert.Len(t, s.Bridges()[s.talk()], 3)
				assert.Equal(t, c.recorded, s.did("recording.started"))
				s.HangUp(patientLeg, ari.CauseNormal)
				assert.Equal(t, string(Completed), s.over().Disposition)
			})
		})
	}
}

// The store cannot be read at the restart: nothing is trusted, the caller is
// served anew, and what is written later goes to the same row.
func TestAdoptWithoutStore(t *testing.T) {
	play(t, func(s *scene) { s.keys["menu"] = []string{"", "1"} }, func(s *scene) {
		s.dial()
		s.until("menu", func() bool { return s.hears("menu") })
		s.stop()
		s.store.setAway(true)
		s.mu.Lock()
		s.events, s.spoken = nil, map[string]int{}
		s.mu.Unlock()
		s.script("menu", "1")
		s.start()
		s.waitFor("call.adopted")
		s.after(time.Second)
		s.store.setAway(false)
		s.waitFor("call.connected")
		s.after(time.Second)
		assert.Equal(t, stepConnected, s.row().Step)
		s.HangUp(patientLeg, ari.CauseNormal)
		assert.Equal(t, string(Completed), s.over().Disposition)
	})
}

// A call that was ended before and is found in Asterisk is not begun again.
func TestAdoptEnded(t *testing.T) {
	play(t, nil, func(s *scene) {
		s.dial()
		s.until("menu", func() bool { return s.hears("greeting") })
		s.stop()
		s.store.edit(func(d *memData) {
			row := d.calls[patientLeg]
			row.EndedAt, row.Disposition = time.Now(), string(Abandoned)
			d.calls[patientLeg] = row
		})
		n := len(s.heard(patientLeg))
		s.start()
		s.until("hung up", func() bool { return len(s.Channels()) == 0 })
		assert.Empty(t, s.heardAgain(n))
	})
}

// A conversation that cannot be joined again is queued again, and the agent who
// was in it is free.
func TestAdoptCannotJoin(t *testing.T) {
	play(t, func(s *scene) { s.keys["ask_consent"] = []string{"2"} }, func(s *scene) {
		s.talking()
		s.die()
		s.RefuseOnce("bridges.get", 404)
		s.RefuseOnce("bridges.createWithId", 500)
		s.start()
		s.until("again", func() bool { return len(s.rung()) == 2 && s.times("call.connected") == 2 })
		s.after(time.Second)
		agents := 0
		for _, id := range s.Channels() {
			if id != patientLeg {
				agents++
			}
		}
		assert.Equal(t, 1, agents, "the leg of before is gone")
		s.HangUp(patientLeg, ari.CauseNormal)
		assert.Equal(t, string(Completed), s.over().Disposition)
	})
}
