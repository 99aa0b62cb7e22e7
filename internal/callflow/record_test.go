package callflow

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/callward/callward/ari"
	"github.com/callward/callward/internal/recording"
	"github.com/callward/callward/storage"
)

// fullRecorder is a recorder whose disk has no room left.
type fullRecorder struct {
	*recording.Recorder
	ready error
}

func (r *fullRecorder) Ready() error { return r.ready }

func (r *fullRecorder) Start(h recording.Header, at time.Time) (*recording.Session, error) {
	if r.ready != nil {
		return nil, r.ready
	}
	return r.Recorder.Start(h, at)
}

// A recorder that cannot seal does not record; both are told, the call goes on.
func TestRecorderNotReady(t *testing.T) {
	for name, err := range map[string]error{"key missing": recording.ErrKey, "disk full": recording.ErrDiskFull} {
		t.Run(name, func(t *testing.T) {
			play(t, func(s *scene) {
				s.flow.Recorder = &fullRecorder{s.flow.Recorder.(*recording.Recorder), err}
			}, func(s *scene) {
				s.talking()
				assert.True(t, s.told("recording_stopped_fault"))
				assert.Empty(t, s.recordings())
				assert.Equal(t, "deny", s.event("recording.start").Decision)
				s.flow.Recorder = s.flow.Recorder.(*fullRecorder).Recorder
				s.HangUp(patientLeg, ari.CauseNormal)
				assert.Equal(t, string(Completed), s.over().Disposition)
			})
		})
	}
	t.Run("key gone between the question and the file", func(t *testing.T) {
		play(t, nil, func(s *scene) {
			s.say(func(_, id string) {
				if id == "agent_whisper_recorded" {
					s.mu.Lock()
					defer s.mu.Unlock()
					s.noKey = true
				}
			})
			s.talking()
			assert.True(t, s.told("recording_stopped_fault"))
			s.HangUp(patientLeg, ari.CauseNormal)
			s.over()
		})
	})
}

// A recording that breaks in conversation is sealed as far as it goes; both are
// told, the call goes on, and nothing starts again by itself.
func TestRecordingBreaks(t *testing.T) {
	for name, c := range map[string]struct {
		brk    func(*scene)
		reason string
		within time.Duration
	}{
		"audio stalls": {func(s *scene) { s.Stall(patientLeg) }, "media_lost", 2 * time.Second},
		"socket lost":  {func(s *scene) { s.CutMedia(patientLeg) }, "media_lost", time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			play(t, nil, func(s *scene) {
				s.talking()
				s.after(12 * time.Second)
				c.brk(s)
				s.after(c.within)
				require.Len(t, s.recordings(), 1)
				assert.Equal(t, c.reason, s.recordings()[0].Reason)
				s.after(20 * time.Second)
				assert.True(t, s.told("recording_stopped_fault"))
				assert.Len(t, s.Bridges()[s.talk()], 2)
				assert.Len(t, s.recordings(), 1)
				s.HangUp(patientLeg, ari.CauseNormal)
				assert.Equal(t, string(Completed), s.over().Disposition)
			})
		})
	}
}

// Streams that do not come up make no recording, and no caller is lost.
func TestStreamRefused(t *testing.T) {
	for _, op := range []string{"channels.snoopChannelWithId", "channels.externalMedia"} {
		t.Run(op, func(t *testing.T) {
			play(t, func(s *scene) { s.Refuse(op, 500) }, func(s *scene) {
				s.talking()
				assert.True(t, s.told("recording_stopped_fault"))
				require.Len(t, s.recordings(), 1)
				assert.Equal(t, storage.RecordingBroken, s.recordings()[0].Status)
				assert.Empty(t, s.recordings()[0].Path)
				s.HangUp(patientLeg, ari.CauseNormal)
				s.over()
			})
		})
	}
}

// While events were missed a withdrawal may have been: the recording stops and
// says so, the parties go on talking.
func TestGapStopsRecording(t *testing.T) {
	play(t, nil, func(s *scene) {
		s.talking()
		s.after(12 * time.Second)
		s.Cut()
		s.waitFor("controller.gap")
		s.waitFor("recording.stopped")
		s.after(5 * time.Second)
		assert.Equal(t, "controller_was_away", s.recordings()[0].Reason)
		assert.True(t, s.told("recording_stopped_fault"))
		assert.Len(t, s.Bridges()[s.talk()], 2)
		s.Press(patientLeg, "*") // still heard
		s.waitFor("consent.withdrawal_confirmed")
		s.HangUp(patientLeg, ari.CauseNormal)
		s.over()
		assert.Len(t, s.recordings(), 1)
	})
}

func TestStoreAwayFromTheStart(t *testing.T) {
	play(t, nil, func(s *scene) {
		s.store.setAway(true)
		s.dial()
		s.until("conversation", func() bool { return s.talk() != "" })
		s.after(time.Second)
		assert.Contains(t, s.heard(s.leg("agent")), "agent_whisper_unverified")
		assert.True(t, s.hears("identify_failed"))
		assert.False(t, s.hears("consent_yes"))
		assert.True(t, s.hears("agent_announce"))
		assert.False(t, s.did("recording.started"))
		s.HangUp(patientLeg, ari.CauseNormal)
		s.waitFor("call.ended")
		s.after(3 * time.Second)
		assert.Empty(t, s.Channels())
		assert.Empty(t, s.Bridges())
		s.sealed()
		assert.Equal(t, 1, s.times("call.ended"))
	})
}

// The store goes away in conversation: the recording stays until the patient
// takes the yes back, which stops it at once, store or not.
func TestStoreAwayInConversation(t *testing.T) {
	play(t, nil, func(s *scene) {
		s.talking()
		s.after(12 * time.Second)
		s.store.setAway(true)
		pressed := time.Now()
		s.Press(patientLeg, "*")
		s.until("told", func() bool { return s.told("recording_off") })
		recorder := s.flow.Recorder.(*recording.Recorder)
		assert.Zero(t, recorder.Live())
		assert.Less(t, time.Since(pressed), 2*time.Second)
		s.store.setAway(false)
		s.HangUp(patientLeg, ari.CauseNormal)
		s.over()
		assert.Contains(t, s.answers(), storage.AnswerWithdrawn, "it is written when the store is back")
		assert.Equal(t, storage.RecordingWithdrawn, s.recordings()[0].Status)
	})
}
