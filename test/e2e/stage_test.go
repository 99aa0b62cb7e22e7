package e2e

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/callward/callward/internal/lab/recognise"
	"github.com/callward/callward/internal/lab/scene"
	"github.com/callward/callward/internal/lab/softphone"
)

// with adds configuration to a scene.
func with(env ...string) func(*scene.Options) {
	return func(o *scene.Options) { o.Env = append(o.Env, env...) }
}

// crew replaces the agents of a scene.
func crew(agents ...scene.Agent) func(*scene.Options) {
	return func(o *scene.Options) { o.Agents = agents }
}

func siteFile(s *scene.Scene, name ...string) string {
	return filepath.Join(append([]string{filepath.Dir(s.Config)}, name...)...)
}

// stage opens a scene without callward running.
func stage(t *testing.T, change ...func(*scene.Options)) (context.Context, *scene.Scene) {
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
	return ctx, s
}

// after waits for a step later than a mark.
func after(ctx context.Context, t *testing.T, s *scene.Scene, mark int, name string) scene.Event {
	t.Helper()
	ev, err := s.Events.Step(ctx, mark, name)
	require.NoError(t, err, "waiting for %s", name)
	return ev
}

// stepOf waits for a step of one call.
func stepOf(ctx context.Context, t *testing.T, s *scene.Scene, call, name string) scene.Event {
	t.Helper()
	ev, err := s.Events.Wait(ctx, 0, func(e scene.Event) bool { return e.Call == call && e.Step == name })
	require.NoError(t, err, "waiting for %s of %s", name, call)
	return ev
}

// unidentified goes past the menus by keying ahead, gives no identifier, and
// answers the consent question.
func unidentified(ctx context.Context, t *testing.T, a *scene.Actor, consent string) {
	t.Helper()
	keys(ctx, t, a, "greeting", "10####")
	keys(ctx, t, a, "ask_consent", consent)
}

// joined is a call of somebody unidentified up to the conversation.
func joined(ctx context.Context, t *testing.T, s *scene.Scene, p *softphone.Phone, consent string) (patient, with *scene.Actor) {
	t.Helper()
	mark := s.Events.Mark()
	patient = dial(ctx, t, s)
	unidentified(ctx, t, patient, consent)
	with = answer(ctx, t, s, p)
	after(ctx, t, s, mark, "call.connected")
	return patient, with
}

// voice is what one party says in a test; none is used twice.
func voice(n int) []int16 { return softphone.Speech(100+n, 2*time.Second) }

// says has parties speak at the same time, and returns when all was sent and
// had time to arrive.
func says(ctx context.Context, t *testing.T, by map[*scene.Actor][]int16) {
	t.Helper()
	g, ctx := errgroup.WithContext(ctx)
	for a, pcm := range by {
		g.Go(func() error {
			if err := a.Speak(ctx, pcm); err != nil {
				return err
			}
			return a.Wait(ctx, a.Samples()+4000)
		})
	}
	require.NoError(t, g.Wait())
}

// chat has two parties speak, and proves that each heard the other.
func chat(ctx context.Context, t *testing.T, a, b *scene.Actor, n int) (fromA, fromB []int16) {
	t.Helper()
	fromA, fromB = voice(n), voice(n+1)
	markA, markB := a.Samples(), b.Samples()
	says(ctx, t, map[*scene.Actor][]int16{a: fromA, b: fromB})
	heardBy(t, a, markA, fromB)
	heardBy(t, b, markB, fromA)
	return fromA, fromB
}

// hearOut waits until each has heard a prompt to its end: a prompt takes the
// place of the other party's voice.
func hearOut(ctx context.Context, t *testing.T, id string, all ...*scene.Actor) {
	t.Helper()
	for _, a := range all {
		_, err := a.HearOut(ctx, "en/"+id)
		require.NoError(t, err)
	}
}

func heardBy(t *testing.T, a *scene.Actor, mark int, signal []int16) {
	t.Helper()
	require.Greater(t, recognise.Share(a.HeardSince(mark), signal), 0.5, "not heard")
}

// present and absent tell of a signal on a track of a recording.
func present(t *testing.T, track, signal []int16, what string) {
	t.Helper()
	require.Greater(t, recognise.Share(track, signal), 0.5, "%s is not on the track", what)
}

func absent(t *testing.T, track, signal []int16, what string) {
	t.Helper()
	require.Less(t, recognise.Share(track, signal), 0.15, "%s is on the track", what)
}

// hangsUp ends a call and returns how it was settled.
func hangsUp(ctx context.Context, t *testing.T, s *scene.Scene, a *scene.Actor) scene.Event {
	t.Helper()
	mark := s.Events.Mark()
	require.NoError(t, a.Hangup(ctx))
	return after(ctx, t, s, mark, "call.ended")
}

// leaves ends a call that reached an agent, and looks at what is left of it.
func leaves(ctx context.Context, t *testing.T, s *scene.Scene, a *scene.Actor) {
	t.Helper()
	require.Equal(t, "completed", hangsUp(ctx, t, s, a).Detail["disposition"])
	tidy(ctx, t, s)
}

// tidy: no channel is left, Asterisk had nothing to complain of, and the audit
// log holds.
func tidy(ctx context.Context, t *testing.T, s *scene.Scene) {
	t.Helper()
	silent(ctx, t, s)
	quiet(t, s)
	_, err := s.Command(ctx, "audit", "verify")
	require.NoError(t, err)
}

// silent waits until Asterisk has no channel.
func silent(ctx context.Context, t *testing.T, s *scene.Scene) {
	t.Helper()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		out, err := s.Asterisk.CLI(ctx, "core show channels count")
		assert.NoError(c, err)
		assert.Contains(c, out, "0 active channels")
	}, 20*time.Second, 100*time.Millisecond)
}

// oneRecording is the call's only recording, opened by the age program.
func oneRecording(t *testing.T, s *scene.Scene, status, reason string) [2][]int16 {
	t.Helper()
	rows := recordings(t, s)
	require.Len(t, rows, 1)
	require.Equal(t, status, rows[0].Status)
	require.Equal(t, reason, rows[0].Reason)
	return opened(t, s, rows[0].Path)
}
