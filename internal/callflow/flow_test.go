package callflow

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/callward/callward/ari"
	"github.com/callward/callward/storage"
)

// TestWholeCall is the main job, in the order the patient hears it.
func TestWholeCall(t *testing.T) {
	play(t, nil, func(s *scene) {
		s.talking()
		assert.Equal(t, []string{
			"greeting", "language_choice", "menu", "identify_intro", "ask_birth_date", "ask_phone", "identify_done",
			"ask_consent", "consent_yes", "queue_wait", "consent_evidence", "agent_announce",
		}, s.heard(patientLeg))
		agent := s.leg("agent")
		assert.Equal(t, []string{"agent_whisper_verified", "agent_whisper_recorded"}, s.heard(agent))
		s.after(15 * time.Second)
		s.Press(patientLeg, "*")
		s.waitFor("consent.withdrawal_confirmed")
		assert.True(t, s.told("recording_off"))
		s.HangUp(patientLeg, ari.CauseNormal)
		row := s.over()
		assert.Equal(t, string(Completed), row.Disposition)
		assert.Equal(t, "caller_hung_up", row.Reason)
		assert.Equal(t, nina, row.VerifiedPatient)
		recs := s.recordings()
		require.Len(t, recs, 1)
		assert.Equal(t, storage.RecordingWithdrawn, recs[0].Status)
		assert.Equal(t, []storage.Answer{storage.AnswerYes, storage.AnswerWithdrawn}, s.answers())
		assert.Equal(t, []string{"PJSIP/maria"}, s.rung())
	})
}
