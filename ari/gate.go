package ari

import (
	"context"
	"net"
	"sync"
	"syscall"
	"time"
)

// gate is a connection whose reader can be made to wait for a beat. All gates
// of the process wait for the same instants, so that many streams wake it
// together: waking is what costs, not reading (docs/performance.md). Meanwhile
// the kernel keeps what comes, and is told not to report it.
type gate struct {
	net.Conn
	drained bool // nothing was left after the last Read; the reader's own
	timer   *time.Timer

	mu    sync.Mutex
	beat  time.Duration // 0: do not wait
	moved chan struct{} // closed when beat changes or the connection closes
}

// gated makes every connection of a dialer a gate that is open.
func gated(dial func(ctx context.Context, network, addr string) (net.Conn, error)) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return &gate{Conn: conn, moved: make(chan struct{})}, nil
	}
}

// epoch is what beats are counted from.
var epoch = time.Now()

// Read waits for the next beat when the last Read has emptied the connection.
func (g *gate) Read(p []byte) (int, error) {
	if g.drained {
		g.wait()
	}
	n, err := g.Conn.Read(p)
	g.drained = n < len(p)
	return n, err
}

func (g *gate) wait() {
	g.mu.Lock()
	beat, moved := g.beat, g.moved
	g.mu.Unlock()
	if beat == 0 {
		return
	}
	left := beat - time.Since(epoch)%beat
	if g.timer == nil {
		g.timer = time.NewTimer(left)
	} else {
		g.timer.Reset(left)
	}
	select {
	case <-g.timer.C:
	case <-moved:
		g.timer.Stop()
	}
}

// every sets the beat; 0 lets the reader go on at once. The kernel reports
// nothing below so many bytes: more than a beat brings. A connection that the
// kernel does not buffer (a pipe) stays open.
func (g *gate) every(d time.Duration, bytes int) {
	if _, ok := g.Conn.(syscall.Conn); !ok {
		return
	}
	lowWater(g.Conn, bytes)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.beat = d
	g.move()
}

func (g *gate) move() {
	close(g.moved)
	g.moved = make(chan struct{})
}

// Close lets the reader go and closes the connection.
func (g *gate) Close() error {
	g.mu.Lock()
	g.beat = 0
	g.move()
	g.mu.Unlock()
	return g.Conn.Close()
}
