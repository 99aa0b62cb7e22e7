package e2e

import (
	"bytes"
	"context"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callward/callward/internal/lab/scene"
)

// expectAway looks at Asterisk's log after callward was away: calls that came
// meanwhile, and its death, are told there, and nothing else.
func expectAway(t *testing.T, s *scene.Scene) {
	t.Helper()
	for _, line := range s.Asterisk.LogProblems() {
		ok := false
		for _, known := range []string{"Playback failed for sound:", "'callward'", "ws_safe_read", "WebSocket read error"} {
			ok = ok || strings.Contains(line, known)
		}
		require.True(t, ok, line)
	}
}

// TestKilledInConversation kills callward while it records. The parties go on
// talking; the next run takes the call over and begins another recording.
func TestKilledInConversation(t *testing.T) {
	t.Parallel()
	ctx, s := set(t)
	a, b := joined(ctx, t, s, agent(ctx, t, s, "maria"), "1")
	started := step(ctx, t, s, "recording.started")
	before, fromAgent := chat(ctx, t, a, b, 0)
	require.NoError(t, s.Signal(syscall.SIGKILL))
	killed := time.Now()
	meanwhile, _ := chat(ctx, t, a, b, 2)

	mark := s.Events.Mark()
	require.NoError(t, s.Serve(ctx))
	ready := time.Now()
	adopted := after(ctx, t, s, mark, "call.adopted")
	require.Equal(t, started.Call, adopted.Call)
	require.Less(t, adopted.At.Sub(ready), time.Second)
	evidenceAfter(ctx, t, a, killed)
	require.Equal(t, "2", after(ctx, t, s, mark, "recording.started").Detail["segment"])
	again, _ := chat(ctx, t, a, b, 4)
	require.NoError(t, a.Press(ctx, "*"))
	hearOut(ctx, t, "recording_off", a, b)
	off, _ := chat(ctx, t, a, b, 6)
	require.Equal(t, "completed", hangsUp(ctx, t, s, a).Detail["disposition"])
	silent(ctx, t, s)

	first, second := segments(t, s)
	require.Equal(t, "broken", first.Status)
	require.Equal(t, "controller_died", first.Reason)
	// The age program yields what authenticates, and says that the end is missing.
	var wav, said bytes.Buffer
	cmd := s.Install.Command(ctx, "age", "-d", "-i", s.Identity, first.Path)
	cmd.Stdout, cmd.Stderr = &wav, &said
	require.Error(t, cmd.Run())
	require.NotEmpty(t, scene.Tracks(wav.Bytes())[0], said.String())
	// Callward itself puts the kept tail behind it.
	out, err := s.Command(ctx, "recording", "open", first.ID, "--identity", s.Identity)
	require.ErrorContains(t, err, "file ends before its seal")
	tracks := scene.Tracks(out)
	kept := time.Duration(len(tracks[0])) * time.Second / 8000
	require.Less(t, killed.Sub(started.At)-kept, 4*time.Second, "lost")
	absent(t, tracks[0], meanwhile, "what was said while callward was dead")
	if kept > killed.Sub(started.At)-500*time.Millisecond {
		present(t, tracks[0], before, "what was said before")
		present(t, tracks[1], fromAgent, "what the agent said before")
	}
	if second.Status == "discarded" {
		require.Less(t, time.Duration(second.DurationNS), 10*time.Second)
	} else {
		require.Equal(t, "withdrawn", second.Status)
		tracks = opened(t, s, second.Path)
		present(t, tracks[0], again, "what was said after the restart")
		absent(t, tracks[0], off, "what was said after the withdrawal")
		absent(t, tracks[0], meanwhile, "what was said while callward was dead")
	}
	noLeak(t, s, before, meanwhile, again, off)
	expectAway(t, s)
	_, err = s.Command(ctx, "audit", "verify")
	require.NoError(t, err)
}

// evidenceAfter waits until the consent has been repeated to the patient, later
// than at a given time.
func evidenceAfter(ctx context.Context, t *testing.T, a *scene.Actor, at time.Time) {
	t.Helper()
	for {
		m, err := a.HearOut(ctx, "en/consent_evidence")
		require.NoError(t, err)
		if a.At(m).After(at) {
			return
		}
	}
}

func segments(t *testing.T, s *scene.Scene) (first, second row) {
	t.Helper()
	rows := recordings(t, s)
	require.Len(t, rows, 2)
	first, second = rows[0], rows[1]
	if first.Segment > second.Segment {
		first, second = second, first
	}
	require.Equal(t, []int{1, 2}, []int{first.Segment, second.Segment})
	return first, second
}

// TestKilledWhileIdentifying: the step begins again, and half an answer is none.
func TestKilledWhileIdentifying(t *testing.T) {
	t.Parallel()
	ctx, s := set(t)
	p := agent(ctx, t, s, "maria")
	a := dial(ctx, t, s)
	keys(ctx, t, a, "greeting", "11")
	keys(ctx, t, a, "ask_birth_date", birth)
	hears(ctx, t, a, "ask_phone")
	require.NoError(t, s.Signal(syscall.SIGKILL))
	mark := s.Events.Mark()
	require.NoError(t, s.Serve(ctx))
	require.Equal(t, "routed", after(ctx, t, s, mark, "call.adopted").Detail["step"])
	hears(ctx, t, a, "identify_intro")
	identified(ctx, t, a)
	keys(ctx, t, a, "ask_consent", "2")
	_, told := reaches(ctx, t, s, p)
	require.Equal(t, []string{"agent_whisper_verified", "agent_whisper_not_recorded"}, told)
	require.Equal(t, "completed", hangsUp(ctx, t, s, a).Detail["disposition"])
	require.Empty(t, recordings(t, s))
	noLeak(t, s)
	silent(ctx, t, s)
	expectAway(t, s)
}

// TestKilledInQueue while an agent's phone rings: the ringing ends, the caller
// waits again, and the agent is rung once more. The yes given before holds.
func TestKilledInQueue(t *testing.T) {
	t.Parallel()
	ctx, s := set(t)
	p := agent(ctx, t, s, "maria")
	a := dial(ctx, t, s)
	unidentified(ctx, t, a, "1")
	hears(ctx, t, a, "queue_wait")
	ringing := incoming(ctx, t, p)
	require.NoError(t, ringing.Ring(ctx))
	require.NoError(t, s.Signal(syscall.SIGKILL))
	mark := s.Events.Mark()
	require.NoError(t, s.Serve(ctx))
	after(ctx, t, s, mark, "call.adopted")
	within(ctx, t, ringing.Cancelled(), "the old ringing ends")
	hears(ctx, t, a, "queue_wait")
	b := answer(ctx, t, s, p)
	hears(ctx, t, b, "agent_whisper_recorded")
	hears(ctx, t, a, "consent_evidence")
	after(ctx, t, s, mark, "call.connected")
	said, _ := chat(ctx, t, a, b, 20)
	require.Empty(t, p.Incoming(), "the agent is rung for one call once")
	require.Equal(t, "completed", hangsUp(ctx, t, s, a).Detail["disposition"])
	present(t, oneRecording(t, s, "sealed", "call_ended")[0], said, "what was said")
	silent(ctx, t, s)
	expectAway(t, s)
}

// TestAway: while callward is down every call reaches a human, unrecorded, and
// who rang off meanwhile is not kept open for ever.
func TestAway(t *testing.T) {
	t.Parallel()
	ctx, s := set(t)
	p := agent(ctx, t, s, "maria")
	forgotten := dial(ctx, t, s)
	hears(ctx, t, forgotten, "greeting")
	call := step(ctx, t, s, "call.received").Call
	require.NoError(t, s.Signal(syscall.SIGKILL))
	require.NoError(t, forgotten.Hangup(ctx))

	a := dial(ctx, t, s)
	rung := incoming(ctx, t, p)
	_, err := a.Hear(ctx, "en/away", "es/away")
	require.NoError(t, err)
	c, err := rung.Answer(ctx)
	require.NoError(t, err)
	b, err := s.Listen(ctx, c)
	require.NoError(t, err)
	said, heard := chat(ctx, t, a, b, 30)
	emergency(ctx, t, s, 40)

	require.NoError(t, s.Serve(ctx))
	isWritten(ctx, t, s, call)
	chat(ctx, t, a, b, 32) // not ours, and left alone
	emergency(ctx, t, s, 50)
	require.NoError(t, a.Hangup(ctx))
	within(ctx, t, b.Done(), "the agent's leg ends too")
	silent(ctx, t, s)
	require.Empty(t, recordings(t, s))
	noLeak(t, s, said, heard)
	expectAway(t, s)
}

// emergency dials each emergency number from an agent's phone.
func emergency(ctx context.Context, t *testing.T, s *scene.Scene, n int) {
	t.Helper()
	psap, err := s.EmergencyPhone(ctx)
	require.NoError(t, err)
	defer psap.Close()
	p := agent(ctx, t, s, "maria")
	for i, number := range []string{"911", "933", "988"} {
		type dialled struct {
			actor *scene.Actor
			err   error
		}
		out := make(chan dialled, 1)
		go func() {
			c, err := p.Dial(ctx, number)
			if err != nil {
				out <- dialled{err: err}
				return
			}
			a, err := s.Listen(ctx, c)
			out <- dialled{a, err}
		}()
		rung := incoming(ctx, t, psap)
		require.Equal(t, number, rung.To())
		c, err := rung.Answer(ctx)
		require.NoError(t, err)
		there, err := s.Listen(ctx, c)
		require.NoError(t, err)
		here := <-out
		require.NoError(t, here.err)
		if i == 0 {
			chat(ctx, t, here.actor, there, n)
		}
		require.NoError(t, here.actor.Hangup(ctx))
		within(ctx, t, there.Done(), "the other side ends")
	}
}

// TestStopped in mid-conversation: the recording is sealed, the parties go on
// talking, the next start takes over.
func TestStopped(t *testing.T) {
	t.Parallel()
	ctx, s := set(t)
	a, b := joined(ctx, t, s, agent(ctx, t, s, "maria"), "1")
	before, _ := chat(ctx, t, a, b, 60)
	require.NoError(t, s.Signal(syscall.SIGTERM))
	stopped := time.Now()
	rows := recordings(t, s)
	require.Len(t, rows, 1)
	require.Equal(t, "sealed", rows[0].Status)
	present(t, opened(t, s, rows[0].Path)[0], before, "what was said before")
	meanwhile, _ := chat(ctx, t, a, b, 62)
	mark := s.Events.Mark()
	require.NoError(t, s.Serve(ctx))
	evidenceAfter(ctx, t, a, stopped)
	require.Equal(t, "2", after(ctx, t, s, mark, "recording.started").Detail["segment"])
	again, _ := chat(ctx, t, a, b, 64)
	require.Equal(t, "completed", hangsUp(ctx, t, s, a).Detail["disposition"])
	_, second := segments(t, s)
	require.Equal(t, "sealed", second.Status)
	tracks := opened(t, s, second.Path)
	present(t, tracks[0], again, "what was said afterwards")
	absent(t, tracks[0], meanwhile, "what was said while callward was away")
	silent(ctx, t, s)
	expectAway(t, s)
}

// wire is a cable between callward and Asterisk that can be cut.
type wire struct {
	listener net.Listener
	mu       sync.Mutex
	to       string
	cut      bool
	open     []net.Conn
}

func newWire(t *testing.T) *wire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	w := &wire{listener: l}
	t.Cleanup(func() { _ = l.Close(); w.sever(0) })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go w.carry(c)
		}
	}()
	return w
}

func (w *wire) leadTo(addr string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.to = addr
}

func (w *wire) carry(c net.Conn) {
	w.mu.Lock()
	to, cut := w.to, w.cut
	w.mu.Unlock()
	if cut {
		_ = c.Close()
		return
	}
	far, err := net.Dial("tcp", to)
	if err != nil {
		_ = c.Close()
		return
	}
	w.mu.Lock()
	w.open = append(w.open, c, far)
	w.mu.Unlock()
	go func() { _, _ = io.Copy(far, c); _ = far.Close() }()
	_, _ = io.Copy(c, far)
	_ = c.Close()
}

// count of connections made so far.
func (w *wire) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.open)
}

// sever cuts the connections made before count, or all for 0, and refuses new
// ones until mend.
func (w *wire) sever(before int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = true
	if before == 0 {
		before = len(w.open)
	}
	for _, c := range w.open[:before] {
		_ = c.Close()
	}
}

func (w *wire) mend() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = false
}

// TestWireCut cuts the event socket in mid-conversation, the media sockets with
// it or not. A withdrawal may be missed meanwhile (here one is), so the
// recording ends and all are told; the call is kept.
func TestWireCut(t *testing.T) {
	t.Parallel()
	for name, all := range map[string]bool{"events": false, "everything": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWire(t)
			ctx, s := stage(t, with("CALLWARD_ASTERISK_ARI_URL=https://"+w.listener.Addr().String()))
			w.leadTo(strings.TrimPrefix(s.Asterisk.ARIURL, "https://"))
			require.NoError(t, s.Serve(ctx))
			n := w.count()
			a, b := joined(ctx, t, s, agent(ctx, t, s, "maria"), "1")
			before, _ := chat(ctx, t, a, b, 70)
			if all {
				n = 0
			}
			w.sever(n)
			meanwhile, _ := chat(ctx, t, a, b, 72)
			require.NoError(t, a.Press(ctx, "*")) // nobody hears it
			w.mend()
			hearOut(ctx, t, "recording_stopped_fault", a, b)
			step(ctx, t, s, "controller.gap")
			afterwards, _ := chat(ctx, t, a, b, 74)
			require.Equal(t, "completed", hangsUp(ctx, t, s, a).Detail["disposition"])
			rows := recordings(t, s)
			require.Len(t, rows, 1)
			tracks := opened(t, s, rows[0].Path)
			present(t, tracks[0], before, "what was said before")
			absent(t, tracks[0], afterwards, "what was said afterwards")
			if !all {
				require.Equal(t, "controller_was_away", rows[0].Reason)
				require.Equal(t, "sealed", rows[0].Status)
			} else {
				absent(t, tracks[0], meanwhile, "what was said while nothing came")
			}
			require.FileExists(t, filepath.Join(rows[0].Path))
			silent(ctx, t, s)
			expectAway(t, s)
			_, err := s.Command(ctx, "audit", "verify")
			require.NoError(t, err)
		})
	}
}
