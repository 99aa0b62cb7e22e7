package callflow

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/callward/callward/ari"
	"github.com/callward/callward/storage"
)

func TestConsentAnswers(t *testing.T) {
	yes, no, silence := storage.AnswerYes, storage.AnswerNo, storage.AnswerSilence
	for _, c := range []struct {
		name     string
		ask, re  []string // keys at the first question and the second
		want     []storage.Answer
		recorded bool
	}{
		{"yes", []string{"1"}, nil, []storage.Answer{yes}, true},
		{"no", []string{"2"}, nil, []storage.Answer{no}, false},
		{"wrong key", []string{"7"}, nil, []storage.Answer{no}, false},
		{"star", []string{"*"}, nil, []storage.Answer{no}, false},
		{"zero", []string{"0"}, nil, []storage.Answer{no}, false},
		{"silence twice", nil, nil, []storage.Answer{silence, silence}, false},
		{"silence, then yes", nil, []string{"1"}, []storage.Answer{silence, yes}, true},
		{"silence, then no", nil, []string{"2"}, []storage.Answer{silence, no}, false},
		{"yes twice is one yes", []string{"11"}, nil, []storage.Answer{yes}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			play(t, func(s *scene) { s.keys["ask_consent"], s.keys["consent_reask"] = c.ask, c.re }, func(s *scene) {
				s.talking()
				s.after(time.Second)
				assert.Equal(t, c.want, s.answers())
				assert.Equal(t, c.recorded, s.hears("consent_yes"))
				assert.Equal(t, !c.recorded, s.hears("consent_no"))
				assert.Equal(t, c.recorded, s.hears("consent_evidence"))
				assert.Equal(t, c.recorded, s.did("recording.started"))
				whisper := "agent_whisper_not_recorded"
				if c.recorded {
					whisper = "agent_whisper_recorded"
				}
				assert.Contains(t, s.heard(s.leg("agent")), whisper)
				s.HangUp(patientLeg, ari.CauseNormal)
				assert.Equal(t, string(Completed), s.over().Disposition, "the answer changes nothing else")
				assert.Equal(t, c.recorded, len(s.recordings()) == 1)
			})
		})
	}
}

// Keys typed before the question is put do not answer it.
func TestTypedAheadIsNoConsent(t *testing.T) {
	play(t, func(s *scene) {
		s.keys["ask_phone"] = []string{"2065550142111"} // three more than asked for
		s.keys["identify_done"] = []string{"1"}
		delete(s.keys, "ask_consent")
	}, func(s *scene) {
		s.talking()
		assert.Equal(t, []storage.Answer{storage.AnswerSilence, storage.AnswerSilence}, s.answers())
		assert.Empty(t, s.recordings())
		s.HangUp(patientLeg, ari.CauseNormal)
		s.over()
	})
}

// A question that cannot be heard has no answer, whatever is keyed.
func TestQuestionNotHeard(t *testing.T) {
	for name, prepare := range map[string]func(*scene){
		"not made":   func(s *scene) { s.broken["ask_consent"] = true },
		"not played": func(s *scene) { s.Missing("sound:en/ask_consent") },
	} {
		t.Run(name, func(t *testing.T) {
			play(t, prepare, func(s *scene) {
				s.talking()
				s.Press(patientLeg, "1")
				s.after(time.Second)
				assert.Empty(t, s.answers())
				assert.Empty(t, s.recordings())
				assert.True(t, s.hears("consent_no"))
				s.HangUp(patientLeg, ari.CauseNormal)
				assert.Equal(t, string(Completed), s.over().Disposition)
			})
		})
	}
}

// A file whose first words cannot be said is not kept up.
func TestEvidenceNotHeard(t *testing.T) {
	play(t, func(s *scene) { s.Missing("sound:en/consent_evidence") }, func(s *scene) {
		s.talking()
		require.Len(t, s.recordings(), 1)
		assert.Equal(t, "consent_not_repeated", s.recordings()[0].Reason)
		assert.True(t, s.told("recording_stopped_fault"))
		s.HangUp(patientLeg, ari.CauseNormal)
		s.over()
	})
}

// Hanging up in the question is kept as a no.
func TestHungUpInQuestion(t *testing.T) {
	play(t, func(s *scene) { delete(s.keys, "ask_consent") }, func(s *scene) {
		s.dial()
		s.until("question", func() bool { return s.hears("ask_consent") })
		s.after(100 * time.Millisecond)
		s.HangUp(patientLeg, ari.CauseNormal)
		s.over()
		assert.Equal(t, []storage.Answer{storage.AnswerNo}, s.answers())
		assert.True(t, s.did("consent.hung_up"))
	})
}

func TestWithdraw(t *testing.T) {
	for _, c := range []struct {
		name   string
		when   string        // a prompt to the patient, "" is in conversation
		after  time.Duration // from then
		agent  bool          // the agent presses star 1
		status storage.RecordingStatus
	}{
		{name: "in the evidence", when: "consent_evidence", after: 300 * time.Millisecond, status: storage.RecordingDiscarded},
		{name: "in the announcement", when: "agent_announce", after: 300 * time.Millisecond, status: storage.RecordingDiscarded},
		{name: "early in conversation", after: 2 * time.Second, status: storage.RecordingDiscarded},
		{name: "in conversation", after: 20 * time.Second, status: storage.RecordingWithdrawn},
		{name: "through the agent", after: 20 * time.Second, agent: true, status: storage.RecordingWithdrawn},
	} {
		t.Run(c.name, func(t *testing.T) {
			play(t, nil, func(s *scene) {
				s.dial()
				s.until("prompt", func() bool { return c.when == "" && s.did("call.connected") || s.hears(c.when) })
				s.after(c.after)
				pressed := time.Now()
				if c.agent {
					s.Press(s.leg("agent"), "*1")
				} else {
					s.Press(patientLeg, "*")
				}
				s.waitFor("consent.withdrawal_confirmed")
				assert.True(t, s.hears("recording_off"))
				s.waitFor("call.connected")
				s.after(30 * time.Second)
				recs := s.recordings()
				require.Len(t, recs, 1, "a withdrawal is for the whole call")
				assert.Equal(t, c.status, recs[0].Status)
				assert.Equal(t, pressed, recs[0].WithdrawnAt)
				assert.False(t, recs[0].LastFrameAt.After(pressed))
				assert.Equal(t, storage.AnswerWithdrawn, s.answers()[1])
				assert.Equal(t, 1, s.times("consent.withdrawn"))
				s.Press(patientLeg, "**") // once is enough
				s.after(5 * time.Second)
				assert.Equal(t, 1, s.times("consent.withdrawn"))
				s.HangUp(patientLeg, ari.CauseNormal)
				assert.Equal(t, string(Completed), s.over().Disposition)
			})
		})
	}
}

// A withdrawal waits for nothing: not for a prompt that is being said, nor for
// a store that takes its time, nor for the recorder to have started.
func TestWithdrawWaitsForNothing(t *testing.T) {
	t.Run("store slow", func(t *testing.T) {
		play(t, nil, func(s *scene) {
			s.talking()
			s.after(15 * time.Second)
			s.store.setSlow(1900 * time.Millisecond)
			s.Press(s.leg("agent"), "*3") // keeps the call busy writing
			s.after(1100 * time.Millisecond)
			pressed := time.Now()
			s.Press(patientLeg, "*")
			s.waitFor("recording.stopped")
			s.store.setSlow(0)
			rec := s.recordings()[0]
			assert.Greater(t, time.Since(pressed), time.Second, "or the test shows nothing")
			assert.False(t, rec.LastFrameAt.After(pressed))
			assert.LessOrEqual(t, rec.Duration, pressed.Sub(rec.StartedAt))
			s.HangUp(patientLeg, ari.CauseNormal)
			s.over()
		})
	})
	t.Run("prompt running", func(t *testing.T) {
		play(t, func(s *scene) {
			s.PlayTime(func(m string) time.Duration {
				if m == "sound:en/third_party_joined" {
					return 8 * time.Second
				}
				return time.Second
			})
		}, func(s *scene) {
			s.talking()
			s.after(15 * time.Second)
			s.say(func(leg, id string) {
				if id == "third_party_ask_consent" {
					s.Press(leg, "1")
				}
			})
			s.Press(s.leg("agent"), "*3")
			s.waitFor("party.joined")
			s.after(time.Second)
			pressed := time.Now()
			s.Press(patientLeg, "*")
			s.waitFor("recording.stopped")
			rec := s.recordings()[0]
			assert.Greater(t, time.Since(pressed), 5*time.Second, "or the test shows nothing")
			assert.Equal(t, storage.RecordingWithdrawn, rec.Status)
			assert.LessOrEqual(t, rec.Duration, pressed.Sub(rec.StartedAt))
			s.HangUp(patientLeg, ari.CauseNormal)
			s.over()
		})
	})
	t.Run("recorder starting", func(t *testing.T) {
		play(t, func(s *scene) { s.Delay("channels.snoopChannelWithId", time.Second) }, func(s *scene) {
			s.dial()
			s.waitFor("recording.start")
			s.after(500 * time.Millisecond)
			s.Press(patientLeg, "*")
			s.waitFor("consent.withdrawal_confirmed")
			s.waitFor("call.connected")
			for _, r := range s.recordings() {
				assert.Equal(t, storage.RecordingDiscarded, r.Status)
			}
			assert.True(t, s.hears("recording_off"))
			s.HangUp(patientLeg, ari.CauseNormal)
			s.over()
		})
	})
	t.Run("before the recorder", func(t *testing.T) {
		play(t, nil, func(s *scene) {
			pressed := false
			s.each(func(_ int, op string) {
				if op == "channels.snoopChannelWithId" && !pressed {
					pressed = true
					s.Press(patientLeg, "*")
				}
			})
			s.dial()
			s.waitFor("call.connected")
			assert.True(t, s.did("consent.withdrawal_confirmed"))
			for _, r := range s.recordings() {
				assert.Equal(t, storage.RecordingDiscarded, r.Status)
			}
			s.HangUp(patientLeg, ari.CauseNormal)
			s.over()
		})
	})
}

// The key that withdraws counts when the hang-up follows at once.
func TestWithdrawAndHangUp(t *testing.T) {
	for range 8 { // whichever of the two is seen first
		play(t, nil, func(s *scene) {
			s.talking()
			s.after(15 * time.Second)
			s.Press(patientLeg, "*")
			s.HangUp(patientLeg, ari.CauseNormal)
			s.over()
			require.Len(t, s.recordings(), 1)
			require.Equal(t, storage.RecordingWithdrawn, s.recordings()[0].Status)
		})
	}
}

// The same before the conversation, when nobody listens for keys yet.
func TestWithdrawAndHangUpEarly(t *testing.T) {
	play(t, func(s *scene) { s.Delay("channels.snoopChannelWithId", time.Second) }, func(s *scene) {
		s.dial()
		s.waitFor("recording.start")
		s.after(500 * time.Millisecond)
		s.Press(patientLeg, "*")
		s.HangUp(patientLeg, ari.CauseNormal)
		s.over()
		assert.Equal(t, []storage.Answer{storage.AnswerYes, storage.AnswerWithdrawn}, s.answers())
		assert.Equal(t, storage.RecordingDiscarded, s.recordings()[0].Status)
	})
}

// Keys that are no withdrawal are none, however many.
func TestLeaningOnThePad(t *testing.T) {
	play(t, nil, func(s *scene) {
		s.talking()
		s.after(12 * time.Second)
		s.Press(patientLeg, "123456789012345678901234567890#")
		s.Press(s.leg("agent"), "111111111111111111*2*9")
		s.after(time.Second)
		assert.False(t, s.did("consent.withdrawn"))
		s.Press(s.leg("agent"), "*")
		s.after(4 * time.Second)
		s.Press(s.leg("agent"), "1") // too late to belong to the star
		s.after(time.Second)
		assert.False(t, s.did("consent.withdrawn"))
		s.Press(patientLeg, "5555555555555555555555555*")
		s.waitFor("consent.withdrawal_confirmed")
		s.HangUp(patientLeg, ari.CauseNormal)
		s.over()
	})
}
