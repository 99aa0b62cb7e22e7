package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/callward/callward/ari"
	"github.com/callward/callward/internal/lab"
	"github.com/callward/callward/internal/recording/recordingtest"
)

// asterisk starts one without callward, and connects a controller to it.
func asterisk(t *testing.T, h ari.Handler) (*lab.Asterisk, *ari.Controller) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	in, err := lab.Fetch(ctx, lab.FetchOptions{})
	require.NoError(t, err)
	a, err := lab.StartAsterisk(context.WithoutCancel(ctx), in, lab.AsteriskOptions{Dir: filepath.Join(t.TempDir(), "asterisk")})
	require.NoError(t, err)
	pem, err := os.ReadFile(a.CAFile)
	require.NoError(t, err)
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(pem))
	c, err := ari.New(ari.Config{URL: a.ARIURL, App: a.Site.App, User: a.ARIUser, Password: a.ARIPassword,
		TLS: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}})
	require.NoError(t, err)
	served := make(chan error, 1)
	serve, stop := context.WithCancel(context.WithoutCancel(ctx))
	go func() { served <- c.Serve(serve, h) }()
	t.Cleanup(func() {
		stop()
		assert.NoError(t, <-served)
		last, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = a.Stop(last)
	})
	require.NoError(t, c.Ready(ctx))
	return a, c
}

// TestGeneratedCodeFitsAsterisk: what ari was generated from is what this
// Asterisk says of itself: every operation and every event.
func TestGeneratedCodeFitsAsterisk(t *testing.T) {
	t.Parallel()
	nobody := func(context.Context, *ari.Call) {}
	_, c := asterisk(t, ari.Handler{Call: nobody, Adopt: nobody})
	drift, err := ari.Drift(t.Context(), c.Client())
	require.NoError(t, err)
	require.Empty(t, drift)
}

// TestStockAgeOpensRecordings is the outsider's view of the file format.
func TestStockAgeOpensRecordings(t *testing.T) {
	t.Parallel()
	in, err := lab.Fetch(t.Context(), lab.FetchOptions{})
	require.NoError(t, err)
	recordingtest.Age(t, func(args ...string) *exec.Cmd { return in.Command(t.Context(), "age", args...) })
}
