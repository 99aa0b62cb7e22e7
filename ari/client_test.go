package ari_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/callward/callward/ari"
	"github.com/callward/callward/ari/aritest"
)

// overTLS serves a scripted Asterisk on a real TCP socket with TLS and returns
// the configuration that trusts it.
func overTLS(t *testing.T, a *aritest.Asterisk) ari.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "pbx"}, NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	secure := tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}})
	done := make(chan struct{})
	go func() { defer close(done); _ = a.Serve(secure) }()
	t.Cleanup(func() { a.Close(); <-done })
	roots := x509.NewCertPool()
	roots.AddCert(cert)
	cfg := a.Config()
	cfg.Dial = nil
	cfg.URL = "https://" + l.Addr().String()
	cfg.TLS = &tls.Config{RootCAs: roots}
	return cfg
}

func TestTLSOnARealSocket(t *testing.T) {
	a := aritest.New()
	cfg := overTLS(t, a)
	ctl, err := ari.New(cfg)
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	served, done := make(chan error, 1), make(chan struct{})
	go func() {
		served <- ctl.Serve(ctx, ari.Handler{Call: func(ctx context.Context, c *ari.Call) {
			defer close(done)
			frames := make(chan time.Time, 100)
			st, err := c.Stream(ctx, ari.StreamOptions{Direction: ari.SpyIn, Role: "rec", Batch: 100 * time.Millisecond},
				func(_ []byte, at time.Time) { frames <- at })
			if !assert.NoError(t, err) {
				return
			}
			for range 20 {
				<-frames
			}
			assert.NoError(t, st.Stop(ctx))
		}})
	}()
	require.NoError(t, ctl.Ready(ctx))
	require.True(t, a.Incoming("c1"))
	<-done
	stop()
	require.NoError(t, <-served)
}

func TestTLSIsVerified(t *testing.T) {
	a := aritest.New()
	cfg := overTLS(t, a)
	cfg.TLS = nil
	c, err := ari.NewClient(cfg)
	require.NoError(t, err)
	defer c.Close()
	_, err = c.Asterisk.Ping(t.Context())
	assert.ErrorContains(t, err, "certificate")
	cfg.TLS = &tls.Config{InsecureSkipVerify: true}
	_, err = ari.NewClient(cfg)
	assert.ErrorContains(t, err, "RootCAs")
}

func TestHTTPFallback(t *testing.T) {
	a := aritest.New()
	defer a.Close()
	c, err := ari.NewClient(a.Config())
	require.NoError(t, err)
	defer c.Close()
	_, err = c.Channels.OriginateWithID(t.Context(), ari.ChannelsOriginateWithID{ChannelID: "a/b c", Endpoint: ari.NewPrivate("PJSIP/x y&z")})
	require.NoError(t, err)
	require.NoError(t, c.Channels.SetChannelVar(t.Context(), ari.ChannelsSetChannelVar{ChannelID: "a/b c", Variable: "V", Value: ari.NewPrivate("1+1=2&x")}))
	assert.Equal(t, "1+1=2&x", a.Var("a/b c", "V"), "arguments survive the address")
	err = c.Channels.Hangup(t.Context(), ari.ChannelsHangup{ChannelID: "a/b c"})
	require.NoError(t, err)
	assert.ErrorIs(t, c.Channels.Hangup(t.Context(), ari.ChannelsHangup{ChannelID: "a/b c"}), ari.ErrGone)
}

func TestUnreachableErrorHoldsNoArgument(t *testing.T) {
	a := aritest.New()
	defer a.Close()
	a.Down()
	c, err := ari.NewClient(a.Config())
	require.NoError(t, err)
	defer c.Close()
	err = c.Channels.SetChannelVar(t.Context(), ari.ChannelsSetChannelVar{ChannelID: "c1", Variable: "DOB", Value: ari.NewPrivate("05121977")})
	var e *ari.Error
	require.ErrorAs(t, err, &e)
	assert.Zero(t, e.Status)
	assert.NotContains(t, err.Error(), "05121977")
	assert.NotContains(t, err.Error(), "http")
}

func TestLongBodyGoesOverHTTP(t *testing.T) {
	play(t, func(context.Context, *ari.Call) {}, func(s *scene) {
		long := strings.Repeat("x", 100<<10) // the socket of a real Asterisk closes at 64 KiB
		_, err := s.ctl.Client().Channels.OriginateWithID(s.ctx, ari.ChannelsOriginateWithID{ChannelID: "callward~gone~a.leg~x-1",
			Endpoint: ari.NewPrivate("PJSIP/x"), Variables: ari.Vars{"LONG": long}})
		require.NoError(t, err)
		assert.Equal(t, ari.Connected, s.ctl.State().Phase)
	})
}

func TestStrayChannelIsHungUp(t *testing.T) {
	play(t, func(context.Context, *ari.Call) { t.Error("a channel of ours is never a new call") }, func(s *scene) {
		_, err := s.ctl.Client().Channels.OriginateWithID(s.ctx, ari.ChannelsOriginateWithID{ChannelID: "callward~gone~agent.leg~x-1",
			Endpoint: ari.NewPrivate("PJSIP/x"), App: aritest.App})
		require.NoError(t, err)
		require.Len(t, s.Channels(), 1)
		s.after(3 * time.Second) // it answers, and its call is long over
		assert.Empty(t, s.Channels())
	})
}
