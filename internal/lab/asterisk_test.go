package lab_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	asteriskconfig "github.com/callward/callward/asterisk-config"
	"github.com/callward/callward/internal/lab"
)

// fetched is the Asterisk of these tests, fetched once.
var fetched = sync.OnceValues(func() (lab.Install, error) {
	return lab.Fetch(context.Background(), lab.FetchOptions{})
})

// start starts an Asterisk that ends with the test, its log without a problem.
func start(t *testing.T, o lab.AsteriskOptions) *lab.Asterisk {
	t.Helper()
	var a *lab.Asterisk
	t.Cleanup(func() {
		if a != nil {
			assert.Empty(t, a.LogProblems())
		}
	})
	a = provoked(t, o)
	return a
}

// provoked is one that the test makes complain.
func provoked(t *testing.T, o lab.AsteriskOptions) *lab.Asterisk {
	t.Helper()
	in, err := fetched()
	require.NoError(t, err)
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	a, err := lab.StartAsterisk(context.Background(), in, o)
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		assert.NoError(t, a.Stop(ctx))
	})
	return a
}

// ari sends one request and returns the status and the answer.
func ari(t *testing.T, a *lab.Asterisk, method, path string) (int, []byte) {
	t.Helper()
	pem, err := os.ReadFile(a.CAFile)
	require.NoError(t, err)
	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM(pem))
	client := &http.Client{
		Timeout:   10 * time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, DisableKeepAlives: true},
	}
	req, err := http.NewRequestWithContext(t.Context(), method, a.ARIURL+"/ari"+path, nil)
	require.NoError(t, err)
	req.SetBasicAuth(a.ARIUser, a.ARIPassword)
	resp, err := client.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, b
}

func TestStartsClean(t *testing.T) {
	a := start(t, lab.AsteriskOptions{})
	assert.Empty(t, a.LogProblems())
	code, b := ari(t, a, "GET", "/asterisk/info")
	require.Equal(t, 200, code)
	var info struct {
		System struct{ Version string }
	}
	require.NoError(t, json.Unmarshal(b, &info))
	assert.Contains(t, info.System.Version, "22.")

	out, err := a.CLI(t.Context(), "module show like recor")
	require.NoError(t, err)
	assert.Contains(t, out, "res_stasis_recording.so")
	assert.NotContains(t, out, "app_")
	out, err = a.CLI(t.Context(), "module show like mixmonitor")
	require.NoError(t, err)
	assert.Contains(t, out, "0 modules loaded")

	limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", a.PID()))
	require.NoError(t, err)
	assert.Regexp(t, `Max core file size\s+0\s+0\s`, string(limits))

	_, err = a.CLI(t.Context(), "core show uptime\ncore stop now")
	assert.Error(t, err)
}

// Only TLS listens, and only the new kinds of it.
func TestOnlyTLSListens(t *testing.T) {
	a := provoked(t, lab.AsteriskOptions{})
	pem, err := os.ReadFile(a.CAFile)
	require.NoError(t, err)
	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM(pem))
	for _, addr := range []string{a.SIPAddr, strings.TrimPrefix(a.ARIURL, "https://")} {
		dial := func(c *tls.Config) error {
			conn, err := tls.DialWithDialer(&net.Dialer{Timeout: 5 * time.Second}, "tcp", addr, c)
			if err == nil {
				conn.Close()
			}
			return err
		}
		assert.NoError(t, dial(&tls.Config{RootCAs: pool, MaxVersion: tls.VersionTLS12}))
		assert.NoError(t, dial(&tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS13}))
		assert.Error(t, dial(&tls.Config{RootCAs: pool, MaxVersion: tls.VersionTLS12,
			CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}}))
		assert.Error(t, dial(&tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}))
		assert.Error(t, dial(&tls.Config{}), "the host's authorities do not know it")
		assert.Error(t, dial(&tls.Config{RootCAs: pool, ServerName: "clinic.example.org"}))
	}
	// No other socket of the process takes connections. (Of UDP there are media ports
	// while a call lasts, and the SIP stack's name resolver.)
	want := map[string]bool{a.SIPAddr: true, strings.TrimPrefix(a.ARIURL, "https://"): true}
	for _, addr := range listening(t, a.PID()) {
		assert.True(t, want[addr], "%s is open", addr)
	}
}

// listening are the TCP sockets of a process that wait for anybody.
func listening(t *testing.T, pid int) []string {
	t.Helper()
	inodes := map[string]bool{}
	fds, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	require.NoError(t, err)
	for _, fd := range fds {
		if name, err := os.Readlink(fd); err == nil && strings.HasPrefix(name, "socket:[") {
			inodes[strings.Trim(name, "socket:[]")] = true
		}
	}
	var found []string
	for _, proto := range []string{"tcp", "tcp6"} {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/%s", pid, proto))
		if err != nil {
			continue // no IPv6 here
		}
		for line := range strings.Lines(string(b)) {
			f := strings.Fields(line)
			if len(f) < 10 || !inodes[f[9]] || f[3] != "0A" {
				continue
			}
			var a, b, c, d byte
			var port int
			if _, err := fmt.Sscanf(f[1], "%02X%02X%02X%02X:%04X", &d, &c, &b, &a, &port); err == nil && proto == "tcp" {
				found = append(found, fmt.Sprintf("%d.%d.%d.%d:%d", a, b, c, d, port))
			} else {
				found = append(found, proto+" "+f[1])
			}
		}
	}
	return found
}

// Nothing can be recorded, whoever asks and however.
func TestNothingCanBeRecorded(t *testing.T) {
	a := provoked(t, lab.AsteriskOptions{})
	code, _ := ari(t, a, "POST", "/bridges/b1?type=mixing")
	require.Equal(t, 200, code)
	code, _ = ari(t, a, "POST", "/bridges/b1/record?name=x&format=ulaw")
	assert.GreaterOrEqual(t, code, 400)
	_, b := ari(t, a, "GET", "/recordings/stored")
	assert.NotContains(t, string(b), "x")
	info, err := os.Lstat(filepath.Join(a.Site.SpoolDir, "recording"))
	require.NoError(t, err)
	assert.True(t, info.Mode().IsRegular() && info.Size() == 0)
}

func TestTwoAtOnce(t *testing.T) {
	var wg sync.WaitGroup
	all := make([]*lab.Asterisk, 2)
	for i := range all {
		wg.Go(func() { all[i] = start(t, lab.AsteriskOptions{}) })
	}
	wg.Wait()
	require.NotNil(t, all[0])
	require.NotNil(t, all[1])
	assert.NotEqual(t, all[0].ARIURL, all[1].ARIURL)
	assert.NotEqual(t, all[0].SIPAddr, all[1].SIPAddr)
	for _, a := range all {
		code, _ := ari(t, a, "GET", "/asterisk/ping")
		assert.Equal(t, 200, code)
	}
}

func TestStopKillRestart(t *testing.T) {
	a := start(t, lab.AsteriskOptions{})
	first := a.PID()
	require.NoError(t, a.Restart(t.Context()))
	assert.NotEqual(t, first, a.PID())
	code, _ := ari(t, a, "GET", "/asterisk/ping")
	assert.Equal(t, 200, code)

	a.Kill()
	assert.Zero(t, a.PID())
	<-a.Done()
	require.NoError(t, a.Restart(t.Context()), "after a power cut too")
	code, _ = ari(t, a, "GET", "/asterisk/ping")
	assert.Equal(t, 200, code)

	require.NoError(t, a.Stop(t.Context()))
	require.NoError(t, a.Stop(t.Context()), "twice is fine")
	assert.Zero(t, a.PID())

	// Another in the same directory has its own log, and the certificates are kept.
	require.NotEmpty(t, a.Log())
	other := start(t, lab.AsteriskOptions{Dir: a.Dir})
	assert.Equal(t, 1, strings.Count(other.Log(), "built by"))
	assert.Equal(t, a.CAFile, other.CAFile)
}

func TestEndsWithItsContext(t *testing.T) {
	in, err := fetched()
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	a, err := lab.StartAsterisk(ctx, in, lab.AsteriskOptions{Dir: t.TempDir()})
	require.NoError(t, err)
	cancel()
	<-a.Done()
	assert.Zero(t, a.PID())
}

// A run directory with a long name still starts: the control socket moves.
func TestLongDirectory(t *testing.T) {
	start(t, lab.AsteriskOptions{Dir: filepath.Join(t.TempDir(), strings.Repeat("long-", 15), "run")})
}

func TestStartFailsWithTheReason(t *testing.T) {
	in, err := fetched()
	require.NoError(t, err)
	in.ModulesDir = t.TempDir()
	_, err = lab.StartAsterisk(t.Context(), in, lab.AsteriskOptions{Dir: t.TempDir()})
	require.ErrorIs(t, err, lab.ErrNotRunning)
	assert.ErrorContains(t, err, "did not load")

	in, err = fetched()
	require.NoError(t, err)
	_, err = lab.StartAsterisk(t.Context(), in, lab.AsteriskOptions{
		Dir:    t.TempDir(),
		Agents: []asteriskconfig.AgentPhone{{ID: "a b"}},
	})
	assert.ErrorContains(t, err, "phone id")
}

// Only the owner reads anything, and no file holds what the configuration says not to keep.
func TestRunDirectoryIsPrivate(t *testing.T) {
	a := start(t, lab.AsteriskOptions{})
	require.NoError(t, filepath.WalkDir(a.Dir, func(path string, d fs.DirEntry, err error) error {
		require.NoError(t, err)
		if path == a.Dir || d.Type()&fs.ModeSocket != 0 {
			return nil
		}
		info, err := d.Info()
		require.NoError(t, err)
		if d.IsDir() {
			assert.Zero(t, info.Mode()&0o077, "%s is open to others", path)
		}
		return nil
	}))
}

// away is one without a controller. It says so at each call, and nothing else.
func away(t *testing.T) *lab.Asterisk {
	t.Helper()
	var a *lab.Asterisk
	t.Cleanup(func() {
		for _, line := range a.LogProblems() {
			assert.Regexp(t, `app 'callward'( doesn't exist)?$`, line)
		}
	})
	a = provoked(t, lab.AsteriskOptions{})
	return a
}

// search looks for words in every file below dir, raw and as UTF-16.
func search(t *testing.T, dir string, words ...string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		require.NoError(t, err)
		if !d.Type().IsRegular() {
			return nil
		}
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		for _, w := range words {
			wide := []byte(strings.Join(strings.Split(w, ""), "\x00"))
			assert.False(t, bytes.Contains(b, []byte(w)) || bytes.Contains(b, wide), "%s holds what was planted", path)
		}
		return nil
	}))
}
