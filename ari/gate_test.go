package ari

import (
	"context"
	"net"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// kernel is a connection that always has a few bytes for its reader.
type kernel struct {
	net.Conn
	closed atomic.Bool
}

func (k *kernel) SyscallConn() (syscall.RawConn, error) { return nil, net.ErrClosed }

func (k *kernel) Close() error {
	k.closed.Store(true)
	return nil
}

func (k *kernel) Read(p []byte) (int, error) {
	if k.closed.Load() {
		return 0, net.ErrClosed
	}
	return min(3, len(p)), nil
}

func newGate(t *testing.T, c net.Conn) *gate {
	t.Helper()
	g, err := gated(func(context.Context, string, string) (net.Conn, error) { return c, nil })(t.Context(), "tcp", "")
	require.NoError(t, err)
	return g.(*gate)
}

func TestGatesReadInStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const beat = 200 * time.Millisecond
		buf := make([]byte, 16)
		reads := make(chan time.Time, 20)
		for _, later := range []time.Duration{0, 30 * time.Millisecond, 70 * time.Millisecond} {
			time.Sleep(later)
			g := newGate(t, &kernel{})
			_, err := g.Read(buf) // open: at once
			require.NoError(t, err)
			g.every(beat, 1)
			go func() {
				for range 3 {
					_, _ = g.Read(make([]byte, 16))
					reads <- time.Now()
				}
			}()
		}
		var first time.Time
		for i := range 9 {
			at := <-reads
			if i == 0 {
				first = at
			}
			assert.Zero(t, at.Sub(first)%beat)
		}
	})
}

func TestGateReadsWhatIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(t, &kernel{})
		g.every(time.Hour, 1)
		began := time.Now()
		for range 5 { // the buffer was filled, so more may be there
			_, err := g.Read(make([]byte, 2))
			require.NoError(t, err)
		}
		assert.Equal(t, began, time.Now())
	})
}

func TestGateLetsGo(t *testing.T) {
	for name, let := range map[string]func(*gate){
		"opened": func(g *gate) { g.every(0, 1) },
		"closed": func(g *gate) { _ = g.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGate(t, &kernel{})
				_, _ = g.Read(make([]byte, 16))
				g.every(time.Hour, 1)
				began, done := time.Now(), make(chan struct{})
				go func() {
					_, _ = g.Read(make([]byte, 16))
					close(done)
				}()
				synctest.Wait()
				let(g)
				<-done
				assert.Equal(t, began, time.Now())
			})
		})
	}
}

func TestGateDoesNotHoldAPipe(t *testing.T) {
	near, far := net.Pipe()
	g := newGate(t, near)
	g.every(time.Hour, 1)
	go func() {
		_, _ = far.Write([]byte("one"))
		_, _ = far.Write([]byte("two"))
	}()
	buf := make([]byte, 16)
	for range 2 {
		_, err := g.Read(buf)
		require.NoError(t, err)
	}
}
