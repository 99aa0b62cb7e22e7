package lab

import (
	"context"
	"errors"

	asteriskconfig "github.com/callward/callward/asterisk-config"
)

// AsteriskOptions describes one Asterisk.
type AsteriskOptions struct {
	// Dir is the run directory. Made with mode 0700.
	Dir string
	// App is the Stasis application. Empty: "callward".
	App string
	// Agents, Patients and Interpreters get random passwords where they have none.
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
	// FastAGI is host:port of a FastAGI server.
	FastAGI string
	// Bench loads what benchmarks compare with. See asteriskconfig.Site.
	Bench bool
}

// Asterisk is a running one.
type Asterisk struct {
	ARIURL, ARIUser, ARIPassword string // https://127.0.0.1:port
	CAFile                       string
	SIPAddr                      string // TLS host:port
	Dir                          string
	Site                         asteriskconfig.Site // with the passwords of the phones
}

// StartAsterisk configures and starts one and returns when ARI answers.
func StartAsterisk(ctx context.Context, in Install, o AsteriskOptions) (*Asterisk, error) {
	return nil, errors.ErrUnsupported
}

// Stop asks Asterisk to end and waits; past the context's end it is killed.
func (a *Asterisk) Stop(ctx context.Context) error { return errors.ErrUnsupported }

// Kill ends it at once, as a power cut would.
func (a *Asterisk) Kill() {}

// Restart stops it and starts it again with the same configuration and ports.
func (a *Asterisk) Restart(ctx context.Context) error { return errors.ErrUnsupported }

// CLI runs a console command and returns what it printed.
func (a *Asterisk) CLI(ctx context.Context, command string) (string, error) {
	return "", errors.ErrUnsupported
}

// PID is the process id, 0 when it does not run.
func (a *Asterisk) PID() int { return 0 }

// Log is everything Asterisk logged so far.
func (a *Asterisk) Log() string { return "" }

// LogProblems returns the warnings and errors in the log, one per line.
func (a *Asterisk) LogProblems() []string { return nil }
