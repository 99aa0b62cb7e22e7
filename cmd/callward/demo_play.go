package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/callward/callward/internal/g711"
	"github.com/callward/callward/internal/lab/recognise"
	"github.com/callward/callward/internal/lab/scene"
	"github.com/callward/callward/internal/lab/softphone"
	"github.com/callward/callward/internal/recording"
)

// playLimit bounds the whole call.
const playLimit = 3 * time.Minute

// demoStep is one line of the timeline.
type demoStep struct {
	At       time.Time         `json:"at"`
	OffsetMS int64             `json:"offset_ms"` // from the first INVITE
	Who      string            `json:"who"`       // patient, agent, callward
	What     string            `json:"what"`
	Heard    *demoHeard        `json:"heard,omitempty"`
	Decision *demoDecision     `json:"decision,omitempty"`
	Entry    int64             `json:"audit_entry,omitempty"`
	Detail   map[string]string `json:"detail,omitempty"`
}

type demoHeard struct {
	Prompt   string  `json:"prompt"`
	Text     string  `json:"text"`
	Score    float64 `json:"score"`    // normalised correlation with the prompt's audio
	Fraction float64 `json:"fraction"` // of the prompt
}

type demoDecision struct {
	Action  string   `json:"action"`
	Outcome string   `json:"outcome"`
	Rules   []string `json:"rules"`
	Reason  string   `json:"reason"`
}

type demoCheck struct {
	Name string `json:"name"`
	OK   bool   `json:"ok"`
	Saw  string `json:"saw"`
}

type demoRecording struct {
	ID       string  `json:"id"`
	Path     string  `json:"path"`
	Status   string  `json:"status"`
	Seconds  float64 `json:"seconds"`
	Identity string  `json:"identity"`
	Open     string  `json:"open"`
}

// demoReport is what --json prints.
type demoReport struct {
	OK        bool           `json:"ok"`
	Asterisk  string         `json:"asterisk"`
	Call      string         `json:"call"`
	Steps     []demoStep     `json:"steps"`
	Recording *demoRecording `json:"recording"`
	Audit     struct {
		Entries  int64 `json:"entries"`
		Verified bool  `json:"verified"`
	} `json:"audit"`
	Checks []demoCheck `json:"checks"`
	Error  string      `json:"error,omitempty"`
}

// play is the call being played.
type play struct {
	s   *scene.Scene
	now func() time.Time
	out io.Writer // nil: quiet

	mu    sync.Mutex
	start time.Time
	steps []demoStep

	patientSaid, agentSaid []int16
	starDown               time.Time
	call                   string
}

func newPlay(s *scene.Scene, now func() time.Time) *play { return &play{s: s, now: now} }

func (p *play) note(st demoStep) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if st.At.IsZero() {
		st.At = p.now()
	}
	if p.start.IsZero() {
		p.start = st.At
	}
	st.OffsetMS = st.At.Sub(p.start).Milliseconds()
	p.steps = append(p.steps, st)
	if p.out != nil {
		fmt.Fprintln(p.out, st.line())
	}
}

func (st demoStep) line() string {
	head := fmt.Sprintf("%6.1f s  %-8s  ", float64(st.OffsetMS)/1000, st.Who)
	switch {
	case st.Heard != nil:
		return head + fmt.Sprintf("hears %q (%s, match %.2f)", short(st.Heard.Text), scene.Short(st.Heard.Prompt), st.Heard.Score)
	case st.Decision != nil:
		return head + fmt.Sprintf("%-5s %s by %s  #%d", strings.ToUpper(st.Decision.Outcome), st.Decision.Action, shortRules(st.Decision.Rules), st.Entry)
	case st.Entry != 0:
		return head + st.What + fmt.Sprintf("  #%d", st.Entry)
	}
	return head + st.What
}

// shortRules names the rules that are this action's own; the two that look at
// everything stand in the JSON.
func shortRules(rules []string) string {
	var own []string
	for _, r := range rules {
		if r != "engine.fail_closed" && r != "audit.every_decision" && r != "emergency.call.never_blocked" {
			own = append(own, r)
		}
	}
	if len(own) == 0 {
		own = rules
	}
	const most = 2
	if len(own) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(own[:most], ", "), len(own)-most)
	}
	return strings.Join(own, ", ")
}

func (p *play) patient(what string) { p.note(demoStep{Who: "patient", What: what}) }
func (p *play) agent(what string)   { p.note(demoStep{Who: "agent", What: what}) }

// hears waits for a prompt's end and puts it on the timeline.
func (p *play) hears(ctx context.Context, who string, a *scene.Actor, ids ...string) error {
	m, err := a.HearOut(ctx, ids...)
	if err != nil {
		return fmt.Errorf("%s: %w", who, err)
	}
	p.heard(who, m)
	return nil
}

// begins waits until a prompt can be known.
func (p *play) begins(ctx context.Context, who string, a *scene.Actor, ids ...string) error {
	m, err := a.Hear(ctx, ids...)
	if err != nil {
		return fmt.Errorf("%s: %w", who, err)
	}
	p.heard(who, m)
	return nil
}

func (p *play) heard(who string, m recognise.Match) {
	p.note(demoStep{Who: who, What: "hears " + m.ID, Heard: &demoHeard{
		Prompt: m.ID, Text: p.s.Text(m.ID), Score: round2(m.Score), Fraction: round2(m.Fraction),
	}})
}

// short is the beginning of a text, cut between words.
func short(text string) string {
	const most = 48
	if len(text) <= most {
		return text
	}
	cut := strings.LastIndexByte(text[:most], ' ')
	return text[:max(cut, 1)] + " ..."
}

func round2(f float64) float64 { return float64(int(f*100+0.5)) / 100 }

// follow puts callward's own events on the timeline as they come.
func (p *play) follow(ctx context.Context, mark int) {
	for {
		ev, err := p.s.Events.Wait(ctx, mark, func(ev scene.Event) bool { return ev.Msg == "call" })
		if err != nil {
			return
		}
		for i, e := range p.s.Events.Since(mark) {
			if e.Raw == ev.Raw {
				mark += i + 1
				break
			}
		}
		st := demoStep{At: ev.At, Who: "callward", What: describe(ev), Entry: ev.Entry, Detail: ev.Detail}
		if ev.Action != "" {
			st.Decision = &demoDecision{Action: ev.Action, Outcome: ev.Decision, Rules: ev.Rules, Reason: ev.Reason}
		}
		p.mu.Lock()
		p.call = ev.Call
		p.mu.Unlock()
		p.note(st)
	}
}

// describe puts an event into words.
func describe(ev scene.Event) string {
	var rest []string
	for _, key := range []string{"language", "intent", "verified", "answer", "agent", "recording", "status", "reason", "disposition", "caller_id"} {
		if v := ev.Detail[key]; v != "" {
			rest = append(rest, key+" "+v)
		}
	}
	what := strings.NewReplacer("_", " ", ".", ": ").Replace(ev.Step)
	if len(rest) == 0 {
		return what
	}
	return what + " (" + strings.Join(rest, ", ") + ")"
}

// run is the script.
func (p *play) run(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, playLimit, errors.New("the call took too long"))
	defer cancel()
	mark := p.s.Events.Mark()
	followed := make(chan struct{})
	followCtx, stopFollow := context.WithCancel(ctx)
	defer func() { stopFollow(); <-followed }()

	agentPhone, err := p.s.AgentPhone(ctx, "maria")
	if err != nil {
		return fmt.Errorf("agent's phone: %w", err)
	}
	defer agentPhone.Close()
	patientPhone, err := p.s.PatientPhone(ctx, demoCallerID)
	if err != nil {
		return fmt.Errorf("patient's phone: %w", err)
	}
	defer patientPhone.Close()

	agentDone := make(chan error, 1)
	talked := make(chan struct{})
	go func() { agentDone <- p.agentScript(ctx, agentPhone, talked) }()

	p.patient("dials the clinic over SIP/TLS, SRTP mandatory")
	go func() { defer close(followed); p.follow(followCtx, mark) }()
	call, err := patientPhone.Dial(ctx, "clinic")
	if err != nil {
		return fmt.Errorf("patient's call: %w", err)
	}
	defer call.Hangup(context.WithoutCancel(ctx))
	patient, err := p.s.Listen(ctx, call)
	if err != nil {
		return err
	}
	if err := p.patientScript(ctx, patient, talked); err != nil {
		return err
	}
	if err := <-agentDone; err != nil {
		return fmt.Errorf("agent: %w", err)
	}
	_, err = p.s.Events.Step(ctx, mark, "call.ended")
	return err
}

func (p *play) patientScript(ctx context.Context, a *scene.Actor, talked chan struct{}) error {
	press := func(keys, meaning string) error {
		p.patient("presses " + meaning)
		return a.Press(ctx, keys)
	}
	for _, step := range []struct {
		prompt, keys, meaning string
	}{
		{"en/greeting", "", ""},
		{"en/language_choice", "1", "1, English"},
		{"en/menu", "1", "1, appointments"},
		{"en/identify_intro", "", ""},
		{"en/ask_birth_date", demoBirthKeys, "eight digits, the birth date"},
		{"en/ask_phone", demoPhoneKeys, "ten digits, the phone number on file"},
		{"en/identify_done", "", ""},
		{"en/ask_consent", "1", "1, yes to recording"},
		{"en/consent_yes", "", ""},
		{"en/queue_wait", "", ""},
		{"en/consent_evidence", "", ""},
		{"en/agent_announce/maria", "", ""},
	} {
		wait := p.hears
		if step.keys != "" {
			wait = p.begins // a key stops the prompt: nobody has to wait for its end
		}
		if err := wait(ctx, "patient", a, step.prompt); err != nil {
			return err
		}
		if step.keys != "" {
			if err := press(step.keys, step.meaning); err != nil {
				return err
			}
		}
	}
	if _, err := p.s.Events.Step(ctx, 0, "call.connected"); err != nil {
		return err
	}
	p.patientSaid = softphone.Speech(1, 4*time.Second)
	p.patient("speaks to the agent")
	if err := a.Speak(ctx, p.patientSaid); err != nil {
		return err
	}
	select {
	case <-talked:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	p.starDown = p.now()
	if err := press("*", "star: no more recording"); err != nil {
		return err
	}
	if err := p.hears(ctx, "patient", a, "en/recording_off"); err != nil {
		return err
	}
	p.patient("hangs up")
	return a.Hangup(ctx)
}

func (p *play) agentScript(ctx context.Context, phone *softphone.Phone, talked chan struct{}) error {
	call, err := phone.Accept(ctx)
	if err != nil {
		return err
	}
	p.agent("answers")
	a, err := p.s.Listen(ctx, call)
	if err != nil {
		return err
	}
	for _, prompt := range []string{"en/agent_whisper_verified", "en/agent_whisper_recorded"} {
		if err := p.hears(ctx, "agent", a, prompt); err != nil {
			return err
		}
	}
	if _, err := p.s.Events.Step(ctx, 0, "call.connected"); err != nil {
		return err
	}
	// The agent answers after the patient has spoken.
	if err := a.Wait(ctx, a.Samples()+g711.Rate*9/2); err != nil {
		return err
	}
	p.agentSaid = softphone.Speech(2, 4*time.Second)
	p.agent("speaks to the patient")
	if err := a.Speak(ctx, p.agentSaid); err != nil {
		return err
	}
	close(talked)
	select {
	case <-call.Done():
		p.agent("is hung up on, and wraps up")
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// finish looks at what is left: the sealed file and the audit log.
func (p *play) finish(ctx context.Context, playErr error) demoReport {
	r := demoReport{Asterisk: p.s.Install.Version, Call: p.call, Steps: p.steps}
	if playErr != nil {
		r.Error = playErr.Error()
	}
	check := func(name string, ok bool, saw string, args ...any) {
		r.Checks = append(r.Checks, demoCheck{name, ok, fmt.Sprintf(saw, args...)})
	}
	find := func(match func(demoStep) bool) (demoStep, bool) {
		if i := slices.IndexFunc(r.Steps, match); i >= 0 {
			return r.Steps[i], true
		}
		return demoStep{}, false
	}
	heard := func(id string) func(demoStep) bool {
		return func(s demoStep) bool { return s.Heard != nil && s.Heard.Prompt == id }
	}
	decided := func(action string) func(demoStep) bool {
		return func(s demoStep) bool { return s.Decision != nil && s.Decision.Action == action }
	}
	event := func(what string) func(demoStep) bool {
		return func(s demoStep) bool { return s.Decision == nil && strings.HasPrefix(s.What, what) }
	}

	st, ok := find(heard("en/greeting"))
	check("greeting heard", ok && st.Heard.Score > 0.8, "match %.2f", score(st))
	st, ok = find(decided("Verify"))
	check("identity allowed by identity.identifiers.two", ok && allowedBy(st, "identity.identifiers.two"), "%s", outcome(st))
	st, ok = find(decided("StartRecording"))
	check("consent allowed", ok && allowedBy(st, "recording.consent.required"), "%s", outcome(st))
	announced, ok1 := find(event("agent: announced"))
	joined, ok2 := find(event("call: connected"))
	check("agent announced before the bridge", ok1 && ok2 && !announced.At.After(joined.At), "announced at %.1f s, bridged at %.1f s",
		seconds(announced), seconds(joined))
	yes, ok1 := find(event("consent: yes"))
	started, ok2 := find(event("recording: started"))
	check("recording started after the yes", ok1 && ok2 && started.At.After(yes.At), "yes at %.1f s, recording at %.1f s", seconds(yes), seconds(started))
	p.checkRecording(ctx, &r, check)
	p.checkAudit(ctx, &r, check)
	r.OK = playErr == nil
	for _, c := range r.Checks {
		r.OK = r.OK && c.OK
	}
	return r
}

func (p *play) checkRecording(ctx context.Context, r *demoReport, check func(string, bool, string, ...any)) {
	var rows []struct {
		ID          string    `json:"id"`
		CallID      string    `json:"call"`
		Path        string    `json:"path"`
		Status      string    `json:"status"`
		LastFrameAt time.Time `json:"last_frame_at"`
		Duration    int64     `json:"duration_ns"`
	}
	out, err := p.s.Command(ctx, "recording", "list", "--json")
	if err == nil {
		err = json.Unmarshal(out, &rows)
	}
	if err != nil || len(rows) != 1 {
		check("recording stopped within 200 ms of the withdrawal key", false, "%d recordings: %v", len(rows), err)
		check("recording verified", false, "there is none")
		return
	}
	row := rows[0]
	path := row.Path
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(p.s.Config), "recordings", path)
	}
	r.Recording = &demoRecording{ID: row.ID, Path: path, Status: row.Status, Seconds: time.Duration(row.Duration).Seconds(),
		Identity: p.s.Identity, Open: ageCommand(p.s.Identity, path)}
	after := row.LastFrameAt.Sub(p.starDown)
	check("recording stopped within 200 ms of the withdrawal key", row.Status == "withdrawn" && after <= 200*time.Millisecond,
		"%s", lastFrame(after))
	_, err = p.s.Command(ctx, "recording", "verify", row.ID, "--identity", p.s.Identity)
	check("recording verified", err == nil, "%s", said(err, "every chunk authenticates"))
	err = p.tracks(path)
	check("each party on a track of its own", err == nil, "%s", said(err, "patient on track 1, agent on track 2"))
}

// tracks opens the recording and looks for both voices.
func (p *play) tracks(path string) error {
	ids, err := recording.ReadIdentities(p.s.Identity)
	if err != nil {
		return err
	}
	var wav bytes.Buffer
	if _, err := recording.Open(path, ids, &wav); err != nil {
		return err
	}
	tracks := scene.Tracks(wav.Bytes())
	for i, voice := range [][]int16{p.patientSaid, p.agentSaid} {
		if share := recognise.Share(tracks[i], voice); share < 0.5 {
			return fmt.Errorf("of the voice of party %d only %.0f %% is on track %d", i+1, 100*share, i+1)
		}
		if share := recognise.Share(tracks[1-i], voice); share > 0.1 {
			return fmt.Errorf("%.0f %% of the voice of party %d is on track %d, where it must not be", 100*share, i+1, 2-i)
		}
	}
	return nil
}

func (p *play) checkAudit(ctx context.Context, r *demoReport, check func(string, bool, string, ...any)) {
	out, err := p.s.Command(ctx, "audit", "verify", "--json")
	var report struct {
		Entries int64 `json:"entries"`
		OK      bool  `json:"ok"`
	}
	if err == nil {
		err = json.Unmarshal(out, &report)
	}
	r.Audit.Entries, r.Audit.Verified = report.Entries, err == nil && report.OK
	check("audit verified", r.Audit.Verified, "%s", said(err, fmt.Sprintf("%d entries, none changed, removed or reordered", report.Entries)))
}

func lastFrame(after time.Duration) string {
	if after < 0 {
		return "no frame was taken after the key went down"
	}
	return fmt.Sprintf("last frame %d ms after the key went down", after.Milliseconds())
}

func said(err error, otherwise string) string {
	if err != nil {
		return err.Error()
	}
	return otherwise
}

func score(s demoStep) float64 {
	if s.Heard == nil {
		return 0
	}
	return s.Heard.Score
}

func outcome(s demoStep) string {
	if s.Decision == nil {
		return "not decided"
	}
	return s.Decision.Outcome + ": " + s.Decision.Reason
}

func allowedBy(s demoStep, rule string) bool {
	return s.Decision.Outcome == "allow" && slices.Contains(s.Decision.Rules, rule)
}

func seconds(s demoStep) float64 { return float64(s.OffsetMS) / 1000 }

func (r demoReport) print(w io.Writer) {
	fmt.Fprintln(w)
	for _, c := range r.Checks {
		word := "ok  "
		if !c.OK {
			word = "FAIL"
		}
		fmt.Fprintf(w, "%s  %s: %s\n", word, c.Name, c.Saw)
	}
	if r.Error != "" {
		fmt.Fprintln(w, "FAIL  the call:", r.Error)
	}
	if r.Recording != nil && r.Recording.Path != "" {
		fmt.Fprintf(w, "\nThe sealed recording (%.1f s, %s): %s\n", r.Recording.Seconds, r.Recording.Status, relative(r.Recording.Path))
		fmt.Fprintf(w, "Open it with the officer's identity and the stock age program (1.3 or newer):\n  %s\n", r.Recording.Open)
	}
	fmt.Fprintf(w, "The audit log has %d entries; \"callward audit list --call %s\" shows this call's.\n", r.Audit.Entries, r.Call)
}
