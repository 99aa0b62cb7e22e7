// Package doctor runs "callward init" and "callward doctor" as an operator would, against a real Asterisk
// with the shipped configuration, and against one that records.
package doctor

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/callward/callward/internal/lab"
)

type finding struct {
	Check, Saw, Mend string
	OK               bool
}

func (f finding) String() string { return f.Check + ": " + f.Saw + ": " + f.Mend }

// operator is a site with the binary that serves it.
type operator struct {
	t      *testing.T
	binary string
	dir    string
	env    []string
}

func (o *operator) run(args ...string) (string, int) {
	o.t.Helper()
	cmd := exec.CommandContext(o.t.Context(), o.binary, args...)
	cmd.Dir = o.dir
	cmd.Env = append(os.Environ(), o.env...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		o.t.Log(stderr.String())
		return string(out), failed.ExitCode()
	}
	require.NoError(o.t, err)
	return string(out), 0
}

func (o *operator) must(args ...string) {
	o.t.Helper()
	out, code := o.run(args...)
	require.Zero(o.t, code, "callward %s: %s", strings.Join(args, " "), out)
}

func (o *operator) doctor() ([]finding, int) {
	o.t.Helper()
	out, code := o.run("doctor", "--json")
	var report struct{ Findings []finding }
	require.NoError(o.t, json.Unmarshal([]byte(out), &report), out)
	return report.Findings, code
}

func (o *operator) points(a *lab.Asterisk) {
	o.t.Helper()
	require.NoError(o.t, os.WriteFile(filepath.Join(o.dir, "site/ari.password"), []byte(a.ARIPassword+"\n"), 0o600))
	o.env = append(o.env, "CALLWARD_ASTERISK_ARI_URL="+a.ARIURL, "CALLWARD_ASTERISK_ARI_CA_FILE="+a.CAFile)
}

func TestDoctorOnARealAsterisk(t *testing.T) {
	dir := t.TempDir()
	binary := filepath.Join(dir, "callward")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "github.com/callward/callward/cmd/callward").CombinedOutput()
	require.NoError(t, err, "%s", out)
	in, err := lab.Fetch(t.Context(), lab.FetchOptions{})
	require.NoError(t, err)

	// The command is a list, which the environment carries with commas.
	speak, env := in.CommandLine("espeak-ng")
	speak = append(speak, "-v", "{voice}", "--stdin", "--stdout")
	o := &operator{t: t, binary: binary, dir: dir, env: append(env,
		"CALLWARD_CONFIG="+filepath.Join(dir, "site/callward.yaml"), "CALLWARD_PROMPTS_COMMAND="+strings.Join(speak, ","))}
	o.must("init", "--dir", "site", "--name", "Mill Street Clinic", "--callback-number", "+12065550100", "--officer-identity", "officer")
	o.must("agent", "add", "alice", "--name", "Alice", "--endpoint", "PJSIP/agent-alice", "--hired", "2026-01-05")
	o.must("agent", "duty", "alice", "on")

	t.Run("as shipped", func(t *testing.T) {
		a, err := lab.StartAsterisk(t.Context(), in, lab.AsteriskOptions{Dir: filepath.Join(dir, "asterisk")})
		require.NoError(t, err)
		defer a.Kill()
		o.points(a)
		findings, code := o.doctor()
		for _, f := range findings {
			assert.True(t, f.OK, f.String())
		}
		assert.Zero(t, code)
		for _, check := range []string{"asterisk", "version", "recorders", "srtp"} {
			assert.True(t, slices.ContainsFunc(findings, func(f finding) bool { return f.Check == check }), check)
		}
	})

	t.Run("with a recorder loaded", func(t *testing.T) {
		a, err := lab.StartAsterisk(t.Context(), in, lab.AsteriskOptions{Dir: filepath.Join(dir, "recording"), Bench: true})
		require.NoError(t, err)
		defer a.Kill()
		o.points(a)
		findings, code := o.doctor()
		assert.Equal(t, 1, code)
		i := slices.IndexFunc(findings, func(f finding) bool { return f.Check == "recorders" })
		require.GreaterOrEqual(t, i, 0)
		assert.False(t, findings[i].OK)
		assert.Contains(t, findings[i].Saw, "app_mixmonitor.so")
		assert.Contains(t, findings[i].Mend, "modules.conf")
	})
}
