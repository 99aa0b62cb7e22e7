package prompts

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// The test binary is also the speech command: it writes a tone as long as the text
// and notes in a file that it was asked.
func TestMain(m *testing.M) {
	if how := os.Getenv("PROMPTS_TEST_SPEAK"); how != "" {
		speakForTest(how)
		return
	}
	os.Exit(m.Run())
}

func speakForTest(how string) {
	text, _ := io.ReadAll(os.Stdin)
	if f, err := os.OpenFile(os.Getenv("PROMPTS_TEST_NOTES"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600); err == nil {
		fmt.Fprintf(f, "%s|%s\n", strings.Join(os.Args[1:], " "), text)
		f.Close()
	}
	switch how {
	case "silence":
		os.Stdout.Write(wav(sound{rate: 22050, samples: make([]float64, 22050)}))
	case "fail":
		fmt.Fprintln(os.Stderr, "no such voice")
		os.Exit(3)
	case "hang":
		<-time.After(time.Minute)
	case "rubbish":
		os.Stdout.WriteString("hello")
	case "flood":
		for range soundLimit/65536 + 2 {
			if _, err := os.Stdout.Write(make([]byte, 65536)); err != nil {
				os.Exit(1)
			}
		}
	default:
		os.Stdout.Write(wav(tone(700, 22050, 0.3, 0.01*float64(len(text)))))
	}
}

var testTexts = fstest.MapFS{
	"en.yaml": {Data: []byte("language: en\nprompts: {hello: Hello there., who: \"This is {agent} of {organisation}.\", where: \"At {organisation}.\"}")},
	"es.yaml": {Data: []byte("language: es\nprompts: {hello: Hola., who: \"Soy {agent} de {organisation}.\", where: \"En {organisation}.\"}")},
}

// newTestRenderer has its own directory; notes tells what the command was asked.
func newTestRenderer(t *testing.T, how string) (*Renderer, RenderOptions, func() []string) {
	t.Helper()
	c, err := Load(testTexts)
	require.NoError(t, err)
	dir := t.TempDir()
	notes := filepath.Join(dir, "notes")
	o := RenderOptions{
		Dir: filepath.Join(dir, "prompts"), Studio: filepath.Join(dir, "studio"),
		Command: []string{os.Args[0], "{voice}"},
		Env:     []string{"PROMPTS_TEST_SPEAK=" + how, "PROMPTS_TEST_NOTES=" + notes, "GORACE=atexit_sleep_ms=0"},
		Vars:    map[string]string{"organisation": "Sample Clinic"},
	}
	return NewRenderer(c, o), o, func() []string {
		b, err := os.ReadFile(notes)
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		require.NoError(t, err)
		return strings.Split(strings.TrimSpace(string(b)), "\n")
	}
}

func TestRenderAll(t *testing.T) {
	r, o, notes := newTestRenderer(t, "tone")
	var seen []int
	require.NoError(t, r.RenderAll(t.Context(), func(done, total int) {
		assert.Equal(t, 4, total)
		seen = append(seen, done)
	}))
	assert.Equal(t, []int{1, 2, 3, 4}, seen)
	assert.ElementsMatch(t, []string{
		"en-us|Hello there.", "en-us|At Sample Clinic.", "es-419|Hola.", "es-419|En Sample Clinic.",
	}, notes(), "who needs the agent's name, so it waits")

	// The dialplan's names, and the hold music.
	for _, name := range []string{"en/hello.ulaw", "es/hello.ulaw", "hold/hold.ulaw"} {
		info, err := os.Stat(filepath.Join(o.Dir, name))
		require.NoError(t, err)
		assert.Positive(t, info.Size())
	}
	assert.NoFileExists(t, filepath.Join(o.Dir, "en/where.ulaw"))

	// A second time, and by another renderer, nothing is spoken.
	require.NoError(t, r.RenderAll(t.Context(), nil))
	require.NoError(t, NewRenderer(r.Catalogue(), o).RenderAll(t.Context(), nil))
	assert.Len(t, notes(), 4)
}

func TestMedia(t *testing.T) {
	r, o, notes := newTestRenderer(t, "tone")
	alice, err := r.Media(t.Context(), "en", "who", map[string]string{"agent": "Alice Moreno"})
	require.NoError(t, err)
	assert.Regexp(t, `^sound:`+o.Dir+`/en/who-[0-9a-f]{16}$`, alice, "the name is not in the file's name")
	assert.FileExists(t, strings.TrimPrefix(alice, "sound:")+".ulaw")

	bob, err := r.Media(t.Context(), "en", "who", map[string]string{"agent": "Bob Chen"})
	require.NoError(t, err)
	assert.NotEqual(t, alice, bob)
	again, err := r.Media(t.Context(), "en", "who", map[string]string{"agent": "Alice Moreno"})
	require.NoError(t, err)
	assert.Equal(t, alice, again)
	assert.Len(t, notes(), 2)

	_, err = r.Media(t.Context(), "en", "who", nil)
	assert.ErrorIs(t, err, ErrUnknown)

	pcm, err := r.PCM(t.Context(), "en", "who", map[string]string{"agent": "Alice Moreno"})
	require.NoError(t, err)
	assert.InDelta(t, 0.01*float64(len("This is Alice Moreno of Sample Clinic."))+0.24, float64(len(pcm))/8000, 0.02)
}

// Another command, voice or text is another file.
func TestFileNameCoversWhatIsHeard(t *testing.T) {
	r, o, _ := newTestRenderer(t, "tone")
	first, err := r.Media(t.Context(), "en", "hello", nil)
	require.NoError(t, err)
	o.Voices = map[string]string{"en": "en-gb", "es": "es"}
	other, err := NewRenderer(r.Catalogue(), o).Media(t.Context(), "en", "hello", nil)
	require.NoError(t, err)
	assert.NotEqual(t, first, other)
	o.Command = append(o.Command, "-s", "120")
	third, err := NewRenderer(r.Catalogue(), o).Media(t.Context(), "en", "hello", nil)
	require.NoError(t, err)
	assert.NotEqual(t, other, third)
}

func TestStudioWins(t *testing.T) {
	r, o, notes := newTestRenderer(t, "tone")
	writeFileT(t, filepath.Join(o.Studio, "en/hello.wav"), wav(tone(1000, 48000, 0.25, 2)))
	writeFileT(t, filepath.Join(o.Studio, "en/where.ulaw"), tone(1000, rate, 0.25, 1).ulaw())
	writeFileT(t, filepath.Join(o.Studio, "en/who.wav"), wav(tone(1000, 48000, 0.25, 2)))

	pcm, err := r.PCM(t.Context(), "en", "hello", nil)
	require.NoError(t, err)
	assert.InDelta(t, 16000, len(pcm), 2)
	pcm, err = r.PCM(t.Context(), "en", "where", nil)
	require.NoError(t, err)
	assert.Len(t, pcm, 8000)
	assert.Empty(t, notes())

	// A recording cannot say a name that is known only in the call.
	_, err = r.PCM(t.Context(), "en", "who", map[string]string{"agent": "Bob Chen"})
	require.NoError(t, err)
	assert.Len(t, notes(), 1)

	// Taken away again, the command speaks.
	require.NoError(t, os.Remove(filepath.Join(o.Studio, "en/hello.wav")))
	_, err = r.PCM(t.Context(), "en", "hello", nil)
	require.NoError(t, err)
	assert.Len(t, notes(), 2)
}

func TestBadStudioRecording(t *testing.T) {
	for name, b := range map[string][]byte{
		"empty":   {},
		"rubbish": []byte("hello"),
		"silent":  wav(sound{rate: rate, samples: make([]float64, rate)}),
	} {
		r, o, _ := newTestRenderer(t, "tone")
		writeFileT(t, filepath.Join(o.Studio, "en/hello.wav"), b)
		_, err := r.Media(t.Context(), "en", "hello", nil)
		assert.ErrorContains(t, err, "hello", name)
	}
}

func TestCommandFailures(t *testing.T) {
	for how, want := range map[string]string{
		"fail": "no such voice", "silence": "nothing is heard", "rubbish": "not a WAV file", "flood": "more output than",
	} {
		t.Run(how, func(t *testing.T) {
			r, o, _ := newTestRenderer(t, how)
			_, err := r.Media(t.Context(), "en", "hello", nil)
			require.ErrorContains(t, err, want)
			left, err := filepath.Glob(filepath.Join(o.Dir, "en", "*"))
			require.NoError(t, err)
			assert.Empty(t, left, "nothing half done")
		})
	}
}

func TestHangingCommandEndsWithTheContext(t *testing.T) {
	r, o, _ := newTestRenderer(t, "hang")
	notes := strings.TrimPrefix(o.Env[1], "PROMPTS_TEST_NOTES=")
	require.NoError(t, unix.Mkfifo(notes, 0o600))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		os.ReadFile(notes) // returns when the command runs and has noted it
		cancel()
	}()
	_, err := r.Media(ctx, "en", "hello", nil)
	assert.ErrorIs(t, err, context.Canceled)
}

func TestManyAtOnce(t *testing.T) {
	r, _, _ := newTestRenderer(t, "tone")
	var wg sync.WaitGroup
	got := make([]string, 8)
	for i := range got {
		wg.Go(func() {
			got[i], _ = r.Media(t.Context(), "es", "hello", nil)
		})
	}
	wg.Wait()
	for _, m := range got {
		assert.Equal(t, got[0], m)
		assert.NotEmpty(t, m)
	}
}
