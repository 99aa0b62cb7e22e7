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

// invited plays up to the moment an agent has called for the interpreter, who
// answers the question as told; "" is silence.
func (s *scene) invited(answer string) {
	s.t.Helper()
	s.talking()
	s.after(12 * time.Second)
	s.say(func(leg, id string) {
		if id == "third_party_ask_consent" && answer != "" {
			time.AfterFunc(reaction, func() { s.Press(leg, answer) })
		}
	})
	s.Press(s.leg("agent"), "*3")
}

func TestThirdPartyJoins(t *testing.T) {
	for _, c := range []struct {
		name, key string
		resumed   bool
		status    storage.RecordingStatus
	}{
		{"says yes", "1", true, storage.RecordingSealed},
		{"says no", "2", false, storage.RecordingSealed},
		{"says nothing", "", false, storage.RecordingSealed},
	} {
		t.Run(c.name, func(t *testing.T) {
			play(t, nil, func(s *scene) {
				s.invited(c.key)
				s.waitFor("party.joined")
				s.after(2 * time.Second)
				assert.Len(t, s.Bridges()[s.talk()], 3)
				assert.Equal(t, 1, s.times("recording.paused"))
				assert.Equal(t, c.resumed, s.did("recording.resumed"))
				assert.Equal(t, !c.resumed, s.did("recording.stopped"))
				assert.Equal(t, !c.resumed, s.told("recording_off"))
				assert.True(t, s.told("third_party_joined"))
				if !c.resumed { // and it does not come back by itself
					s.HangUp(s.leg("third"), ari.CauseNormal)
					s.waitFor("party.left")
					s.after(5 * time.Second)
					assert.False(t, s.did("recording.resumed"))
				}
				s.HangUp(patientLeg, ari.CauseNormal)
				s.over()
				require.Len(t, s.recordings(), 1)
				assert.Equal(t, c.status, s.recordings()[0].Status)
			})
		})
	}
}

// While somebody who has not said yes is asked, nothing is recorded.
func TestPausedWhileAsked(t *testing.T) {
	play(t, nil, func(s *scene) {
		s.invited("")
		s.waitFor("recording.paused")
		began := time.Now()
		s.until("asked", func() bool { return s.did("consent.silence") })
		asked := time.Since(began)
		assert.Greater(t, asked, firstDigit)
		s.waitFor("party.joined")
		s.HangUp(patientLeg, ari.CauseNormal)
		s.over()
		rec := s.recordings()[0]
		assert.Less(t, rec.Duration, rec.StoppedAt.Sub(rec.StartedAt)-asked+time.Second)
	})
}

func TestThirdPartyDoesNotAnswer(t *testing.T) {
	for name, out := range map[string]aritest.Outcome{"rings": aritest.NoAnswer(), "busy": aritest.Busy(), "not there": aritest.Unreachable()} {
		t.Run(name, func(t *testing.T) {
			play(t, func(s *scene) { s.phone(desk, out) }, func(s *scene) {
				s.invited("")
				s.waitFor("party.no_answer")
				assert.False(t, s.did("recording.paused"))
				s.Press(s.leg("agent"), "*3") // may be tried again
				s.until("rung again", func() bool { return s.times("party.no_answer") == 2 })
				s.HangUp(patientLeg, ari.CauseNormal)
				assert.Equal(t, string(Completed), s.over().Disposition)
				assert.Equal(t, storage.RecordingSealed, s.recordings()[0].Status)
			})
		})
	}
}

// One who hangs up while being asked has never joined: the recording goes on
// for those who stay, and the call does not end.
func TestThirdPartyHangsUpWhileAsked(t *testing.T) {
	for range 8 { // whichever of answer and hang-up is seen first
		play(t, nil, func(s *scene) {
			s.invited("")
			s.waitFor("recording.paused")
			s.after(time.Second)
			s.HangUp(s.leg("third"), ari.CauseNormal)
			s.waitFor("party.left")
			s.after(2 * time.Second)
			require.True(t, s.did("recording.resumed"))
			require.False(t, s.did("party.joined"))
			require.NotEmpty(t, s.talk())
			s.HangUp(patientLeg, ari.CauseNormal)
			require.Equal(t, string(Completed), s.over().Disposition)
		})
	}
}

// The same when the last thing that party keyed was a no.
func TestThirdPartySaysNoAndHangsUp(t *testing.T) {
	play(t, nil, func(s *scene) {
		s.invited("")
		s.waitFor("recording.paused")
		s.after(time.Second)
		leg := s.leg("third")
		s.store.setSlow(100 * time.Millisecond)
		s.store.hook(func(int) { s.HangUp(leg, ari.CauseNormal) }) // as the answer is being kept
		s.Press(leg, "2")
		s.waitFor("party.left")
		s.after(2 * time.Second)
		assert.True(t, s.did("recording.resumed"))
		assert.False(t, s.did("recording.stopped"))
		s.HangUp(patientLeg, ari.CauseNormal)
		s.over()
	})
}

func TestWithdrawWithThirdParty(t *testing.T) {
	for name, wait := range map[string]string{"while ringing": "", "while asked": "recording.paused"} {
		t.Run(name, func(t *testing.T) {
			play(t, func(s *scene) { s.phone(desk, aritest.Answered(5*time.Second)) }, func(s *scene) {
				s.invited("")
				s.after(time.Second)
				if wait != "" {
					s.waitFor(wait)
					s.after(time.Second)
				}
				s.Press(patientLeg, "*")
				s.waitFor("consent.withdrawal_confirmed")
				s.waitFor("party.joined")
				s.after(3 * time.Second)
				assert.False(t, s.did("recording.resumed"))
				s.HangUp(patientLeg, ari.CauseNormal)
				s.over()
				require.Len(t, s.recordings(), 1)
				assert.Equal(t, storage.RecordingWithdrawn, s.recordings()[0].Status)
			})
		})
	}
}

// A yes of the newcomer at the instant of the withdrawal lets nothing go on.
func TestWithdrawBeatsNewcomersYes(t *testing.T) {
	for range 8 {
		play(t, nil, func(s *scene) {
			s.invited("")
			s.waitFor("recording.paused")
			s.after(2 * time.Second)
			s.Press(patientLeg, "*")
			s.Press(s.leg("third"), "1")
			s.waitFor("party.joined")
			s.after(time.Second)
			require.False(t, s.did("recording.resumed"))
			s.HangUp(patientLeg, ari.CauseNormal)
			s.over()
			require.Equal(t, storage.RecordingWithdrawn, s.recordings()[0].Status)
		})
	}
}

// Nobody who is being brought in is left behind when the call ends.
func TestCallEndsWithThirdParty(t *testing.T) {
	for _, at := range []time.Duration{500 * time.Millisecond, 1900 * time.Millisecond, 2 * time.Second, 2100 * time.Millisecond, 4 * time.Second, 13 * time.Second} {
		for who, end := range map[string]func(*scene){
			"patient": func(s *scene) { s.HangUp(patientLeg, ari.CauseNormal) },
			"agent":   func(s *scene) { s.HangUp(s.leg("agent"), ari.CauseNormal) },
		} {
			t.Run(who+" "+at.String(), func(t *testing.T) {
				play(t, func(s *scene) { s.phone(desk, aritest.Answered(2*time.Second)) }, func(s *scene) {
					s.invited("")
					s.after(at)
					end(s)
					assert.Equal(t, string(Completed), s.over().Disposition)
				})
			})
		}
		t.Run("controller "+at.String(), func(t *testing.T) {
			play(t, func(s *scene) { s.phone(desk, aritest.Answered(2*time.Second)) }, func(s *scene) {
				s.invited("")
				s.after(at)
				s.stop()
				s.after(3 * time.Second)
				s.sealed()
				for _, id := range s.Channels() {
					assert.NotEmpty(t, s.Bridges()[s.talk()])
					assert.Contains(t, s.Bridges()[s.talk()], id, "nobody waits in silence")
				}
			})
		})
	}
}

// A third party without encryption is not joined, and costs nobody the call.
func TestThirdPartyPlain(t *testing.T) {
	play(t, func(s *scene) { s.plain["~third.leg"] = true }, func(s *scene) {
		s.invited("1")
		s.waitFor("leg.third_party")
		s.after(3 * time.Second)
		assert.Empty(t, s.leg("third"))
		assert.False(t, s.did("recording.paused"))
		s.HangUp(patientLeg, ari.CauseNormal)
		row := s.over()
		assert.Equal(t, "caller_hung_up", row.Reason)
	})
}
