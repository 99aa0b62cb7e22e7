package e2e

import (
	"context"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callward/callward/internal/lab/scene"
	"github.com/callward/callward/internal/lab/softphone"
)

// reaches plays the rest of a call until the caller is with an agent, and says
// what the agent was told.
func reaches(ctx context.Context, t *testing.T, s *scene.Scene, p *softphone.Phone) (agent *scene.Actor, told []string) {
	t.Helper()
	b := answer(ctx, t, s, p)
	for range 2 {
		m, err := b.HearOut(ctx, "en/agent_whisper_verified", "en/agent_whisper_unverified",
			"en/agent_whisper_recorded", "en/agent_whisper_not_recorded")
		require.NoError(t, err)
		told = append(told, scene.Short(m.ID))
	}
	step(ctx, t, s, "call.connected")
	return b, told
}

func ends(ctx context.Context, t *testing.T, s *scene.Scene, a *scene.Actor, disposition string) {
	t.Helper()
	require.NoError(t, a.Hangup(ctx))
	require.Equal(t, disposition, step(ctx, t, s, "call.ended").Detail["disposition"])
	quiet(t, s)
	_, err := s.Command(ctx, "audit", "verify")
	require.NoError(t, err)
}

// decision waits for the first decision on an action.
func decision(ctx context.Context, t *testing.T, s *scene.Scene, action string) scene.Event {
	t.Helper()
	ev, err := s.Events.Wait(ctx, 0, func(e scene.Event) bool { return e.Action == action })
	require.NoError(t, err)
	return ev
}

// TestNoRecordingWithoutYes: a refusal, silence and a wrong key are all no, are
// kept as what they were, and change nothing else about the call.
func TestNoRecordingWithoutYes(t *testing.T) {
	for name, c := range map[string]struct {
		press  func(context.Context, *testing.T, *scene.Actor)
		answer string
	}{
		"refused": {func(ctx context.Context, t *testing.T, a *scene.Actor) { keys(ctx, t, a, "ask_consent", "2") }, "consent.no"},
		"silent": {func(ctx context.Context, t *testing.T, a *scene.Actor) {
			hears(ctx, t, a, "ask_consent")
			hears(ctx, t, a, "consent_reask")
		}, "consent.silence"},
		"wrong key": {func(ctx context.Context, t *testing.T, a *scene.Actor) { keys(ctx, t, a, "ask_consent", "7") }, "consent.no"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, s := set(t)
			p := agent(ctx, t, s, "maria")
			a := dial(ctx, t, s)
			toMenu(ctx, t, a, "2")
			identified(ctx, t, a)
			c.press(ctx, t, a)
			hears(ctx, t, a, "consent_no")
			_, told := reaches(ctx, t, s, p)
			require.Equal(t, []string{"agent_whisper_verified", "agent_whisper_not_recorded"}, told)
			step(ctx, t, s, c.answer)
			d := decision(ctx, t, s, "StartRecording")
			require.Equal(t, "deny", d.Decision)
			require.Contains(t, d.Rules, "recording.consent.required")
			require.Equal(t, "allow", decision(ctx, t, s, "RouteCall").Decision, "a refusal changes nothing about the service")
			ends(ctx, t, s, a, "completed")
			require.Empty(t, recordings(t, s))
			noLeak(t, s)
		})
	}
}

// TestHangUpAtEachPrompt hangs up as soon as a prompt is known: one disposition
// each time, no file, no agent kept.
func TestHangUpAtEachPrompt(t *testing.T) {
	t.Parallel()
	ctx, s := set(t)
	script := []struct{ prompt, keys string }{
		{"greeting", ""}, {"language_choice", "1"}, {"menu", "1"}, {"ask_birth_date", birth}, {"ask_phone", phone},
		{"identify_done", ""}, {"ask_consent", "1"}, {"consent_yes", ""}, {"queue_wait", ""},
	}
	for last := range script {
		mark := s.Events.Mark()
		a := dial(ctx, t, s)
		for i, line := range script[:last+1] {
			hears(ctx, t, a, line.prompt)
			if i < last && line.keys != "" {
				require.NoError(t, a.Press(ctx, line.keys))
			}
		}
		require.NoError(t, a.Hangup(ctx))
		ev, err := s.Events.Step(ctx, mark, "call.ended")
		require.NoError(t, err)
		require.Equal(t, "abandoned", ev.Detail["disposition"], script[last].prompt)
	}
	endings := 0
	for _, ev := range s.Events.Since(0) {
		if ev.Step == "call.ended" {
			endings++
		}
	}
	require.Equal(t, len(script), endings, "each call ends once")
	require.Empty(t, recordings(t, s))
	out, err := s.Asterisk.CLI(ctx, "core show channels count")
	require.NoError(t, err)
	require.Contains(t, out, "0 active channels")
	quiet(t, s)
}

// TestThreeFailedIdentifications: the same neutral words each time, then a
// human, who is told; nothing of the patient is disclosed.
func TestThreeFailedIdentifications(t *testing.T) {
	t.Parallel()
	ctx, s := set(t)
	p := agent(ctx, t, s, "maria")
	a := dial(ctx, t, s)
	toMenu(ctx, t, a, "1")
	for i, pair := range [][2]string{{"01011970", "2065550100"}, {birth, "2065550199"}, {"01011970", phone}} {
		if i > 0 {
			hears(ctx, t, a, "identify_retry")
		}
		keys(ctx, t, a, "ask_birth_date", pair[0])
		keys(ctx, t, a, "ask_phone", pair[1])
	}
	hears(ctx, t, a, "identify_failed")
	keys(ctx, t, a, "ask_consent", "2")
	_, told := reaches(ctx, t, s, p)
	require.Equal(t, []string{"agent_whisper_unverified", "agent_whisper_not_recorded"}, told)
	var verify []scene.Event
	for _, ev := range s.Events.Since(0) {
		switch ev.Action {
		case "Verify":
			verify = append(verify, ev)
		case "Disclose":
			require.Equal(t, "deny", ev.Decision)
			require.Contains(t, ev.Rules, "identity.verify.before_phi")
		case "Reply":
			require.Equal(t, "allow", ev.Decision)
		}
	}
	require.Len(t, verify, 3)
	for _, ev := range verify {
		require.Equal(t, "deny", ev.Decision)
	}
	require.Contains(t, verify[2].Rules, "identity.attempts.limit")
	ends(ctx, t, s, a, "completed")
	noLeak(t, s)
}

// TestLockedRecord: five failures against one record within a day lock it, on
// later calls too, and the right answers no longer help.
func TestLockedRecord(t *testing.T) {
	t.Parallel()
	ctx, s := set(t)
	for call := range 2 {
		a := dial(ctx, t, s)
		toMenu(ctx, t, a, "1")
		for i := range 3 {
			if i > 0 {
				hears(ctx, t, a, "identify_retry")
			}
			keys(ctx, t, a, "ask_birth_date", birth)
			keys(ctx, t, a, "ask_phone", "2065550199")
			if call == 1 && i == 1 {
				break // the fifth failure
			}
		}
		hears(ctx, t, a, "identify_failed")
		mark := s.Events.Mark()
		require.NoError(t, a.Hangup(ctx))
		_, err := s.Events.Step(ctx, max(0, mark-1), "call.ended")
		require.NoError(t, err)
	}
	mark := s.Events.Mark()
	a := dial(ctx, t, s)
	toMenu(ctx, t, a, "1")
	keys(ctx, t, a, "ask_birth_date", birth)
	keys(ctx, t, a, "ask_phone", phone)
	hears(ctx, t, a, "identify_failed")
	ev, err := s.Events.Wait(ctx, mark, func(e scene.Event) bool { return e.Action == "Verify" })
	require.NoError(t, err)
	require.Equal(t, "deny", ev.Decision)
	require.Contains(t, ev.Rules, "identity.attempts.limit")
	hears(ctx, t, a, "ask_consent") // and still goes on to a human
	require.NoError(t, a.Hangup(ctx))
}

// TestCallerIDIsOnlyAHint: a number on file verifies nobody, an unknown or a
// blocked one refuses nobody.
func TestCallerIDIsOnlyAHint(t *testing.T) {
	for name, change := range map[string]func(*softphone.Config){
		"unknown number": func(c *softphone.Config) { c.CallerID = "9075550123" },
		"blocked number": func(c *softphone.Config) { c.Anonymous = true },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, s := set(t)
			p := agent(ctx, t, s, "maria")
			a := dial(ctx, t, s, change)
			toMenu(ctx, t, a, "1")
			identified(ctx, t, a)
			keys(ctx, t, a, "ask_consent", "2")
			_, told := reaches(ctx, t, s, p)
			require.Equal(t, "agent_whisper_verified", told[0])
			ends(ctx, t, s, a, "completed")
		})
	}
	t.Run("number on file", func(t *testing.T) {
		t.Parallel()
		ctx, s := set(t)
		p := agent(ctx, t, s, "maria")
		a := dial(ctx, t, s) // rings from the number on file, and says nothing
		toMenu(ctx, t, a, "1")
		keys(ctx, t, a, "ask_birth_date", birth)
		keys(ctx, t, a, "ask_phone", "#") // passed over
		keys(ctx, t, a, "ask_mrn", "#")
		keys(ctx, t, a, "ask_house", "#")
		hears(ctx, t, a, "identify_failed")
		keys(ctx, t, a, "ask_consent", "2")
		_, told := reaches(ctx, t, s, p)
		require.Equal(t, "agent_whisper_unverified", told[0])
		ends(ctx, t, s, a, "completed")
	})
}

// TestOtherIdentifiers: record number, and house number with ZIP.
func TestOtherIdentifiers(t *testing.T) {
	t.Parallel()
	ctx, s := set(t)
	a := dial(ctx, t, s)
	toMenu(ctx, t, a, "1")
	keys(ctx, t, a, "ask_birth_date", "#")
	keys(ctx, t, a, "ask_phone", "#")
	keys(ctx, t, a, "ask_mrn", record)
	keys(ctx, t, a, "ask_house", "812#")
	keys(ctx, t, a, "ask_zip", "98101")
	hears(ctx, t, a, "identify_done")
	ev := step(ctx, t, s, "call.identified")
	require.Equal(t, "yes", ev.Detail["verified"])
	ends(ctx, t, s, a, "abandoned")
	noLeak(t, s)
}

// TestTwins share birth date and telephone: only a third identifier tells them
// apart.
func TestTwins(t *testing.T) {
	t.Parallel()
	ctx, s := set(t)
	a := dial(ctx, t, s)
	toMenu(ctx, t, a, "1")
	keys(ctx, t, a, "ask_birth_date", "02291984")
	keys(ctx, t, a, "ask_phone", "2065550188")
	hears(ctx, t, a, "ask_discriminator")
	keys(ctx, t, a, "ask_mrn", "4471906#")
	hears(ctx, t, a, "identify_done")
	first := decision(ctx, t, s, "Verify")
	require.Equal(t, "deny", first.Decision)
	require.Contains(t, first.Rules, "identity.match.unique")
	ends(ctx, t, s, a, "abandoned")
}

// TestUnreadable: two unreadable answers cost nothing; silence leads to a human.
func TestUnreadable(t *testing.T) {
	t.Parallel()
	ctx, s := set(t)
	a := dial(ctx, t, s)
	toMenu(ctx, t, a, "1")
	keys(ctx, t, a, "ask_birth_date", "02291999") // no such day
	hears(ctx, t, a, "identify_unreadable")
	keys(ctx, t, a, "ask_birth_date", "13011990")
	hears(ctx, t, a, "identify_unreadable")
	keys(ctx, t, a, "ask_birth_date", birth)
	hears(ctx, t, a, "ask_phone")
	hears(ctx, t, a, "no_input") // said nothing
	hears(ctx, t, a, "ask_phone")
	hears(ctx, t, a, "identify_failed")
	ends(ctx, t, s, a, "abandoned")
}

// TestBilling additionally needs the last date of service or an invoice.
func TestBilling(t *testing.T) {
	visits := `record_number,date,status
4471902,2026-03-09,finished
4471902,2025-12-01,finished
4471902,2031-01-05,planned
`
	invoices := `record_number,invoice,date,status
4471902,INV-70031,2026-03-12,issued
4471903,INV-70032,2026-03-12,issued
`
	with := func(o *scene.Options) { o.Visits, o.Invoices = visits, invoices }
	t.Run("date after an older one", func(t *testing.T) {
		t.Parallel()
		ctx, s := set(t, with)
		p := agent(ctx, t, s, "maria")
		a := dial(ctx, t, s)
		toMenu(ctx, t, a, "3")
		identified(ctx, t, a)
		keys(ctx, t, a, "billing_ask_date", "12012025")
		hears(ctx, t, a, "identify_retry")
		keys(ctx, t, a, "billing_ask_date", "03092026")
		keys(ctx, t, a, "ask_consent", "2")
		reaches(ctx, t, s, p)
		d := decision(ctx, t, s, "Disclose")
		require.Equal(t, "allow", d.Decision)
		require.Contains(t, d.Rules, "identity.billing.extra")
		ends(ctx, t, s, a, "completed")
	})
	t.Run("neither", func(t *testing.T) {
		t.Parallel()
		ctx, s := set(t, with)
		p := agent(ctx, t, s, "maria")
		a := dial(ctx, t, s)
		toMenu(ctx, t, a, "3")
		identified(ctx, t, a)
		keys(ctx, t, a, "billing_ask_date", "#")
		keys(ctx, t, a, "billing_ask_invoice", "#")
		hears(ctx, t, a, "billing_failed")
		keys(ctx, t, a, "ask_consent", "2")
		reaches(ctx, t, s, p)
		d := decision(ctx, t, s, "Disclose")
		require.Equal(t, "deny", d.Decision)
		require.Contains(t, d.Rules, "identity.billing.extra")
		ends(ctx, t, s, a, "completed")
	})
}

// TestTypeAhead: a caller who knows the way keys ahead of the prompts. What is
// keyed ahead never answers the consent question.
func TestTypeAhead(t *testing.T) {
	t.Parallel()
	ctx, s := set(t)
	a := dial(ctx, t, s)
	hears(ctx, t, a, "greeting")
	require.NoError(t, a.Press(ctx, "11"+birth+phone+"1"))
	hears(ctx, t, a, "ask_consent")
	ev := step(ctx, t, s, "call.identified")
	require.Equal(t, "yes", ev.Detail["verified"])
	hears(ctx, t, a, "consent_reask")
	ends(ctx, t, s, a, "abandoned")
	for _, ev := range s.Events.Since(0) {
		require.NotEqual(t, "consent.yes", ev.Step)
	}
}

// TestSpanish goes through the whole menu in Spanish.
func TestSpanish(t *testing.T) {
	t.Parallel()
	ctx, s := set(t)
	a := dial(ctx, t, s)
	keys(ctx, t, a, "language_choice", "2")
	for _, line := range [][2]string{{"menu", "1"}, {"ask_birth_date", birth}, {"ask_phone", phone}, {"ask_consent", "1"}, {"consent_yes", ""}} {
		_, err := a.Hear(ctx, "es/"+line[0])
		require.NoError(t, err)
		require.NoError(t, a.Press(ctx, line[1]))
	}
	require.Equal(t, "es", step(ctx, t, s, "consent.yes").Detail["language"])
	ends(ctx, t, s, a, "abandoned")
}

// TestOptOut: nobody has to identify themselves to be left alone.
func TestOptOut(t *testing.T) {
	t.Parallel()
	ctx, s := set(t)
	a := dial(ctx, t, s)
	toMenu(ctx, t, a, "9")
	hears(ctx, t, a, "opt_out_done")
	ends(ctx, t, s, a, "opted_out")
	step(ctx, t, s, "optout.requested")
	noLeak(t, s)
}

// TestWrongKeyAndSilenceInMenu: said what was wrong, asked again, then a human.
func TestWrongKeyAndSilenceInMenu(t *testing.T) {
	t.Parallel()
	ctx, s := set(t)
	a := dial(ctx, t, s)
	toMenu(ctx, t, a, "5")
	hears(ctx, t, a, "wrong_key")
	hears(ctx, t, a, "menu")
	hears(ctx, t, a, "no_input")
	keys(ctx, t, a, "menu", "6")
	hears(ctx, t, a, "wrong_key")
	hears(ctx, t, a, "ask_birth_date")
	require.Equal(t, "agent", step(ctx, t, s, "call.routed").Detail["intent"])
	ends(ctx, t, s, a, "abandoned")
}

// entry is a line of "audit list --json".
type entry struct {
	Number  int64    `json:"number"`
	Action  string   `json:"action"`
	Outcome string   `json:"outcome"`
	Rules   []string `json:"rules"`
}

func entries(t *testing.T, s *scene.Scene, call string) []entry {
	t.Helper()
	out, err := s.Command(t.Context(), "audit", "list", "--json", "--call", call)
	require.NoError(t, err)
	var list []entry
	require.NoError(t, json.Unmarshal(out, &list))
	return list
}

// TestEveryDecisionIsOnTheLog compares what happened with what was written.
func TestEveryDecisionIsOnTheLog(t *testing.T) {
	t.Parallel()
	ctx, s := set(t)
	a, _ := talk(ctx, t, s, "1")
	require.NoError(t, a.Press(ctx, "*"))
	hears(ctx, t, a, "recording_off")
	ends(ctx, t, s, a, "completed")
	ev := step(ctx, t, s, "call.ended")
	list := entries(t, s, ev.Call)
	for _, e := range s.Events.Since(0) {
		if e.Msg != "call" || e.Entry == 0 {
			continue
		}
		i := slices.IndexFunc(list, func(l entry) bool { return l.Number == e.Entry })
		require.GreaterOrEqual(t, i, 0, "%s has entry %d", e.Step, e.Entry)
		if e.Action != "" {
			require.Equal(t, e.Decision, list[i].Outcome)
			require.Equal(t, e.Rules, list[i].Rules)
		}
	}
	rows := recordings(t, s)
	require.Len(t, rows, 1)
	stopped := step(ctx, t, s, "recording.stopped")
	if rows[0].Status == "discarded" {
		require.Empty(t, rows[0].Path, "a withdrawn segment under ten seconds is not kept")
		require.Less(t, time.Duration(rows[0].DurationNS), 10*time.Second)
	} else {
		require.Equal(t, "withdrawn", rows[0].Status)
	}
	require.NotEmpty(t, stopped.Detail["after_key_ms"])
}
