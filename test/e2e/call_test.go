package e2e

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callward/callward/internal/lab/recognise"
	"github.com/callward/callward/internal/lab/scene"
	"github.com/callward/callward/internal/lab/softphone"
)

// TestDemo runs what a newcomer runs.
func TestDemo(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "demo")
	var out, said bytes.Buffer
	cmd := exec.CommandContext(t.Context(), program, "demo", "--json", "--dir", dir)
	cmd.Stdout, cmd.Stderr = &out, &said
	err := cmd.Run()
	require.NoError(t, err, "%s\n%s", said.String(), out.String())
	var report struct {
		OK     bool `json:"ok"`
		Checks []struct {
			Name string `json:"name"`
			OK   bool   `json:"ok"`
		} `json:"checks"`
		Steps []struct {
			Heard *struct {
				Score float64 `json:"score"`
			} `json:"heard"`
		} `json:"steps"`
		Recording struct {
			Path string `json:"path"`
		} `json:"recording"`
	}
	require.NoError(t, json.Unmarshal(out.Bytes(), &report))
	require.True(t, report.OK)
	var names []string
	for _, c := range report.Checks {
		require.True(t, c.OK, c.Name)
		names = append(names, c.Name)
	}
	require.Equal(t, []string{
		"greeting heard", "identity allowed by identity.identifiers.two", "consent allowed",
		"agent announced before the bridge", "recording started after the yes",
		"recording stopped within 200 ms of the withdrawal key", "recording verified",
		"each party on a track of its own", "audit verified",
	}, names)
	require.FileExists(t, report.Recording.Path)
}

// row is what "recording list --json" says.
type row struct {
	ID          string    `json:"id"`
	Path        string    `json:"path"`
	Status      string    `json:"status"`
	Reason      string    `json:"reason"`
	Segment     int       `json:"segment"`
	StartedAt   time.Time `json:"started_at"`
	LastFrameAt time.Time `json:"last_frame_at"`
	DurationNS  int64     `json:"duration_ns"`
	Lost        [2]int    `json:"lost"`
}

func recordings(t *testing.T, s *scene.Scene) []row {
	t.Helper()
	out, err := s.Command(t.Context(), "recording", "list", "--json")
	require.NoError(t, err)
	var rows []row
	require.NoError(t, json.Unmarshal(out, &rows))
	for i, r := range rows {
		if r.Path != "" && !filepath.IsAbs(r.Path) {
			rows[i].Path = filepath.Join(filepath.Dir(s.Config), "recordings", r.Path)
		}
	}
	return rows
}

// opened is the two tracks of a recording, opened by the stock age program.
func opened(t *testing.T, s *scene.Scene, path string) [2][]int16 {
	t.Helper()
	cmd := s.Install.Command(t.Context(), "age", "-d", "-i", s.Identity, path)
	var wav, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &wav, &said
	require.NoError(t, cmd.Run(), said.String())
	tracks := scene.Tracks(wav.Bytes())
	require.Equal(t, len(tracks[0]), len(tracks[1]))
	return tracks
}

// on tells how much of a signal is on a track: above 0.5 it is, below 0.1 it is
// not.
func on(track, signal []int16) float64 {
	return recognise.Share(track, signal)
}

// TestRecordedCall plays a recorded call and looks at all that is left of it.
func TestRecordedCall(t *testing.T) {
	t.Parallel()
	ctx, s := set(t)
	p := agent(ctx, t, s, "maria")
	a := dial(ctx, t, s)
	hears(ctx, t, a, "greeting")
	before := softphone.Speech(11, 1500*time.Millisecond) // said before the question: must be nowhere
	require.NoError(t, a.Speak(ctx, before))
	toMenu(ctx, t, a, "1")
	identified(ctx, t, a)
	keys(ctx, t, a, "ask_consent", "1")
	b := answer(ctx, t, s, p)
	hears(ctx, t, b, "agent_whisper_verified")
	hears(ctx, t, b, "agent_whisper_recorded")
	hears(ctx, t, a, "consent_evidence")
	_, err := a.HearOut(ctx, "en/agent_announce/maria")
	require.NoError(t, err)
	step(ctx, t, s, "call.connected")
	fromPatient, fromAgent := softphone.Speech(12, 3*time.Second), softphone.Speech(13, 3*time.Second)
	require.NoError(t, a.Speak(ctx, fromPatient))
	require.NoError(t, b.Speak(ctx, fromAgent))
	// A frame is on its way for a moment; the call must hear it all first.
	require.NoError(t, a.Wait(ctx, a.Samples()+4000))
	require.NoError(t, a.Hangup(ctx))
	ended := step(ctx, t, s, "call.ended")
	require.Equal(t, "completed", ended.Detail["disposition"])

	require.Greater(t, on(b.Heard(), fromPatient), 0.5, "agent heard the patient")
	require.Greater(t, on(a.Heard(), fromAgent), 0.5, "patient heard the agent")
	rows := recordings(t, s)
	require.Len(t, rows, 1)
	require.Equal(t, "sealed", rows[0].Status)
	tracks := opened(t, s, rows[0].Path)
	require.Greater(t, on(tracks[0], fromPatient), 0.5, "patient on the first track")
	require.Greater(t, on(tracks[1], fromAgent), 0.5, "agent on the second track")
	require.Less(t, on(tracks[1], fromPatient), 0.1, "patient not on the second track")
	require.Less(t, on(tracks[0], fromAgent), 0.1, "agent not on the first track")
	require.Less(t, on(tracks[0], before), 0.1, "nothing from before the consent")
	evidence, err := s.Prompts.PCM(ctx, "en", "consent_evidence", nil)
	require.NoError(t, err)
	at, score := recognise.Locate(tracks[1], evidence)
	require.Greater(t, score, 0.7, "the consent is repeated on the file")
	require.Less(t, at, 8000, "as its first words")

	_, err = s.Command(ctx, "audit", "verify")
	require.NoError(t, err)
	noLeak(t, s, fromPatient, fromAgent, before)
	quiet(t, s)
}

// noLeak searches every file of the scene for what must be nowhere: voices,
// keyed digits, names. Prompts are no secret and lie elsewhere.
func noLeak(t *testing.T, s *scene.Scene, voices ...[]int16) {
	t.Helper()
	var needles []needle
	for _, text := range []string{birth, phone, "1971-03-14", "+1" + phone, family, given, "03/14/1971"} {
		needles = append(needles, encodings(text)...)
	}
	for _, v := range voices {
		needles = append(needles, audio(v)...)
	}
	found, files := search(t, s.Dir, needles)
	require.Empty(t, found)
	require.Greater(t, files, 20, "the search saw the whole scene")
	for _, ev := range s.Events.Since(0) {
		for _, n := range needles {
			require.NotContains(t, ev.Raw, string(n.bytes), "log line holds %s", n.what)
		}
	}
}
