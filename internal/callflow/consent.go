package callflow

import (
	"context"
	"errors"
	"time"

	"github.com/callward/callward/ari"
	"github.com/callward/callward/policy"
	"github.com/callward/callward/storage"
)

// purpose of every recording made here.
const purpose = policy.PurposeQuality

// askRecording asks whether the call may be recorded: twice at most, eight
// seconds each, and only the key 1 is a yes (recording.consent.required).
// Whatever the answer, the call goes on the same way (no_detriment).
func (k *contact) askRecording(ctx context.Context) error {
	answer, err := k.askConsent(ctx, "ask_consent", "consent_reask")
	if err != nil {
		return err
	}
	id := "consent_no"
	if answer == policy.AnswerYes {
		id = "consent_yes"
	}
	if err := k.say(ctx, id); err != nil {
		return err
	}
	k.step(ctx, stepConsented, map[string]string{"answer": string(answer)})
	return nil
}

// askConsent asks the caller and keeps every answer, silence and hang-up
// included.
func (k *contact) askConsent(ctx context.Context, prompts ...string) (answer policy.ConsentAnswer, err error) {
	for i, prompt := range prompts {
		if ctx.Err() != nil {
			return answer, context.Cause(ctx) // the question was not put
		}
		c, heard, err := k.askOnce(ctx, k.call.Leg, k.row.Language, prompt)
		if err == nil && !heard {
			return policy.AnswerSilence, nil // not asked, so no answer is kept
		}
		answer = c.Answer
		if err != nil && c.Key == "" && !hungUp(ctx) {
			return answer, err // we go, not the caller: nothing was answered
		}
		if k.keepConsent(ctx, k.call.ID(), policy.PartyPatient, prompt, c) != nil {
			answer = policy.AnswerNo // a yes that cannot be proven is none
		}
		if err != nil {
			return answer, err
		}
		if answer != policy.AnswerSilence || i == len(prompts)-1 {
			break
		}
	}
	return answer, nil
}

// askOnce puts the recording question to one leg. What was keyed before the
// question is no answer to it.
func (k *contact) askOnce(ctx context.Context, leg *ari.Leg, lang, prompt string) (c policy.Consent, heard bool, err error) {
	noticed := k.now()
	ans, heard, err := k.ask(ctx, leg, lang, ari.Ask{MaxDigits: 1, DropTypeAhead: true}, prompt)
	key := ans.Digits.Reveal()
	answer := policy.KeyAnswer(key)
	if err != nil && key == "" {
		answer = policy.AnswerHungUp
	}
	return policy.Consent{
		Answer: answer, Method: policy.MethodKeypad, Key: key, NoticeAt: noticed, At: k.now(),
		PromptVersion: k.f.Prompts.Version(lang, prompt), Language: lang, CallID: k.row.ID, Purpose: purpose,
	}, heard, err
}

// hungUp tells whether ctx ended because the caller hung up.
func hungUp(ctx context.Context) bool {
	var h *ari.HungUp
	return errors.As(context.Cause(ctx), &h)
}

// stored is an answer as the store knows it: whoever hangs up does not agree.
func stored(a policy.ConsentAnswer) storage.Answer {
	if a == policy.AnswerHungUp {
		return storage.AnswerNo
	}
	return storage.Answer(a)
}

// keepConsent stores an answer and remembers it.
func (k *contact) keepConsent(ctx context.Context, party string, kind policy.PartyKind, prompt string, c policy.Consent) error {
	row := storage.Consent{
		CallID: k.row.ID, Patient: k.row.VerifiedPatient, Party: party, PartyKind: string(kind),
		Purpose: string(c.Purpose), Answer: stored(c.Answer), By: string(c.Method),
		PromptID: prompt, PromptVersion: c.PromptVersion, Language: c.Language, At: c.At,
	}
	var id int64
	err := k.event(ctx, "consent."+string(c.Answer), map[string]string{
		"party": string(kind), "prompt": prompt, "version": c.PromptVersion, "language": c.Language,
	}, func(tx storage.Tx, _ int64) (err error) {
		id, err = tx.AddConsent(row)
		return err
	})
	if err != nil {
		return err
	}
	if kind == policy.PartyPatient {
		k.consents = append(k.consents, c)
		if c.Answer == policy.AnswerYes {
			k.consentID = id
		}
	} else {
		k.thirdSaid = append(k.thirdSaid, c)
	}
	return nil
}

// restoreConsent takes a stored answer of the patient into account again.
func (k *contact) restoreConsent(c storage.Consent) {
	if c.Answer == storage.AnswerWithdrawn {
		k.withdrawn = c.At
		return
	}
	if c.Answer == storage.AnswerYes {
		k.consentID = c.ID
	}
	k.consents = append(k.consents, answered(c))
}

// answered is a stored answer as it was given.
func answered(c storage.Consent) policy.Consent {
	key := ""
	if c.Answer == storage.AnswerYes {
		key = "1"
	}
	return policy.Consent{
		Answer: policy.ConsentAnswer(c.Answer), Method: policy.MethodKeypad, Key: key,
		NoticeAt: c.At, At: c.At, PromptVersion: c.PromptVersion, Language: c.Language,
		CallID: c.CallID, Purpose: policy.RecordingPurpose(c.Purpose),
	}
}

// parties are all humans on the call now.
func (k *contact) parties(withThird bool) []policy.Party {
	patient := policy.Party{
		ID: k.call.ID(), Kind: policy.PartyPatient, Language: k.row.Language,
		Answers: k.consents, Withdrawn: policy.YesIf(!k.withdrawn.IsZero()), WithdrawnAt: k.withdrawn,
		Locations: []string{k.state},
	}
	agent := policy.Party{
		ID: "agent:" + string(k.agent.ID), Kind: policy.PartyAgent, Language: k.f.Site.Languages[0],
		Locations: []string{k.agent.State}, Withdrawn: policy.No,
	}
	if k.agent.RecordingConsent {
		agent.Answers = []policy.Consent{{
			Answer: policy.AnswerYes, Method: policy.MethodOnFile, NoticeAt: k.agent.HiredAt, At: k.agent.HiredAt,
			PromptVersion: k.f.Site.PolicyVersion, Language: k.f.Site.Languages[0], CallID: k.row.ID, Purpose: purpose,
		}}
	}
	out := []policy.Party{patient, agent}
	if withThird && k.third != nil {
		out = append(out, policy.Party{
			ID: k.third.ID(), Kind: policy.PartyInterpreter, Language: k.f.Site.Languages[0],
			Answers: k.thirdSaid, Withdrawn: policy.No,
		})
	}
	return out
}

// withdraw takes back the patient's yes. The recorder is stopped first: no
// rule asks leave to stop.
func (k *contact) withdraw(ctx context.Context, at time.Time, by policy.ConsentMethod) {
	k.withdrawn = at
	res := k.haltRecording(at)
	row := storage.Consent{
		CallID: k.row.ID, Patient: k.row.VerifiedPatient, Party: k.call.ID(), PartyKind: string(policy.PartyPatient),
		Purpose: string(purpose), Answer: storage.AnswerWithdrawn, By: string(by), Language: k.row.Language, At: at,
	}
	_ = k.must(ctx, "consent.withdrawn", map[string]string{"by": string(by)}, func(tx storage.Tx, _ int64) error {
		_, err := tx.AddConsent(row)
		return err
	})
	if res == nil {
		return
	}
	k.settleRecording(ctx, res, policy.EventWithdrawn, "consent_withdrawn")
}
