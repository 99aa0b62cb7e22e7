// Package scene sets the stage for one play: a real Asterisk, a site made with
// callward's own commands, a running "callward serve", and phones.
//
// The demo and the end-to-end tests use it, so both go the way an operator
// goes: through the binary. Nothing here reaches into a room of the product
// but what any program can see: its commands, its log, its files. Patients and
// agents are made up.
package scene

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	asteriskconfig "github.com/callward/callward/asterisk-config"
	"github.com/callward/callward/internal/lab"
	"github.com/callward/callward/internal/lab/recognise"
	"github.com/callward/callward/internal/lab/softphone"
	"github.com/callward/callward/internal/prompts"
)

// Agent is one agent of the play.
type Agent struct {
	ID        string // "alice"; the phone is agent-alice
	Name      string
	State     string
	Untrained bool
	NoConsent bool // has not agreed to be recorded at work
	OffDuty   bool
}

// Options of a scene. Binary is required.
type Options struct {
	Dir      string // run directory; made with mode 0700
	Binary   string // the callward program
	Name     string // organisation
	Callback string
	Agents   []Agent
	// Patients, Visits and Invoices are CSV documents for "patient import".
	Patients, Visits, Invoices string
	// Env overrides configuration keys: "CALLWARD_QUEUE_RING_TIMEOUT=3s".
	Env []string
	// Progress is told what takes time.
	Progress func(stage string, done, total int64)
	// RTPTimeout and Bench are for Asterisk.
	RTPTimeout int
	Bench      bool
	// RecordingDir replaces the folder of sealed recordings.
	RecordingDir string
	// Short replaces every prompt that needs no agent by two seconds of sound of
	// its own, as a studio recording would: for tests that do not listen to
	// words.
	Short bool
}

// Scene is a set stage.
type Scene struct {
	Dir      string
	Config   string // path of callward.yaml
	Identity string // the officer's, in a folder of its own
	Install  lab.Install
	Asterisk *lab.Asterisk
	Prompts  *prompts.Renderer
	Events   *Events
	Options  Options

	mu    sync.Mutex
	serve *process
	ears  *recognise.Catalogue
}

type process struct {
	cmd  *exec.Cmd
	done chan struct{}
	err  error
}

func (o Options) progress(stage string, done, total int64) {
	if o.Progress != nil {
		o.Progress(stage, done, total)
	}
}

// Open sets the stage up to, but not including, "callward serve". ctx is the
// life of the scene.
func Open(ctx context.Context, o Options) (_ *Scene, err error) {
	if o.Name == "" {
		o.Name = "Lakeside Clinic"
	}
	if o.Callback == "" {
		o.Callback = "+12065550100"
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	s := &Scene{Dir: dir, Options: o, Config: filepath.Join(dir, "site", "callward.yaml"),
		Identity: filepath.Join(dir, "officer", "officer.identity"), Events: newEvents()}
	if s.Install, err = lab.Fetch(ctx, lab.FetchOptions{Progress: o.Progress}); err != nil {
		return nil, err
	}
	if err := s.renderPrompts(ctx); err != nil {
		return nil, err
	}
	o.progress("asterisk", 0, 1)
	agents := []asteriskconfig.AgentPhone{}
	for _, a := range o.Agents {
		agents = append(agents, asteriskconfig.AgentPhone{ID: "agent-" + a.ID, CallerIDName: a.Name})
	}
	s.Asterisk, err = lab.StartAsterisk(ctx, s.Install, lab.AsteriskOptions{
		Dir: filepath.Join(dir, "asterisk"), Agents: agents, PromptsDir: s.promptsDir(),
		Interpreters: []asteriskconfig.Phone{{ID: "interpreter"}}, RTPTimeout: o.RTPTimeout, Bench: o.Bench,
	})
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	o.progress("asterisk", 1, 1)
	o.progress("site", 0, 1)
	if err := s.initSite(ctx); err != nil {
		return nil, err
	}
	o.progress("site", 1, 1)
	return s, nil
}

// promptsDir is where rendered prompts are kept: the cache, which all scenes of
// this machine share.
func (s *Scene) promptsDir() string {
	if s.Options.Short {
		return filepath.Join(s.Install.CacheDir, "prompts-2s")
	}
	return filepath.Join(s.Install.CacheDir, "prompts")
}

func (s *Scene) studioDir() string {
	if s.Options.Short {
		return filepath.Join(s.Install.CacheDir, "studio-2s")
	}
	return ""
}

func (s *Scene) renderPrompts(ctx context.Context) error {
	catalogue, err := prompts.Load(asteriskconfig.Prompts)
	if err != nil {
		return err
	}
	if err := s.recordStudio(catalogue); err != nil {
		return err
	}
	argv, env := s.Install.CommandLine("espeak-ng")
	s.Prompts = prompts.NewRenderer(catalogue, prompts.RenderOptions{
		Dir: s.promptsDir(), Studio: s.studioDir(), Command: append(argv, prompts.EspeakArgs...), Env: env,
		Vars: map[string]string{"organisation": s.Options.Name, "callback": s.Options.Callback},
	})
	return s.Prompts.RenderAll(ctx, func(done, total int) { s.Options.progress("prompts", int64(done), int64(total)) })
}

// studio is held while the short sounds are made: scenes share them.
var studio sync.Mutex

// recordStudio makes the short sounds of Options.Short, once.
func (s *Scene) recordStudio(c *prompts.Catalogue) error {
	if !s.Options.Short {
		return nil
	}
	studio.Lock()
	defer studio.Unlock()
	for i, lang := range c.Languages() {
		if err := os.MkdirAll(filepath.Join(s.studioDir(), lang), 0o755); err != nil {
			return err
		}
		for n, id := range c.IDs() {
			path := filepath.Join(s.studioDir(), lang, id+".wav")
			if _, err := os.Stat(path); err == nil || id == "agent_announce" {
				continue
			}
			part := fmt.Sprintf("%s.%d", path, os.Getpid())
			if err := softphone.WriteWAV(part, softphone.Speech(1000*(i+1)+n, 2*time.Second)); err != nil {
				return err
			}
			if err := os.Rename(part, path); err != nil {
				return err
			}
		}
	}
	return nil
}

// initSite does what an admin does: init, agents, training, patients.
func (s *Scene) initSite(ctx context.Context) error {
	site := filepath.Dir(s.Config)
	if err := os.MkdirAll(filepath.Dir(s.Identity), 0o700); err != nil {
		return err
	}
	if _, err := os.Stat(s.Config); err == nil {
		return s.pointAtAsterisk(site)
	}
	if _, err := s.Command(ctx, "init", "--dir", site, "--name", s.Options.Name, "--callback-number", s.Options.Callback,
		"--officer-identity", s.Identity); err != nil {
		return err
	}
	if err := s.pointAtAsterisk(site); err != nil {
		return err
	}
	for _, a := range s.Options.Agents {
		state := a.State
		if state == "" {
			state = "WA"
		}
		add := []string{"agent", "add", a.ID, "--name", a.Name, "--endpoint", "PJSIP/agent-" + a.ID, "--state", state, "--hired", "2025-01-06"}
		if !a.NoConsent {
			add = append(add, "--recording-consent")
		}
		if _, err := s.Command(ctx, add...); err != nil {
			return err
		}
		if !a.Untrained {
			if _, err := s.Command(ctx, "agent", "train", a.ID, "--course", "hipaa-basics"); err != nil {
				return err
			}
		}
		if !a.OffDuty {
			if _, err := s.Command(ctx, "agent", "duty", a.ID, "on"); err != nil {
				return err
			}
		}
	}
	for name, text := range map[string]string{"patients.csv": s.Options.Patients} {
		if text == "" {
			continue
		}
		if err := s.importCSV(ctx, name, text); err != nil {
			return err
		}
	}
	for _, f := range []struct{ name, text string }{{"visits.csv", s.Options.Visits}, {"invoices.csv", s.Options.Invoices}} {
		if f.text == "" {
			continue
		}
		if err := s.importCSV(ctx, f.name, f.text); err != nil {
			return err
		}
	}
	return nil
}

// importCSV hands a document to "patient import" and removes it again: no plain
// list of patients stays in the run directory.
func (s *Scene) importCSV(ctx context.Context, name, text string) error {
	path := filepath.Join(s.Dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return err
	}
	defer os.Remove(path)
	_, err := s.Command(ctx, "patient", "import", path)
	return err
}

// pointAtAsterisk gives callward the password of the ARI user.
func (s *Scene) pointAtAsterisk(site string) error {
	return os.WriteFile(filepath.Join(site, "ari.password"), []byte(s.Asterisk.ARIPassword+"\n"), 0o600)
}

// env is the environment of every callward command of this scene.
func (s *Scene) env() []string {
	argv, extra := s.Install.CommandLine("espeak-ng")
	env := []string{
		"CALLWARD_CONFIG=" + s.Config,
		"CALLWARD_LOG_FORMAT=json",
		"CALLWARD_PROMPTS_DIR=" + s.promptsDir(),
		"CALLWARD_PROMPTS_COMMAND=" + strings.Join(append(argv, prompts.EspeakArgs...), ","),
		"CALLWARD_INTERPRETER_ENDPOINT=PJSIP/interpreter",
		"CALLWARD_RECORDING_MIN_FREE=1MiB",
		"CALLWARD_QUEUE_WRAP_UP=1s",
	}
	if s.Asterisk != nil {
		env = append(env, "CALLWARD_ASTERISK_ARI_URL="+s.Asterisk.ARIURL, "CALLWARD_ASTERISK_ARI_CA_FILE="+s.Asterisk.CAFile,
			"CALLWARD_ASTERISK_ARI_USER="+s.Asterisk.ARIUser)
	}
	if studio := s.studioDir(); studio != "" {
		env = append(env, "CALLWARD_PROMPTS_STUDIO="+studio)
	}
	if s.Options.RecordingDir != "" {
		env = append(env, "CALLWARD_RECORDING_DIR="+s.Options.RecordingDir)
	}
	env = append(append(os.Environ(), extra...), env...)
	return append(env, s.Options.Env...)
}

// Command runs one callward command and returns what it printed. Its error
// holds what the command said.
func (s *Scene) Command(ctx context.Context, args ...string) ([]byte, error) {
	return s.CommandInput(ctx, nil, args...)
}

// CommandInput is Command with standard input.
func (s *Scene) CommandInput(ctx context.Context, in []byte, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, s.Options.Binary, args...)
	cmd.Env = s.env()
	cmd.Stdin = bytes.NewReader(in)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		return out.Bytes(), fmt.Errorf("callward %s: %w: %s", strings.Join(args[:min(2, len(args))], " "), err, strings.TrimSpace(said.String()))
	}
	return out.Bytes(), nil
}

// Serve starts "callward serve" and returns when it is ready for calls.
func (s *Scene) Serve(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.serve != nil {
		return errors.New("scene: callward is already running")
	}
	cmd := exec.Command(s.Options.Binary, "serve")
	cmd.Env = s.env()
	cmd.Stderr = s.Events
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	mark := s.Events.Mark()
	if err := cmd.Start(); err != nil {
		return err
	}
	p := &process{cmd: cmd, done: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		close(p.done)
	}()
	ready, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-p.done:
			cancel(fmt.Errorf("callward serve ended: %w\n%s", errOr(p.err), s.Events.Tail(12)))
		case <-ready.Done():
		}
	}()
	if _, err := s.Events.Wait(ready, mark, func(e Event) bool { return e.Msg == "ready" }); err != nil {
		_ = cmd.Process.Kill()
		<-p.done
		if cause := context.Cause(ready); cause != nil {
			return cause
		}
		return err
	}
	s.serve = p
	return nil
}

func errOr(err error) error {
	if err == nil {
		return errors.New("without an error")
	}
	return err
}

// Signal sends a signal to "callward serve" and waits until it has ended.
func (s *Scene) Signal(sig syscall.Signal) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.serve == nil {
		return nil
	}
	p := s.serve
	s.serve = nil
	_ = p.cmd.Process.Signal(sig)
	select {
	case <-p.done:
	case <-time.After(20 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.done
		return errors.New("scene: callward serve did not stop within 20 s")
	}
	return nil
}

// PID of "callward serve", 0 when it does not run.
func (s *Scene) PID() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.serve == nil {
		return 0
	}
	return s.serve.cmd.Process.Pid
}

// Close ends everything that was started. It may be called twice.
func (s *Scene) Close() {
	_ = s.Signal(syscall.SIGTERM)
	if s.Asterisk != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = s.Asterisk.Stop(ctx)
	}
}

// AgentPhone registers the phone of an agent.
func (s *Scene) AgentPhone(ctx context.Context, id string) (*softphone.Phone, error) {
	for _, a := range s.Asterisk.Site.Agents {
		if a.ID == "agent-"+id {
			return s.register(ctx, a.ID, a.Password)
		}
	}
	return nil, fmt.Errorf("scene: no agent %s", id)
}

// InterpreterPhone registers the third party's phone.
func (s *Scene) InterpreterPhone(ctx context.Context) (*softphone.Phone, error) {
	p := s.Asterisk.Site.Interpreters[0]
	return s.register(ctx, p.ID, p.Password)
}

// EmergencyPhone registers the phone that stands for the emergency services.
func (s *Scene) EmergencyPhone(ctx context.Context) (*softphone.Phone, error) {
	p := s.Asterisk.Site.Emergency[0]
	return s.register(ctx, p.ID, p.Password)
}

func (s *Scene) register(ctx context.Context, user, password string) (*softphone.Phone, error) {
	p, err := softphone.New(ctx, softphone.Config{Server: s.Asterisk.SIPAddr, User: user, Password: password, CAFile: s.Asterisk.CAFile})
	if err != nil {
		return nil, err
	}
	if err := p.Register(ctx); err != nil {
		_ = p.Close()
		return nil, err
	}
	return p, nil
}

// PatientPhone is a phone outside that can call the clinic. change may alter
// its configuration.
func (s *Scene) PatientPhone(ctx context.Context, callerID string, change ...func(*softphone.Config)) (*softphone.Phone, error) {
	p := s.Asterisk.Site.Patients[0]
	cfg := softphone.Config{Server: s.Asterisk.SIPAddr, User: p.ID, Password: p.Password, CallerID: callerID, CAFile: s.Asterisk.CAFile}
	for _, c := range change {
		c(&cfg)
	}
	return softphone.New(ctx, cfg)
}
