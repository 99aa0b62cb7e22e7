// Package e2e plays calls on a real Asterisk, through the callward binary, and
// looks at what is left: what the parties heard, the sealed files, the audit
// log, every file on the disk.
//
// Each test sets a scene of its own (see internal/lab/scene) and waits on
// events and on what is heard, never on a clock. Nothing here is skipped: where
// a test cannot run, it fails and says what is missing.
package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callward/callward/internal/lab/recognise"
	"github.com/callward/callward/internal/lab/scene"
	"github.com/callward/callward/internal/lab/softphone"
)

// program is callward, built as the tests are: with the race detector when they
// have it.
var program string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "callward-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	program = filepath.Join(dir, "callward")
	args := []string{"build", "-o", program}
	if race {
		args = append(args, "-race")
	}
	if out, err := exec.Command("go", append(args, "../../cmd/callward")...).CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build callward: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// The cast, all made up. The pair share birth date and telephone.
const (
	patients = `record_number,family,given,birth_date,phones,street,city,state,zip,language
4471902,Alvarado,Nina,1971-03-14,+12065550142,812 Cedar Street,Seattle,WA,98101,en
4471903,Okafor,Samuel,1958-11-02,+12065550177,40 Harbor Lane,Tacoma,WA,98402,en
4471905,Whitlock,Jonah,1984-02-29,+12065550188,77 Juniper Road,Everett,WA,98201,en
4471906,Whitlock,Josie,1984-02-29,+12065550188,77 Juniper Road,Everett,WA,98201,en
`
	birth   = "03141971"
	phone   = "2065550142"
	record  = "4471902#"
	family  = "Alvarado"
	given   = "Nina"
	patient = "2065550142" // caller id
)

var maria = scene.Agent{ID: "maria", Name: "Maria Lopez", State: "WA"}

// limit bounds a test: a machine may be slow, a hang is a failure.
const limit = 5 * time.Minute

// set opens a scene with callward running.
func set(t *testing.T, change ...func(*scene.Options)) (context.Context, *scene.Scene) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	o := scene.Options{Dir: t.TempDir(), Binary: program, Agents: []scene.Agent{maria}, Patients: patients, Short: true}
	for _, c := range change {
		c(&o)
	}
	s, err := scene.Open(context.WithoutCancel(ctx), o)
	require.NoError(t, err)
	t.Cleanup(func() {
		s.Close()
		if t.Failed() {
			t.Logf("what callward said last:\n%s", s.Events.Tail(60))
			t.Logf("what Asterisk complained of: %v", s.Asterisk.LogProblems())
		}
	})
	require.NoError(t, s.Serve(ctx))
	return ctx, s
}

// dial calls the clinic.
func dial(ctx context.Context, t *testing.T, s *scene.Scene, change ...func(*softphone.Config)) *scene.Actor {
	t.Helper()
	p, err := s.PatientPhone(ctx, patient, change...)
	require.NoError(t, err)
	t.Cleanup(func() { _ = p.Close() })
	c, err := p.Dial(ctx, "clinic")
	require.NoError(t, err)
	a, err := s.Listen(ctx, c)
	require.NoError(t, err)
	return a
}

// agent registers an agent's phone.
func agent(ctx context.Context, t *testing.T, s *scene.Scene, id string) *softphone.Phone {
	t.Helper()
	p, err := s.AgentPhone(ctx, id)
	require.NoError(t, err)
	t.Cleanup(func() { _ = p.Close() })
	return p
}

// answer takes the next call on a phone.
func answer(ctx context.Context, t *testing.T, s *scene.Scene, p *softphone.Phone) *scene.Actor {
	t.Helper()
	c, err := p.Accept(ctx)
	require.NoError(t, err)
	a, err := s.Listen(ctx, c)
	require.NoError(t, err)
	return a
}

// hears waits until a prompt has begun.
func hears(ctx context.Context, t *testing.T, a *scene.Actor, id string) recognise.Match {
	t.Helper()
	m, err := a.Hear(ctx, "en/"+id)
	require.NoError(t, err)
	return m
}

// keys waits for a prompt and presses.
func keys(ctx context.Context, t *testing.T, a *scene.Actor, id, keys string) {
	t.Helper()
	hears(ctx, t, a, id)
	require.NoError(t, a.Press(ctx, keys))
}

// toMenu goes past language and menu.
func toMenu(ctx context.Context, t *testing.T, a *scene.Actor, choice string) {
	t.Helper()
	keys(ctx, t, a, "language_choice", "1")
	keys(ctx, t, a, "menu", choice)
}

// identified keys the two identifiers.
func identified(ctx context.Context, t *testing.T, a *scene.Actor) {
	t.Helper()
	keys(ctx, t, a, "ask_birth_date", birth)
	keys(ctx, t, a, "ask_phone", phone)
	hears(ctx, t, a, "identify_done")
}

// quiet requires that Asterisk complained of nothing. A prompt that was hung up
// on is no complaint.
func quiet(t *testing.T, s *scene.Scene) {
	t.Helper()
	for _, line := range s.Asterisk.LogProblems() {
		require.Contains(t, line, "Playback failed for sound:")
	}
}

// step waits for a step of the call.
func step(ctx context.Context, t *testing.T, s *scene.Scene, name string) scene.Event {
	t.Helper()
	ev, err := s.Events.Step(ctx, 0, name)
	require.NoError(t, err, "waiting for %s", name)
	return ev
}

// talk is a whole call up to the conversation, with consent or without.
func talk(ctx context.Context, t *testing.T, s *scene.Scene, consent string) (patient, with *scene.Actor) {
	t.Helper()
	p := agent(ctx, t, s, "maria")
	patient = dial(ctx, t, s)
	toMenu(ctx, t, patient, "1")
	identified(ctx, t, patient)
	keys(ctx, t, patient, "ask_consent", consent)
	with = answer(ctx, t, s, p)
	step(ctx, t, s, "call.connected")
	return patient, with
}
