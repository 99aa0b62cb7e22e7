package callflow

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"filippo.io/age"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/callward/callward/ari"
	"github.com/callward/callward/ari/aritest"
	"github.com/callward/callward/internal/queue"
	"github.com/callward/callward/internal/recording"
	"github.com/callward/callward/policy"
	"github.com/callward/callward/storage"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	patientLeg = "c1"
	nina       = storage.PatientID("p-nina")
	maria      = storage.AgentID("maria")
	omar       = storage.AgentID("omar")
	desk       = "PJSIP/interpreter"
)

// sealing is the key pair of all tests: making one takes a moment.
var sealing = sync.OnceValue(func() *age.X25519Identity {
	id, err := age.GenerateX25519Identity()
	if err != nil {
		panic(err)
	}
	return id
})

// scene is one scripted Asterisk, one caller, the agents, and a real queue,
// policy and recorder around the call script. It runs in a bubble.
type scene struct {
	*aritest.Asterisk
	t     *testing.T
	store *memStore
	queue *queue.Queue
	flow  *Flow
	dir   string // of recordings

	ctl    *ari.Controller
	ctx    context.Context
	cancel context.CancelFunc
	served chan error

	mu        sync.Mutex
	events    []Event
	keys      map[string][]string // prompt id: what the caller keys, play by play
	spoken    map[string]int
	onSay     func(leg, id string)
	onRequest func(n int, op string)
	requests  int
	phones    map[string]func() aritest.Outcome // endpoint
	rang      []string
	plain     map[string]bool // role of legs without SRTP
	broken    map[string]bool // prompts that cannot be made
	noKey     bool
}

// whole is what a caller keys who is verified and may be recorded.
func whole() map[string][]string {
	return map[string][]string{
		"language_choice": {"1"}, "menu": {"1"}, "ask_birth_date": {"03141971"}, "ask_phone": {"2065550142"}, "ask_consent": {"1"},
	}
}

// play runs script in a bubble with everything standing.
func play(t *testing.T, prepare func(*scene), script func(*scene)) {
	t.Helper()
	key := sealing() // outside: it is shared by all bubbles
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := &scene{Asterisk: aritest.New(), t: t, store: newMemStore(), dir: dir, keys: whole(), spoken: map[string]int{},
			phones: map[string]func() aritest.Outcome{}, plain: map[string]bool{}, broken: map[string]bool{}}
		defer s.Close()
		log := slog.New(slog.DiscardHandler)
		if os.Getenv("CALLFLOW_LOG") != "" {
			log = slog.New(slog.NewTextHandler(os.Stderr, nil))
		}
		recorder, err := recording.New(recording.Options{Dir: dir, MinFree: 1, Logger: log, Keys: func() ([]age.Recipient, error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.noKey {
				return nil, errors.New("no such file")
			}
			return []age.Recipient{key.Recipient()}, nil
		}})
		require.NoError(t, err)
		s.queue = queue.New(queue.Options{WrapUp: time.Second})
		s.flow = &Flow{
			Policy: policy.Default(), Store: s.store, Prompts: says{s}, Recorder: recorder, Queue: s.queue, Clock: time.Now, Log: log,
			Observe: s.observe,
			Site: Site{
				Organisation: "Harbor Clinic", Callback: "+12065550100", Languages: []string{"en", "es"}, Location: time.UTC,
				Interpreter: desk, RingTimeout: 20 * time.Second, OfferCallbackAfter: time.Minute, DiscardUnder: 10 * time.Second,
				PolicyVersion: "2026-1", PolicyChangedAt: time.Now().AddDate(0, -6, 0),
			},
		}
		s.store.edit(s.cast0)
		s.OnPlay(s.played)
		s.Asterisk.OnRequest(s.asked)
		s.OnOriginate(s.dialled)
		if prepare != nil {
			prepare(s)
		}
		require.NoError(t, s.flow.SyncAgents(t.Context()))
		s.start()
		script(s)
		s.stop()
	})
}

// cast0 are the people of every scene.
func (s *scene) cast0(d *memData) {
	now := time.Now()
	trained := []storage.Training{{Course: "privacy", PolicyVersion: "2026-1", CompletedAt: now.AddDate(0, -5, 0), ExpiresAt: now.AddDate(0, 7, 0)}}
	d.agents[maria] = storage.Agent{ID: maria, Name: "Maria Lopez", Endpoint: "PJSIP/maria", OnDuty: true, RecordingConsent: true,
		State: "WA", HiredAt: now.AddDate(-1, 0, 0), LastCallEndedAt: now.Add(-2 * time.Hour), Trainings: trained}
	d.patients[nina] = storage.Patient{ID: nina, Name: "Nina Alvarado", BirthDate: "1971-03-14", Identifiers: []storage.Identifier{
		{Kind: storage.KindBirthDate, Value: "1971-03-14"}, {Kind: storage.KindPhone, Value: "+12065550142"},
		{Kind: storage.KindMRN, Value: "4471902"}, {Kind: storage.KindHouseZIP, Value: "812|98101"},
	}, Addresses: []storage.Address{{State: "WA"}}}
	d.visits = []storage.Visit{{ID: "v1", Patient: nina, Date: "1999-11-05", Status: storage.VisitFinished}}
	d.invoices = []storage.Invoice{{Number: "7701", Patient: nina, Date: "1999-11-09"}}
}

// second adds another agent, who has been idle for less long.
func (s *scene) second(change func(*storage.Agent)) {
	s.store.edit(func(d *memData) {
		a := d.agents[maria]
		a.ID, a.Name, a.Endpoint, a.LastCallEndedAt = omar, "Omar Haddad", "PJSIP/omar", a.LastCallEndedAt.Add(time.Hour)
		if change != nil {
			change(&a)
		}
		d.agents[omar] = a
	})
}

// start connects a controller, as a process that begins does.
func (s *scene) start() {
	cfg := s.Config()
	cfg.Instance = "run" + time.Now().Format("150405")
	ctl, err := ari.New(cfg)
	require.NoError(s.t, err)
	s.ctl = ctl
	s.ctx, s.cancel = context.WithCancel(s.t.Context())
	s.served = make(chan error, 1)
	go func() { s.served <- ctl.Serve(s.ctx, ari.Handler{Call: s.flow.Inbound, Adopt: s.flow.Adopt}) }()
	require.NoError(s.t, ctl.Ready(s.ctx))
}

// stop ends the controller in good order.
func (s *scene) stop() {
	if s.cancel == nil {
		return
	}
	s.cancel()
	require.NoError(s.t, <-s.served)
	s.cancel = nil
}

// die ends the controller as kill -9 does: nothing it does afterwards reaches
// Asterisk or the store. A new store takes the place of the old, with what was
// on the disk then.
func (s *scene) die() {
	s.t.Helper()
	was := s.store
	s.Down()
	was.setAway(true)
	s.stopHard()
	s.store = newMemStore()
	s.store.data = was.read()
	s.Up()
	s.queue = queue.New(queue.Options{WrapUp: time.Second})
	old := s.flow
	s.flow = &Flow{Policy: old.Policy, Store: s.store, Prompts: old.Prompts, Recorder: old.Recorder, Queue: s.queue,
		Site: old.Site, Clock: old.Clock, Log: old.Log, Observe: old.Observe}
	require.NoError(s.t, s.flow.SyncAgents(s.t.Context()))
}

func (s *scene) stopHard() {
	s.cancel()
	<-s.served
	s.cancel = nil
}

// says makes prompts of their names.
type says struct{ s *scene }

func (p says) Media(_ context.Context, lang, id string, _ map[string]string) (string, error) {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	if p.s.broken[id] {
		return "", errors.New("no voice")
	}
	return "sound:" + lang + "/" + id, nil
}

func (says) Version(lang, id string) string { return "v-" + lang + "-" + id }

func (s *scene) observe(e Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, e)
}

// played is a prompt that begins: the caller keys what is laid out for it.
func (s *scene) played(target, media string) {
	_, id, _ := strings.Cut(media, "/")
	s.mu.Lock()
	tell := s.onSay
	var keys string
	if list := s.keys[id]; target == patientLeg && s.spoken[id] < len(list) {
		keys = list[s.spoken[id]]
	}
	if target == patientLeg {
		s.spoken[id]++
	}
	s.mu.Unlock()
	if tell != nil {
		tell(target, id)
	}
	if keys != "" {
		time.AfterFunc(reaction, func() { s.Press(target, keys) })
	}
}

// reaction is how long the caller needs to press a key.
const reaction = 100 * time.Millisecond

// asked is a request before it is carried out.
func (s *scene) asked(op string) {
	if op == "channels.getChannelVar" {
		for _, id := range s.Channels() {
			secure := "1"
			s.mu.Lock()
			for role := range s.plain {
				if strings.Contains(id, role) {
					secure = "0"
				}
			}
			s.mu.Unlock()
			s.SetVar(id, "CHANNEL(rtp,secure,audio)", secure)
			s.SetVar(id, "CHANNEL(pjsip,secure)", secure)
		}
	}
	s.mu.Lock()
	s.requests++
	n, tell := s.requests, s.onRequest
	s.mu.Unlock()
	if tell != nil {
		tell(n, op)
	}
}

func (s *scene) dialled(o aritest.Originated) aritest.Outcome {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rang = append(s.rang, o.Endpoint)
	if s.phones[o.Endpoint] != nil {
		return s.phones[o.Endpoint]()
	}
	return aritest.Answered(time.Second)
}

// phone lays out what an endpoint does, ring by ring; the last goes on.
func (s *scene) phone(endpoint string, outcomes ...aritest.Outcome) {
	n := 0
	s.phones[endpoint] = func() aritest.Outcome {
		o := outcomes[min(n, len(outcomes)-1)]
		n++
		return o
	}
}

// rung are the endpoints dialled so far.
func (s *scene) rung() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.rang)
}

// script lays out what the caller keys at a prompt from now on.
func (s *scene) script(id string, keys ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys[id], s.spoken[id] = keys, 0
}

// times the caller has heard a prompt.
func (s *scene) count(id string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.spoken[id]
}

// each is told of each request from now on.
func (s *scene) each(fn func(n int, op string)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.onRequest, s.requests = fn, 0
}

// say is told of each prompt that begins, after the keys of the script.
func (s *scene) say(fn func(leg, id string)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.onSay = fn
}

// dial lets the patient call.
func (s *scene) dial() {
	s.t.Helper()
	require.True(s.t, s.IncomingFrom(patientLeg, "", "+12065550142", "in"))
}

// after lets time pass and everything settle.
func (s *scene) after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// until lets time pass until it holds.
func (s *scene) until(what string, holds func() bool) {
	s.t.Helper()
	for range 20 * 60 * 10 {
		synctest.Wait()
		if holds() {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	require.FailNow(s.t, "it never came", "%s; steps: %v", what, s.steps())
}

// steps are the names of what happened so far.
func (s *scene) steps() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]string, 0, len(s.events))
	for _, e := range s.events {
		out = append(out, e.Step)
	}
	return out
}

func (s *scene) did(step string) bool { return slices.Contains(s.steps(), step) }

func (s *scene) waitFor(step string) {
	s.t.Helper()
	s.until(step, func() bool { return s.did(step) })
}

// event is the last one of a step.
func (s *scene) event(step string) Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range slices.Backward(s.events) {
		if e.Step == step {
			return e
		}
	}
	return Event{}
}

// times is how often a step happened.
func (s *scene) times(step string) int {
	n := 0
	for _, have := range s.steps() {
		if have == step {
			n++
		}
	}
	return n
}

// heard is what a leg or bridge was played, without language.
func (s *scene) heard(id string) []string {
	var out []string
	for _, m := range s.Played(id) {
		_, name, _ := strings.Cut(m, "/")
		out = append(out, name)
	}
	return out
}

func (s *scene) hears(id string) bool { return slices.Contains(s.heard(patientLeg), id) }

// leg is the living channel of a role, "" when there is none.
func (s *scene) leg(role string) string {
	for _, id := range s.Channels() {
		if strings.Contains(id, "~"+role+".leg~") {
			return id
		}
	}
	return ""
}

// talk is the bridge that patient and agent are in, "" when there is none.
func (s *scene) talk() string {
	for id, members := range s.Bridges() {
		if slices.Contains(members, patientLeg) {
			return id
		}
	}
	return ""
}

// told reports whether both parties heard a prompt.
func (s *scene) told(id string) bool {
	return s.hears(id) && slices.Contains(s.heard(s.leg("agent")), id)
}

func (s *scene) row() storage.Call { return s.store.read().calls[patientLeg] }

func (s *scene) answers() (out []storage.Answer) {
	for _, c := range s.store.read().consents {
		out = append(out, c.Answer)
	}
	return out
}

func (s *scene) recordings() (out []storage.Recording) {
	d := s.store.read()
	for _, id := range slices.Sorted(maps.Keys(d.recordings)) {
		out = append(out, d.recordings[id])
	}
	return out
}

// talking plays the call up to the conversation.
func (s *scene) talking() {
	s.t.Helper()
	s.dial()
	s.waitFor("call.connected")
	synctest.Wait()
}

// over waits for the end and checks what holds after every call.
func (s *scene) over() storage.Call {
	s.t.Helper()
	s.waitFor("call.ended")
	s.after(3 * time.Second)
	s.settled()
	return s.row()
}

// settled: one disposition, nothing left in Asterisk, no agent kept, every
// recording ended, and none without a yes.
func (s *scene) settled() {
	s.t.Helper()
	t := s.t
	assert.Equal(t, 1, s.times("call.ended"), "settled once")
	d := s.store.read()
	row := d.calls[patientLeg]
	assert.False(t, row.EndedAt.IsZero(), "the row is ended")
	assert.NotEmpty(t, row.Disposition)
	ended := 0
	for _, e := range d.entries {
		if e.Entry.Action == "call.ended" {
			ended++
		}
	}
	assert.Equal(t, 1, ended, "one disposition on the log")
	left := slices.DeleteFunc(s.Channels(), func(id string) bool { return id == patientLeg && s.sentOn() })
	assert.Empty(t, left)
	assert.Empty(t, s.Bridges())
	s.sealed()
	waiting, onDuty, idle := s.queue.Counts()
	assert.Zero(t, waiting)
	assert.Equal(t, onDuty, idle, "no agent is kept")
}

func (s *scene) sentOn() bool {
	_, on := s.Continued(patientLeg)
	return on
}

// sealed: no recording is live or without a yes before it, no file unsealed.
func (s *scene) sealed() {
	s.t.Helper()
	t := s.t
	d := s.store.read()
	kept := map[string]bool{}
	for _, r := range d.recordings {
		assert.NotEqual(t, storage.RecordingLive, r.Status, r.ID)
		if assert.Positive(t, r.ConsentID) {
			c := d.consents[r.ConsentID-1]
			assert.Equal(t, storage.AnswerYes, c.Answer)
			assert.False(t, c.At.After(r.StartedAt), "recorded before the yes")
		}
		if r.Status == storage.RecordingBroken { // its controller died
			kept[filepath.Join(s.dir, r.ID+".wav.age")] = true
		}
		if r.Path != "" {
			kept[r.Path] = true
			sum := [32]byte(r.SHA256)
			_, err := recording.Verify(r.Path, sum, []age.Identity{sealing()})
			assert.NoError(t, err)
		}
	}
	files, err := filepath.Glob(filepath.Join(s.dir, "*"))
	require.NoError(t, err)
	for _, f := range files {
		assert.True(t, kept[f], "a file nobody knows: %s", filepath.Base(f))
	}
	assert.Zero(t, s.flow.Recorder.(*recording.Recorder).Live())
}
