package e2e

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	_ "github.com/mattn/go-sqlite3" // to hold the database as another process would
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/callward/callward/internal/lab/scene"
	"github.com/callward/callward/internal/lab/softphone"
)

// TestPlainRTP: sound without keys is refused before anything is answered,
// whoever offers it.
func TestPlainRTP(t *testing.T) {
	t.Parallel()
	ctx, s := set(t)
	plain := func(c *softphone.Config) { c.PlainRTP = true }
	outside, err := s.PatientPhone(ctx, patient, plain)
	require.NoError(t, err)
	t.Cleanup(func() { _ = outside.Close() })
	of := s.Asterisk.Site.Agents[0]
	inside, err := softphone.New(ctx, softphone.Config{Server: s.Asterisk.SIPAddr, User: of.ID, Password: of.Password,
		CAFile: s.Asterisk.CAFile, PlainRTP: true})
	require.NoError(t, err)
	t.Cleanup(func() { _ = inside.Close() })
	for _, p := range []*softphone.Phone{outside, inside} {
		for _, number := range []string{"clinic", "2065550100"} {
			_, err := p.Dial(ctx, number)
			var refused *softphone.Refused
			require.ErrorAs(t, err, &refused)
			require.Equal(t, 488, refused.Code)
		}
	}
	for _, ev := range s.Events.Since(0) {
		require.NotEqual(t, "call", ev.Msg, "callward never saw a call")
	}
	// An agent's phone that can do no better is passed over, and the caller is
	// not made to pay for it.
	require.NoError(t, inside.Register(ctx))
	a := dial(ctx, t, s)
	unidentified(ctx, t, a, "2")
	step(ctx, t, s, "agent.no_answer")
	require.NoError(t, inside.Unregister(ctx))
	b := answer(ctx, t, s, agent(ctx, t, s, "maria"))
	step(ctx, t, s, "call.connected")
	chat(ctx, t, a, b, 0)
	require.Equal(t, "completed", hangsUp(ctx, t, s, a).Detail["disposition"])
	silent(ctx, t, s)
	for _, line := range s.Asterisk.LogProblems() {
		require.Contains(t, line, "Couldn't negotiate stream", "the refusals, and nothing else")
	}
}

// holdDatabase takes the database away from callward, as another process would
// that does not let go of it.
func holdDatabase(ctx context.Context, t *testing.T, s *scene.Scene) (release func()) {
	t.Helper()
	db, err := sql.Open("sqlite3", "file:"+siteFile(s, "data", "callward.db")+"?_busy_timeout=10000")
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() })
	conn, err := db.Conn(ctx)
	require.NoError(t, err)
	_, err = conn.ExecContext(ctx, "BEGIN EXCLUSIVE")
	require.NoError(t, err)
	return func() {
		t.Helper()
		_, err := conn.ExecContext(ctx, "ROLLBACK")
		require.NoError(t, err)
	}
}

// moveDatabase takes it away altogether.
func moveDatabase(_ context.Context, t *testing.T, s *scene.Scene) (release func()) {
	t.Helper()
	from, to := siteFile(s, "data", "callward.db"), filepath.Join(s.Dir, "elsewhere.db")
	require.NoError(t, os.Rename(from, to))
	return func() {
		t.Helper()
		require.NoError(t, os.Rename(to, from))
	}
}

// TestDatabaseAwayFromTheStart: the caller gives right answers and says yes,
// and is neither verified nor recorded, but reaches an agent. The end is
// written when the database is back.
func TestDatabaseAwayFromTheStart(t *testing.T) {
	t.Parallel()
	for name, takeAway := range map[string]func(context.Context, *testing.T, *scene.Scene) func(){
		"held by another": holdDatabase,
		"moved away":      moveDatabase,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, s := set(t)
			p := agent(ctx, t, s, "maria")
			release := takeAway(ctx, t, s)
			a := dial(ctx, t, s)
			keys(ctx, t, a, "greeting", "11")
			for tried := 0; ; tried++ {
				m, err := a.Hear(ctx, "en/ask_birth_date", "en/identify_failed")
				require.NoError(t, err)
				if m.Is("en/identify_failed") {
					break
				}
				require.Less(t, tried, 3)
				require.NoError(t, a.Press(ctx, birth+phone))
			}
			keys(ctx, t, a, "ask_consent", "1")
			hears(ctx, t, a, "consent_no") // a yes that cannot be kept is none
			b, told := reaches(ctx, t, s, p)
			require.Equal(t, []string{"agent_whisper_unverified", "agent_whisper_not_recorded"}, told)
			chat(ctx, t, a, b, 10)
			require.NoError(t, a.Hangup(ctx))
			ended := step(ctx, t, s, "call.ended")
			require.Equal(t, "completed", ended.Detail["disposition"])
			for _, ev := range s.Events.Since(0) {
				switch ev.Action {
				case "Verify", "Disclose", "StartRecording":
					if ev.Msg == "call" {
						require.Equal(t, "deny", ev.Decision, "%s without a trace", ev.Action)
					}
				}
			}
			release()
			isWritten(ctx, t, s, ended.Call)
			require.Empty(t, recordings(t, s))
			noLeak(t, s)
			tidy(ctx, t, s)
		})
	}
}

// isWritten waits until the end of a call is on the audit log.
func isWritten(ctx context.Context, t *testing.T, s *scene.Scene, call string) {
	t.Helper()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		out, err := s.Command(ctx, "audit", "list", "--json", "--call", call)
		assert.NoError(c, err)
		assert.Equal(c, 1, strings.Count(string(out), `"call.ended"`), "%s", out)
	}, 30*time.Second, 200*time.Millisecond)
}

// TestDatabaseAwayInConversation: the recording goes on, for its decision was
// made and written; the key still stops it at once, is confirmed, and is
// written later. A call that begins meanwhile is not recorded.
func TestDatabaseAwayInConversation(t *testing.T) {
	t.Parallel()
	ctx, s := set(t, with("CALLWARD_RECORDING_DISCARD_UNDER=2s"))
	a, b := joined(ctx, t, s, agent(ctx, t, s, "maria"), "1")
	release := holdDatabase(ctx, t, s)
	before, _ := chat(ctx, t, a, b, 20)
	pressed := time.Now()
	require.NoError(t, a.Press(ctx, "*"))
	hearOut(ctx, t, "recording_off", a, b)
	afterwards, _ := chat(ctx, t, a, b, 22)
	stopped := step(ctx, t, s, "recording.stopped")
	require.Equal(t, "consent_withdrawn", stopped.Detail["reason"])
	ms, err := strconv.Atoi(stopped.Detail["after_key_ms"])
	require.NoError(t, err)
	require.LessOrEqual(t, ms, 200)
	require.Less(t, step(ctx, t, s, "consent.withdrawn").At.Sub(pressed), time.Second)
	ended := hangsUp(ctx, t, s, a)
	require.Equal(t, "completed", ended.Detail["disposition"])
	release()
	isWritten(ctx, t, s, ended.Call)
	list := entries(t, s, ended.Call)
	require.Contains(t, actions(list), "consent.withdrawn")
	tracks := oneRecording(t, s, "withdrawn", "consent_withdrawn")
	present(t, tracks[0], before, "what was said before")
	absent(t, tracks[0], afterwards, "what was said after")
	tidy(ctx, t, s)
}

func actions(list []entry) (names []string) {
	for _, e := range list {
		names = append(names, e.Action)
	}
	return names
}

// smallDisk is an empty disk of its own: mounted where that is allowed, else in
// a name space of a helper process and seen through /proc.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "disk")
	require.NoError(t, os.Mkdir(dir, 0o700))
	mounted := syscall.Mount("tmpfs", dir, "tmpfs", 0, "mode=0700,size="+size)
	if mounted == nil {
		t.Cleanup(func() { require.NoError(t, syscall.Unmount(dir, syscall.MNT_DETACH)) })
		return dir
	}
	cmd := exec.Command("unshare", "-Urm", "sh", "-c", `mount -t tmpfs -o "mode=0700,size=$1" tmpfs "$0" && echo ready && read -r _`, dir, size)
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	var said strings.Builder
	cmd.Stderr = &said
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatalf("no small disk: mount: %v; unshare: %v: run as root, or install util-linux", mounted, err)
	}
	t.Cleanup(func() { _ = in.Close(); _ = cmd.Wait() })
	if line, _ := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		t.Fatalf("no small disk: mount: %v; unshare: %s: run as root, or allow unprivileged user name spaces", mounted, said.String())
	}
	return filepath.Join("/proc", strconv.Itoa(cmd.Process.Pid), "root", dir)
}

// fill takes all the room of a disk.
func fill(t *testing.T, dir string) (free func()) {
	t.Helper()
	path := filepath.Join(dir, "others")
	f, err := os.Create(path)
	require.NoError(t, err)
	defer f.Close()
	for block := make([]byte, 1<<16); len(block) > 0; {
		if _, err := f.Write(block); errors.Is(err, syscall.ENOSPC) {
			block = block[:len(block)/2]
		} else {
			require.NoError(t, err)
		}
	}
	return func() { require.NoError(t, os.Remove(path)) }
}

func onSmallDisk(dir string) func(*scene.Options) {
	return func(o *scene.Options) {
		o.RecordingDir = dir
		o.Env = append(o.Env, "CALLWARD_RECORDING_MIN_FREE=64KiB")
	}
}

// TestDiskFull fills the disk of the recordings in mid-conversation: the
// recording ends, both are told, what was sealed opens, the call goes on.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	disk := smallDisk(t, "2m")
	ctx, s := set(t, onSmallDisk(disk))
	a, b := joined(ctx, t, s, agent(ctx, t, s, "maria"), "1")
	before, _ := chat(ctx, t, a, b, 30)
	fill(t, disk)
	hearOut(ctx, t, "recording_stopped_fault", a, b)
	afterwards, _ := chat(ctx, t, a, b, 32)
	leaves(ctx, t, s, a)
	require.Equal(t, "disk_full", step(ctx, t, s, "recording.stopped").Detail["reason"])
	tracks := oneRecording(t, s, "broken", "disk_full")
	present(t, tracks[0], before, "what was said before")
	absent(t, tracks[0], afterwards, "what was said after")
}

// TestNoRoomNoKey: where a recording cannot be sealed from the start, there is
// none, both are told, and the call goes on.
func TestNoRoomNoKey(t *testing.T) {
	t.Parallel()
	disk := smallDisk(t, "2m")
	ctx, s := set(t, onSmallDisk(disk))
	p := agent(ctx, t, s, "maria")
	again := func(n int) {
		mark := s.Events.Mark()
		a := dial(ctx, t, s)
		unidentified(ctx, t, a, "1")
		b := answer(ctx, t, s, p)
		hears(ctx, t, b, "recording_stopped_fault")
		hears(ctx, t, a, "recording_stopped_fault")
		after(ctx, t, s, mark, "call.connected")
		d, err := s.Events.Wait(ctx, mark, func(e scene.Event) bool { return e.Action == "StartRecording" })
		require.NoError(t, err)
		require.Equal(t, "deny", d.Decision)
		require.Contains(t, d.Rules, "recording.secure")
		chat(ctx, t, a, b, n)
		leaves(ctx, t, s, a)
	}
	free := fill(t, disk)
	again(40)
	free()
	require.NoError(t, os.Rename(siteFile(s, "recording.recipients"), siteFile(s, "recording.recipients.away")))
	again(42)
	require.Empty(t, recordings(t, s))
}

// TestAsteriskRestarted in mid-conversation: that call is lost and says so, its
// recording is sealed, the next call works.
func TestAsteriskRestarted(t *testing.T) {
	t.Parallel()
	ctx, s := set(t)
	p := agent(ctx, t, s, "maria")
	a, b := joined(ctx, t, s, p, "1")
	before, _ := chat(ctx, t, a, b, 50)
	pid := s.PID()
	s.Asterisk.Kill()
	require.NoError(t, s.Asterisk.Restart(ctx))
	ended := step(ctx, t, s, "call.ended")
	require.Equal(t, "failed", ended.Detail["disposition"])
	require.Equal(t, "asterisk_restarted", ended.Detail["reason"])
	require.Equal(t, pid, s.PID(), "callward goes on")
	rows := recordings(t, s)
	require.Len(t, rows, 1)
	present(t, opened(t, s, rows[0].Path)[0], before, "what was said before")

	// The phones connect and register again, as phones do.
	for _, end := range []*scene.Actor{a, b} {
		_ = end.Hangup(ctx)
	}
	require.NoError(t, p.Close())
	next, with := joined(ctx, t, s, agent(ctx, t, s, "maria"), "1")
	chat(ctx, t, next, with, 52)
	require.Equal(t, "completed", hangsUp(ctx, t, s, next).Detail["disposition"])
	silent(ctx, t, s)
	_, err := s.Command(ctx, "audit", "verify")
	require.NoError(t, err)
}
