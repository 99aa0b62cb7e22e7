package prompts

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/callward/callward/internal/g711"
)

// EspeakArgs are what espeak-ng is run with: a calm pace, text on standard input.
var EspeakArgs = []string{"-v", "{voice}", "-s", "150", "-b", "1", "--stdin", "--stdout"}

// RenderOptions says how texts become sound.
type RenderOptions struct {
	// Dir receives <lang>/<id>-<hash>.ulaw, a link <lang>/<id>.ulaw for prompts without
	// variables (the dialplan's), and hold/hold.ulaw, the hold music.
	Dir string
	// Studio holds recordings made by a person, <lang>/<id>.wav or .ulaw, which win. One
	// of a prompt with variables is used only when Vars gives them all: it must say
	// them. May be empty.
	Studio string
	// Command reads the text on its standard input and writes a WAV file to its standard
	// output; {voice} in an argument is replaced. Empty: espeak-ng with EspeakArgs.
	Command []string
	// Env is added to the command's environment.
	Env []string
	// Voices maps a language to {voice}. Empty: en-us and es-419.
	Voices map[string]string
	// Vars are known before any call ("organisation", "callback"): RenderAll renders
	// every prompt that needs no other, and they need not be given again later.
	Vars map[string]string
}

// commandLimit bounds the rendering of one prompt, soundLimit what it may write.
const (
	commandLimit = 60 * time.Second
	soundLimit   = 32 << 20
)

// processing is part of a file's hash: raise it when sound.go changes what is heard.
const processing = "1"

// ErrSilent: the command or a studio recording gave no sound.
var ErrSilent = errors.New("prompts: nothing is heard")

// Renderer renders and keeps prompts. Safe for concurrent use, also by several
// processes over one directory.
type Renderer struct {
	c *Catalogue
	o RenderOptions

	mu    sync.Mutex
	ready map[string]bool // files known to be there
}

// NewRenderer returns a renderer; nothing is rendered yet.
func NewRenderer(c *Catalogue, o RenderOptions) *Renderer {
	if len(o.Command) == 0 {
		o.Command = append([]string{"espeak-ng"}, EspeakArgs...)
	}
	if o.Voices == nil {
		o.Voices = map[string]string{"en": "en-us", "es": "es-419"}
	}
	if dir, err := filepath.Abs(o.Dir); err == nil {
		o.Dir = dir
	}
	return &Renderer{c: c, o: o, ready: map[string]bool{}}
}

// Dir is where the files are, absolute.
func (r *Renderer) Dir() string { return r.o.Dir }

// Catalogue is what it renders.
func (r *Renderer) Catalogue() *Catalogue { return r.c }

// RenderAll renders what can be rendered before any call, and the hold music. What is
// there already is kept. progress may be nil; its calls come one at a time.
func (r *Renderer) RenderAll(ctx context.Context, progress func(done, total int)) error {
	type job struct{ lang, id string }
	var jobs []job
	for _, lang := range r.c.Languages() {
		for _, id := range r.c.IDs() {
			if r.fixed(id) {
				jobs = append(jobs, job{lang, id})
			}
		}
	}
	if err := r.hold(); err != nil {
		return err
	}
	var mu sync.Mutex
	var done int
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(2)
	for _, j := range jobs {
		g.Go(func() error {
			path, err := r.file(gctx, j.lang, j.id, nil)
			if err != nil {
				return err
			}
			if len(r.c.Variables(j.id)) == 0 {
				if err := link(path, filepath.Join(r.o.Dir, j.lang, j.id+".ulaw")); err != nil {
					return err
				}
			}
			mu.Lock()
			defer mu.Unlock()
			done++
			if progress != nil {
				progress(done, len(jobs))
			}
			return nil
		})
	}
	return g.Wait()
}

// fixed tells whether every variable of the prompt is known before a call.
func (r *Renderer) fixed(id string) bool {
	return !slices.ContainsFunc(r.c.Variables(id), func(name string) bool { return r.o.Vars[name] == "" })
}

// Media renders one prompt unless it is there and returns what ARI plays:
// "sound:/absolute/path" without the extension. The name holds the hash of the text as
// spoken, so a prompt that changes gets another file and the old one stays as evidence.
func (r *Renderer) Media(ctx context.Context, lang, id string, vars map[string]string) (string, error) {
	path, err := r.file(ctx, lang, id, vars)
	if err != nil {
		return "", err
	}
	return "sound:" + strings.TrimSuffix(path, ".ulaw"), nil
}

// PCM is the prompt as Asterisk will play it: 8 kHz, mono, 16 bit, after mu-law.
func (r *Renderer) PCM(ctx context.Context, lang, id string, vars map[string]string) ([]int16, error) {
	path, err := r.file(ctx, lang, id, vars)
	if err != nil {
		return nil, err
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("prompts: %w", err)
	}
	return g711.DecodeAll(b), nil
}

// file is the path of the rendered prompt, rendered now if need be.
func (r *Renderer) file(ctx context.Context, lang, id string, vars map[string]string) (string, error) {
	all := map[string]string{}
	for _, m := range []map[string]string{r.o.Vars, vars} {
		for k, v := range m {
			all[k] = v
		}
	}
	text, err := r.c.Text(lang, id, all)
	if err != nil {
		return "", err
	}
	studio, err := r.studio(lang, id)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	fmt.Fprintf(h, "%q %q %q", processing, text, r.o.Voices[lang])
	if studio.data != nil {
		h.Write(studio.data)
	} else {
		fmt.Fprintf(h, "%q", r.o.Command)
	}
	path := filepath.Join(r.o.Dir, lang, id+"-"+hex.EncodeToString(h.Sum(nil))[:16]+".ulaw")
	if r.there(path) {
		return path, nil
	}
	var b []byte
	if studio.data != nil {
		b, err = studio.ulaw()
	} else {
		b, err = r.speak(ctx, lang, text)
	}
	if err != nil {
		return "", fmt.Errorf("prompts: %s %s: %w", lang, id, err)
	}
	if err := write(path, b); err != nil {
		return "", err
	}
	return path, nil
}

func (r *Renderer) there(path string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.ready[path] {
		info, err := os.Stat(path)
		r.ready[path] = err == nil && info.Size() > 0
	}
	return r.ready[path]
}

// speak runs the command.
func (r *Renderer) speak(ctx context.Context, lang, text string) ([]byte, error) {
	voice := r.o.Voices[lang]
	if voice == "" {
		return nil, fmt.Errorf("no voice for language %q: add it to the voices", lang)
	}
	args := make([]string, len(r.o.Command))
	for i, a := range r.o.Command {
		args[i] = strings.ReplaceAll(a, "{voice}", voice)
	}
	ctx, cancel := context.WithTimeout(ctx, commandLimit)
	defer cancel()
	out, log := &limited{left: soundLimit}, &limited{left: 64 << 10}
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Env = append(os.Environ(), r.o.Env...)
	cmd.Stdin = strings.NewReader(text)
	cmd.Stdout, cmd.Stderr = out, log
	cmd.WaitDelay = time.Second
	if err := cmd.Run(); err != nil {
		switch {
		case out.over || log.over:
			err = errFlood
		case ctx.Err() != nil:
			err = context.Cause(ctx)
		}
		return nil, fmt.Errorf("speech command %s: %w: %s", filepath.Base(args[0]), err, strings.TrimSpace(log.b.String()))
	}
	s, err := readWAV(out.b.Bytes())
	if err != nil {
		return nil, fmt.Errorf("speech command %s: %w", filepath.Base(args[0]), err)
	}
	s = s.resample().trim().level()
	if len(s.samples) == 0 {
		return nil, ErrSilent
	}
	return s.ulaw(), nil
}

var errFlood = errors.New("more output than a prompt can have")

// limited is a buffer that refuses more than left bytes.
type limited struct {
	b    bytes.Buffer // not embedded: its ReadFrom would go past Write
	left int
	over bool
}

func (l *limited) Write(b []byte) (int, error) {
	if len(b) > l.left {
		l.over = true
		return 0, errFlood
	}
	l.left -= len(b)
	return l.b.Write(b)
}

// recording is what a person made.
type recording struct {
	data []byte
	raw  bool // mu-law already
}

// studio looks for a person's recording of the prompt.
func (r *Renderer) studio(lang, id string) (recording, error) {
	if r.o.Studio == "" || !r.fixed(id) {
		return recording{}, nil
	}
	for _, ext := range []string{".wav", ".ulaw"} {
		b, err := os.ReadFile(filepath.Join(r.o.Studio, lang, id+ext))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return recording{}, fmt.Errorf("prompts: studio recording: %w", err)
		}
		if len(b) == 0 {
			return recording{}, fmt.Errorf("prompts: studio recording %s of %s: %w: replace or remove it", id+ext, lang, ErrSilent)
		}
		return recording{data: b, raw: ext == ".ulaw"}, nil
	}
	return recording{}, nil
}

// ulaw keeps a person's recording as it is, at Asterisk's rate.
func (s recording) ulaw() ([]byte, error) {
	if s.raw {
		return s.data, nil
	}
	w, err := readWAV(s.data)
	if err != nil {
		return nil, fmt.Errorf("studio recording: %w", err)
	}
	if w.rms() == 0 {
		return nil, ErrSilent
	}
	return w.resample().ulaw(), nil
}

// hold writes the hold music unless it is there.
func (r *Renderer) hold() error {
	path := filepath.Join(r.o.Dir, "hold", "hold.ulaw")
	b := holdMusic().ulaw()
	if there, err := os.ReadFile(path); err == nil && bytes.Equal(there, b) {
		return nil
	}
	return write(path, b)
}

// write replaces path whole.
func write(path string, b []byte) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("prompts: %w", err)
	}
	f, err := os.CreateTemp(dir, ".new-")
	if err != nil {
		return fmt.Errorf("prompts: %w", err)
	}
	defer os.Remove(f.Name())
	_, err = f.Write(b)
	err = errors.Join(err, f.Chmod(0o644), f.Close()) // prompts hold nothing secret, Asterisk may be another user
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("prompts: %w", err)
	}
	return nil
}

// link makes path a link to target beside it.
func link(target, path string) error {
	name := filepath.Base(target)
	if now, err := os.Readlink(path); err == nil && now == name {
		return nil
	}
	dir, err := os.MkdirTemp(filepath.Dir(path), ".link-")
	if err != nil {
		return fmt.Errorf("prompts: %w", err)
	}
	defer os.RemoveAll(dir)
	fresh := filepath.Join(dir, "link")
	if err := os.Symlink(name, fresh); err != nil {
		return fmt.Errorf("prompts: %w", err)
	}
	if err := os.Rename(fresh, path); err != nil {
		return fmt.Errorf("prompts: %w", err)
	}
	return nil
}
