package aritest

import (
	"context"
	"errors"
	"net"
	"sync"
)

var errRefused = errors.New("connection refused")

// listener hands one end of each pipe to the server.
type listener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newListener() *listener {
	return &listener{conns: make(chan net.Conn), done: make(chan struct{})}
}

func (l *listener) dial(ctx context.Context) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case l.conns <- far:
		return near, nil
	case <-l.done:
		return nil, &net.OpError{Op: "dial", Err: errRefused}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l *listener) close() { l.once.Do(func() { close(l.done) }) }

// Accept waits for a dial.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Close is called by the server.
func (l *listener) Close() error {
	l.close()
	return nil
}

// Addr is a name only.
func (l *listener) Addr() net.Addr { return address{} }

type address struct{}

func (address) Network() string { return "pipe" }
func (address) String() string  { return "scripted-asterisk" }
