package storagetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/callward/callward/storage"
)

func agents(t *testing.T, s *suite) {
	alice := storage.Agent{ID: "alice", Name: "Alice Marsh", SpokenName: "Alice", Organisation: "Harbour Clinic",
		Endpoint: "PJSIP/agent-alice", OnDuty: true, RecordingConsent: true, State: "NY", Languages: []string{"en", "es"},
		HiredAt: at(-1000 * time.Hour), LastCallEndedAt: at(-time.Hour),
		Trainings: []storage.Training{
			{Course: "hipaa", PolicyVersion: "1", CompletedAt: at(-900 * time.Hour), ExpiresAt: at(900 * time.Hour)},
			{Course: "hipaa", PolicyVersion: "2", CompletedAt: at(-10 * time.Hour)},
		}}
	bob := storage.Agent{ID: "bob", Name: "Bob", Endpoint: "PJSIP/agent-bob"}
	s.update(t, func(tx storage.Tx) {
		assert.True(t, must[bool](t)(tx.PutAgent(bob)))
		assert.True(t, must[bool](t)(tx.PutAgent(alice)))
		assert.False(t, must[bool](t)(tx.PutAgent(alice)))
	})
	bob.OnDuty = true
	s.update(t, func(tx storage.Tx) { assert.True(t, must[bool](t)(tx.PutAgent(bob))) })
	s.view(t, func(tx storage.Tx) {
		assert.Equal(t, alice, must[storage.Agent](t)(tx.Agent("alice")))
		assert.Equal(t, []storage.Agent{alice, bob}, must[[]storage.Agent](t)(tx.Agents()))
		_, err := tx.Agent("carol")
		assert.ErrorIs(t, err, storage.ErrNotFound)
	})
	s.fails(t, storage.ErrInvalid, func(tx storage.Tx) error { _, err := tx.PutAgent(storage.Agent{}); return err })
}

func calls(t *testing.T, s *suite) {
	c := storage.Call{ID: "c1", Step: "greeting", StartedAt: Now}
	s.update(t, func(tx storage.Tx) { require.NoError(t, tx.PutCall(c)) })
	c.Version++
	s.fails(t, storage.ErrConflict, func(tx storage.Tx) error { return tx.PutCall(storage.Call{ID: "c1"}) })
	s.fails(t, storage.ErrConflict, func(tx storage.Tx) error { return tx.PutCall(storage.Call{ID: "c1", Version: 7}) })
	s.fails(t, storage.ErrConflict, func(tx storage.Tx) error { return tx.PutCall(storage.Call{ID: "c9", Version: 1}) })
	s.fails(t, storage.ErrInvalid, func(tx storage.Tx) error { return tx.PutCall(storage.Call{}) })

	c = storage.Call{ID: "c1", Version: 1, Step: "bridge", Language: "es", Intent: "billing", VerifiedPatient: "p-1",
		VerifiedAt: at(time.Second), VerifiedBy: []storage.IdentifierKind{storage.KindBirthDate, storage.KindPhone},
		AgentID: "alice", AgentChannel: "c1-agent-1", Bridge: "c1-bridge", RecordingID: "c1-r1",
		StartedAt: Now, AnsweredAt: at(time.Second)}
	s.update(t, func(tx storage.Tx) {
		require.NoError(t, tx.PutCall(c))
		require.NoError(t, tx.PutCall(storage.Call{ID: "c0", StartedAt: at(-time.Minute)}))
	})
	c.Version++
	s.view(t, func(tx storage.Tx) {
		assert.Equal(t, c, must[storage.Call](t)(tx.Call("c1")))
		open := must[[]storage.Call](t)(tx.OpenCalls())
		require.Len(t, open, 2)
		assert.Equal(t, "c0", open[0].ID, "oldest first")
		_, err := tx.Call("c9")
		assert.ErrorIs(t, err, storage.ErrNotFound)
	})
	c.EndedAt, c.Disposition, c.Reason, c.HangupCause = at(time.Minute), "completed", "agent.hangup", 16
	s.update(t, func(tx storage.Tx) { require.NoError(t, tx.PutCall(c)) })
	c.Version++
	s.view(t, func(tx storage.Tx) {
		assert.Equal(t, c, must[storage.Call](t)(tx.Call("c1")))
		assert.Len(t, must[[]storage.Call](t)(tx.OpenCalls()), 1)
		for _, f := range []storage.CallFilter{{Agent: "alice"}, {Patient: "p-1"}, {From: Now}, {Limit: 1}} {
			assert.Equal(t, []storage.Call{c}, must[[]storage.Call](t)(tx.Calls(f)))
		}
		assert.Len(t, must[[]storage.Call](t)(tx.Calls(storage.CallFilter{To: Now})), 1)
		assert.Len(t, must[[]storage.Call](t)(tx.Calls(storage.CallFilter{})), 2)
	})
}

func steps(t *testing.T, s *suite) {
	s.update(t, func(tx storage.Tx) {
		require.NoError(t, tx.PutCall(storage.Call{ID: "c1", StartedAt: Now}))
		require.NoError(t, tx.AddStep("c1", storage.Step{Name: "greeting", At: Now}))
		n := must[int64](t)(tx.Audit(Entry("Verify")))
		require.NoError(t, tx.AddStep("c1", storage.Step{Name: "identify", At: at(time.Second), Entry: n}))
	})
	s.view(t, func(tx storage.Tx) {
		assert.Equal(t, []storage.Step{{Number: 1, Name: "greeting", At: Now}, {Number: 2, Name: "identify", At: at(time.Second), Entry: 1}},
			must[[]storage.Step](t)(tx.Steps("c1")))
		c := must[storage.Call](t)(tx.Call("c1"))
		assert.Equal(t, "identify", c.Step)
		assert.EqualValues(t, 1, c.Version, "a step leaves the version alone")
	})
	s.fails(t, storage.ErrNotFound, func(tx storage.Tx) error { return tx.AddStep("c9", storage.Step{Name: "x"}) })
	s.fails(t, storage.ErrInvalid, func(tx storage.Tx) error { return tx.AddStep("c1", storage.Step{}) })
}

func consent(answer storage.Answer, at time.Time) storage.Consent {
	return storage.Consent{CallID: "c1", Patient: "p-1", Party: "c1", PartyKind: "patient", Purpose: "recording",
		Answer: answer, By: "dtmf", PromptID: "ask_consent", PromptVersion: "abc", Language: "en", At: at}
}

func consents(t *testing.T, s *suite) {
	yes, withdrawn := consent(storage.AnswerYes, Now), consent(storage.AnswerWithdrawn, at(time.Minute))
	s.update(t, func(tx storage.Tx) {
		require.NoError(t, tx.PutCall(storage.Call{ID: "c1", StartedAt: Now}))
		yes.ID = must[int64](t)(tx.AddConsent(yes))
		withdrawn.ID = must[int64](t)(tx.AddConsent(withdrawn))
	})
	s.view(t, func(tx storage.Tx) {
		assert.Equal(t, []storage.Consent{yes, withdrawn}, must[[]storage.Consent](t)(tx.Consents("c1")))
		assert.Equal(t, yes, must[storage.Consent](t)(tx.Consent(yes.ID)))
		_, err := tx.Consent(99)
		assert.ErrorIs(t, err, storage.ErrNotFound)
	})
	add := func(c storage.Consent) func(storage.Tx) error {
		return func(tx storage.Tx) error { _, err := tx.AddConsent(c); return err }
	}
	s.fails(t, storage.ErrInvalid, add(consent("perhaps", Now)))
	s.fails(t, storage.ErrInvalid, add(consent("", Now)))
	elsewhere := consent(storage.AnswerYes, Now)
	elsewhere.CallID = "c9"
	s.fails(t, storage.ErrNotFound, add(elsewhere))
}

func recordings(t *testing.T, s *suite) {
	r := storage.Recording{ID: "c1-r1", CallID: "c1", Segment: 1, Patient: "p-1", Status: storage.RecordingLive,
		Path: "recordings/c1-r1.age", StartedAt: Now}
	s.update(t, func(tx storage.Tx) {
		require.NoError(t, tx.PutCall(storage.Call{ID: "c1", StartedAt: Now}))
		r.ConsentID = must[int64](t)(tx.AddConsent(consent(storage.AnswerYes, Now)))
		require.NoError(t, tx.PutRecording(r))
	})
	r.Status, r.Reason, r.LastFrameAt, r.StoppedAt = storage.RecordingSealed, "hangup", at(time.Minute), at(time.Minute)
	r.Duration, r.Bytes, r.SHA256 = time.Minute, 960_000, storage.Digest{7}
	r.Frames, r.Lost, r.Late = [2]int{3000, 2999}, [2]int{0, 1}, [2]int{2, 3}
	second := storage.Recording{ID: "c1-r2", CallID: "c1", Segment: 2, ConsentID: r.ConsentID, Status: storage.RecordingWithdrawn,
		StartedAt: at(time.Hour), WithdrawnAt: at(time.Hour + time.Second)}
	s.update(t, func(tx storage.Tx) {
		require.NoError(t, tx.PutRecording(r))
		require.NoError(t, tx.PutRecording(second))
	})
	s.view(t, func(tx storage.Tx) {
		assert.Equal(t, r, must[storage.Recording](t)(tx.Recording("c1-r1")))
		_, err := tx.Recording("c1-r9")
		assert.ErrorIs(t, err, storage.ErrNotFound)
		for _, c := range []struct {
			f    storage.RecordingFilter
			want []storage.Recording
		}{
			{storage.RecordingFilter{}, []storage.Recording{second, r}},
			{storage.RecordingFilter{CallID: "c1", Limit: 1}, []storage.Recording{second}},
			{storage.RecordingFilter{Patient: "p-1"}, []storage.Recording{r}},
			{storage.RecordingFilter{Status: storage.RecordingSealed}, []storage.Recording{r}},
			{storage.RecordingFilter{From: at(time.Minute)}, []storage.Recording{second}},
			{storage.RecordingFilter{To: at(time.Minute)}, []storage.Recording{r}},
			{storage.RecordingFilter{CallID: "c9"}, nil},
		} {
			assert.Equal(t, c.want, must[[]storage.Recording](t)(tx.Recordings(c.f)))
		}
	})
	bad := r
	bad.ID, bad.ConsentID = "c1-r3", 99
	s.fails(t, storage.ErrNotFound, func(tx storage.Tx) error { return tx.PutRecording(bad) })
	bad.ConsentID, bad.Status = r.ConsentID, ""
	s.fails(t, storage.ErrInvalid, func(tx storage.Tx) error { return tx.PutRecording(bad) })
}

func callbacks(t *testing.T, s *suite) {
	c := storage.Callback{CallID: "c1", Patient: "p-1", Phone: "+13105550142", Language: "en", Intent: "billing", RequestedAt: Now}
	s.update(t, func(tx storage.Tx) {
		c.ID = must[int64](t)(tx.AddCallback(c))
		must[int64](t)(tx.AddCallback(storage.Callback{Phone: "+13105550143", RequestedAt: at(time.Minute)}))
	})
	s.view(t, func(tx storage.Tx) {
		got := must[[]storage.Callback](t)(tx.Callbacks(true))
		require.Len(t, got, 2)
		assert.Equal(t, c.Reveal(), got[0].Reveal())
	})
	s.update(t, func(tx storage.Tx) {
		require.NoError(t, tx.CallbackDone(c.ID, at(time.Hour)))
		assert.Len(t, must[[]storage.Callback](t)(tx.Callbacks(true)), 1)
		all := must[[]storage.Callback](t)(tx.Callbacks(false))
		require.Len(t, all, 2)
		assert.Equal(t, at(time.Hour), all[0].DoneAt)
	})
	s.fails(t, storage.ErrNotFound, func(tx storage.Tx) error { return tx.CallbackDone(99, Now) })
	s.fails(t, storage.ErrInvalid, func(tx storage.Tx) error { _, err := tx.AddCallback(storage.Callback{}); return err })
}

func optOuts(t *testing.T, s *suite) {
	byPhone := storage.OptOut{Phone: "+13105550142", Channel: storage.OptOutCalls, CallID: "c1", At: Now}
	byPatient := storage.OptOut{Patient: "p-1", Channel: storage.OptOutAll, At: at(time.Second)}
	s.update(t, func(tx storage.Tx) {
		require.NoError(t, tx.AddOptOut(byPhone))
		require.NoError(t, tx.AddOptOut(byPatient))
	})
	for _, c := range []struct {
		phone   string
		patient storage.PatientID
		want    []storage.OptOut
	}{
		{byPhone.Phone, "", []storage.OptOut{byPhone}},
		{"", "p-1", []storage.OptOut{byPatient}},
		{byPhone.Phone, "p-1", []storage.OptOut{byPhone, byPatient}},
		{"+13105550199", "p-9", nil},
		{"", "", nil},
	} {
		s.view(t, func(tx storage.Tx) {
			got := must[[]storage.OptOut](t)(tx.OptOuts(c.phone, c.patient))
			require.Len(t, got, len(c.want))
			for i := range got {
				assert.Equal(t, c.want[i].Reveal(), got[i].Reveal())
			}
		})
	}
	s.fails(t, storage.ErrInvalid, func(tx storage.Tx) error { return tx.AddOptOut(storage.OptOut{Channel: storage.OptOutAll}) })
	s.fails(t, storage.ErrInvalid, func(tx storage.Tx) error { return tx.AddOptOut(storage.OptOut{Phone: "+13105550142"}) })
}
