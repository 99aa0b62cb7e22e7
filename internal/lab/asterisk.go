package lab

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	asteriskconfig "github.com/callward/callward/asterisk-config"
)

// AsteriskOptions describes one Asterisk.
type AsteriskOptions struct {
	// Dir is the run directory. Made with mode 0700. Below it: etc (configuration),
	// tls (certificates), var (Asterisk's own database), spool (empty, and nothing can
	// be recorded there), run (control socket), log (messages.log, console.log).
	Dir string
	// App is the Stasis application. Empty: "callward".
	App string
	// Agents, Patients and Interpreters get random passwords where they have none.
	// Empty Agents: agent-alice and agent-bob. Empty Patients: patient.
	Agents       []asteriskconfig.AgentPhone
	Patients     []asteriskconfig.Phone
	Interpreters []asteriskconfig.Phone
	// Emergency is where 911 goes. Empty: one account "psap" that a softphone may register as.
	Emergency []asteriskconfig.Phone
	// PromptsDir is what prompts.Renderer rendered into. Empty: the prompts are
	// rendered once into the cache.
	PromptsDir string
	// CertFile, KeyFile and CAFile replace the certificates made in Dir.
	CertFile, KeyFile, CAFile string
	// RTPTimeout in seconds, see asteriskconfig.Site.
	RTPTimeout int
	// FastAGI is host:port of a FastAGI server. Empty: 127.0.0.1:4573.
	FastAGI string
	// Bench loads what benchmarks compare with. See asteriskconfig.Site.
	Bench bool
}

// Asterisk is one that StartAsterisk started. Its methods may be called from any
// goroutine.
type Asterisk struct {
	ARIURL, ARIUser, ARIPassword string // https://127.0.0.1:port
	CAFile                       string
	SIPAddr                      string // TLS host:port
	Dir                          string
	Site                         asteriskconfig.Site // with the passwords of the phones

	in    Install
	etc   string
	base  context.Context // of StartAsterisk: its end kills the process
	short string          // a run directory outside Dir, to be removed

	logFrom map[string]int64 // what the logs held before this Asterisk

	turn sync.Mutex // held by Stop and Restart: one at a time
	mu   sync.Mutex // guards proc
	proc *process
}

// now is the process that runs or ran last.
func (a *Asterisk) now() *process {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.proc
}

// ErrNotRunning: Asterisk ended, or was stopped.
var ErrNotRunning = errors.New("lab: Asterisk is not running")

// startLimit is for a busy machine: half a second is usual.
const startLimit = 60 * time.Second

// StartAsterisk configures and starts one on free ports of 127.0.0.1 and returns when
// ARI answers over verified TLS and all modules are up. The process lives until Stop,
// Kill, the end of ctx or the end of this process, whichever comes first: ctx is
// its life, not the limit of the start.
func StartAsterisk(ctx context.Context, in Install, o AsteriskOptions) (*Asterisk, error) {
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("lab: %w", err)
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("lab: %w", err)
	}
	o.Dir = dir
	a := &Asterisk{Dir: dir, in: in, etc: filepath.Join(dir, "etc"), base: ctx}
	if err := a.configure(ctx, o); err != nil {
		a.cleanUp()
		return nil, err
	}
	a.logFrom = map[string]int64{}
	for _, name := range logs {
		if info, err := os.Stat(filepath.Join(a.Site.LogDir, name)); err == nil {
			a.logFrom[name] = info.Size()
		}
	}
	if err := a.start(ctx); err != nil {
		a.cleanUp()
		return nil, err
	}
	return a, nil
}

// configure settles ports, certificates and passwords and writes the files.
func (a *Asterisk) configure(ctx context.Context, o AsteriskOptions) error {
	certs := Certs{CAFile: o.CAFile, CertFile: o.CertFile, KeyFile: o.KeyFile}
	if certs == (Certs{}) {
		var err error
		if certs, err = MakeCerts(filepath.Join(o.Dir, "tls"), time.Now()); err != nil {
			return err
		}
	}
	if o.PromptsDir == "" {
		r, err := Prompts(a.in, "", nil)
		if err != nil {
			return err
		}
		if err := r.RenderAll(ctx, nil); err != nil {
			return err
		}
		o.PromptsDir = r.Dir()
	}
	ports, err := freePorts(2)
	if err != nil {
		return err
	}
	rtp := 10000 + 500*random(40)
	s := asteriskconfig.Site{
		ModulesDir: a.in.ModulesDir, DataDir: a.in.DataDir,
		VarDir: filepath.Join(o.Dir, "var"), SpoolDir: filepath.Join(o.Dir, "spool"),
		RunDir: filepath.Join(o.Dir, "run"), LogDir: filepath.Join(o.Dir, "log"),
		SIPBind:   loopback(ports[0]),
		HTTPSBind: loopback(ports[1]),
		RTPStart:  rtp, RTPEnd: rtp + 499, RTPTimeout: o.RTPTimeout,
		CertFile: certs.CertFile, KeyFile: certs.KeyFile, CAFile: certs.CAFile,
		App: or(o.App, "callward"), ARIUser: "callward", ARIPassword: rand.Text(),
		FastAGI:    or(o.FastAGI, "127.0.0.1:4573"),
		PromptsDir: o.PromptsDir,
		Agents:     slices.Clone(o.Agents), Patients: slices.Clone(o.Patients),
		Interpreters: slices.Clone(o.Interpreters), Emergency: slices.Clone(o.Emergency),
		Bench: o.Bench,
	}
	if len(s.RunDir) > 80 { // the control socket's name has room for 107 bytes
		if a.short, err = os.MkdirTemp("", "callward-"); err != nil {
			return fmt.Errorf("lab: %w", err)
		}
		s.RunDir = a.short
	}
	phones(&s)
	if err := asteriskconfig.Render(a.etc, s); err != nil {
		return err
	}
	a.Site = s
	a.ARIURL = "https://" + s.HTTPSBind
	a.ARIUser, a.ARIPassword = s.ARIUser, s.ARIPassword
	a.CAFile, a.SIPAddr = s.CAFile, s.SIPBind
	return nil
}

// phones fills in the default accounts and the passwords that are missing.
func phones(s *asteriskconfig.Site) {
	if len(s.Agents) == 0 {
		s.Agents = []asteriskconfig.AgentPhone{{ID: "agent-alice"}, {ID: "agent-bob"}}
	}
	if len(s.Patients) == 0 {
		s.Patients = []asteriskconfig.Phone{{ID: "patient"}}
	}
	if len(s.Emergency) == 0 {
		s.Emergency = []asteriskconfig.Phone{{ID: "psap"}}
	}
	for i := range s.Agents {
		s.Agents[i].Password = or(s.Agents[i].Password, rand.Text())
	}
	for _, list := range [][]asteriskconfig.Phone{s.Patients, s.Interpreters, s.Emergency} {
		for i := range list {
			if len(list[i].Match) == 0 {
				list[i].Password = or(list[i].Password, rand.Text())
			}
		}
	}
}

// start runs the process and waits until it serves.
func (a *Asterisk) start(ctx context.Context) error {
	argv, env := a.in.CommandLine("asterisk")
	argv = append(argv, "-C", filepath.Join(a.etc, "asterisk.conf"), "-f", "-n")
	env = append(env, "HOME="+a.Site.VarDir, "TERM=dumb")
	p, err := startProcess(a.base, argv, env, filepath.Join(a.Site.LogDir, "console.log"))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	if err := a.waitReady(ctx, p); err != nil {
		p.kill()
		if said := a.LogProblems(); len(said) > 0 {
			return fmt.Errorf("%w; its log says: %s", err, strings.Join(said[:min(len(said), 5)], " | "))
		}
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.proc = p
	return nil
}

// waitReady waits for ARI, then for the last module, then for the SIP listener.
func (a *Asterisk) waitReady(ctx context.Context, p *process) error {
	pool, err := caPool(a.CAFile)
	if err != nil {
		return err
	}
	client := pinger(pool)
	defer client.CloseIdleConnections()
	try := func(what string, f func() error) error {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			err := f()
			if err == nil {
				return nil
			}
			if strings.Contains(a.Log(), "Failed to load module") { // it may then hang
				return fmt.Errorf("%w: a module it needs did not load", ErrNotRunning)
			}
			select {
			case <-p.done:
				return fmt.Errorf("lab: Asterisk ended while starting: %w", p.ended())
			case <-ctx.Done():
				return fmt.Errorf("lab: wait for %s: %w (last: %w)", what, context.Cause(ctx), err)
			case <-tick.C:
			}
		}
	}
	if err := try("ARI", func() error { return ping(ctx, client, a.ARIURL, a.ARIUser, a.ARIPassword) }); err != nil {
		return err
	}
	if err := try("the last module", func() error {
		_, err := a.CLI(ctx, "core waitfullybooted")
		return err
	}); err != nil {
		return err
	}
	return try("the SIP listener", func() error {
		c, err := tls.DialWithDialer(&net.Dialer{Timeout: time.Second}, "tcp", a.SIPAddr, &tls.Config{RootCAs: pool})
		if err == nil {
			c.Close()
		}
		return err
	})
}

// Stop asks Asterisk to end, which hangs up every call, and waits; when ctx ends first
// it is killed. It may be called again.
func (a *Asterisk) Stop(ctx context.Context) error {
	a.turn.Lock()
	defer a.turn.Unlock()
	defer a.cleanUp()
	return a.now().stop(ctx)
}

// Kill ends it at once, as a power cut would, and waits until it is gone.
func (a *Asterisk) Kill() { a.now().kill() }

// Restart stops it and starts it again with the same configuration and ports.
func (a *Asterisk) Restart(ctx context.Context) error {
	a.turn.Lock()
	defer a.turn.Unlock()
	if err := a.now().stop(ctx); err != nil {
		return err
	}
	if err := os.MkdirAll(a.Site.RunDir, 0o700); err != nil {
		return fmt.Errorf("lab: %w", err)
	}
	return a.start(ctx)
}

// Done is closed when the process has ended. Restart makes another.
func (a *Asterisk) Done() <-chan struct{} { return a.now().done }

// CLI runs a console command and returns what it printed.
func (a *Asterisk) CLI(ctx context.Context, command string) (string, error) {
	if strings.ContainsAny(command, "\r\n\x00") {
		return "", errors.New("lab: a console command is one line")
	}
	argv, env := a.in.CommandLine("asterisk")
	out, err := output(ctx, shortLimit, append(env, "HOME="+a.Site.VarDir),
		argv[0], append(argv[1:], "-C", filepath.Join(a.etc, "asterisk.conf"), "-n", "-rx", command)...)
	return strings.TrimRight(string(out), "\n"), err
}

// PID is the process id, 0 when it does not run.
func (a *Asterisk) PID() int {
	p := a.now()
	select {
	case <-p.done:
		return 0
	default:
		return p.pid
	}
}

// logs are Asterisk's own log and what it printed.
var logs = []string{"messages.log", "console.log"}

// Log is everything this Asterisk logged so far, over all its restarts. What an
// earlier one left in the same directory is not in it.
func (a *Asterisk) Log() string {
	var all []byte
	for _, name := range logs {
		b, err := os.ReadFile(filepath.Join(a.Site.LogDir, name))
		if err == nil && int64(len(b)) >= a.logFrom[name] {
			all = append(all, b[a.logFrom[name]:]...)
		}
	}
	return string(all)
}

// peerGone is what Asterisk logs as an error when a TLS client closes first or dies,
// as a killed controller does. It says nothing about Asterisk.
const peerGone = "ast_iostream_close: SSL_shutdown() failed"

// LogProblems returns the warnings and errors in the log, one each, but for those that
// only say that a TLS client went away. A healthy Asterisk has none.
func (a *Asterisk) LogProblems() []string {
	var found []string
	for line := range strings.Lines(a.Log()) {
		if strings.Contains(line, peerGone) {
			continue
		}
		if strings.Contains(line, "WARNING") || strings.Contains(line, "ERROR") || strings.Contains(line, "rror:") {
			found = append(found, strings.TrimSpace(line))
		}
	}
	return found
}

func (a *Asterisk) cleanUp() {
	if a.short != "" {
		os.RemoveAll(a.short)
	}
}

// freePorts finds n free TCP ports of 127.0.0.1 below the range the kernel hands out
// itself, so that they are still free after a restart.
func freePorts(n int) ([]int, error) {
	var ports []int
	var held []net.Listener
	defer func() {
		for _, l := range held {
			l.Close()
		}
	}()
	for range 1000 {
		port := 12000 + random(20000)
		l, err := net.Listen("tcp", loopback(port))
		if err != nil {
			continue
		}
		held = append(held, l)
		if ports = append(ports, port); len(ports) == n {
			return ports, nil
		}
	}
	return nil, errors.New("lab: no free TCP port between 12000 and 32000 on 127.0.0.1")
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// random is a number in [0, n).
func random(n int64) int {
	v, err := rand.Int(rand.Reader, big.NewInt(n))
	if err != nil { // crypto/rand.Reader never fails
		panic(err)
	}
	return int(v.Int64())
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
