package softphone

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
)

// ErrLost is returned once the connection to the server is gone; Reconnect
// makes a new one.
var ErrLost = errors.New("softphone: the connection to the server is lost")

// line is the TLS connection to the server. It is dialled here and handed to
// the SIP stack as if it had been accepted, so that it is known when it breaks.
type line struct {
	net.Conn
	local  netip.AddrPort
	remote string
	served chan struct{} // closed when the SIP stack begins to read
	first  sync.Once
	gone   chan struct{}
	once   sync.Once
	err    error // set before gone is closed
}

// Read tells the phone when the connection is served, and when it breaks.
func (l *line) Read(b []byte) (int, error) {
	l.first.Do(func() { close(l.served) })
	n, err := l.Conn.Read(b)
	if err != nil {
		l.broke(err)
	}
	return n, err
}

// Close closes the connection.
func (l *line) Close() error {
	l.broke(net.ErrClosed)
	return l.Conn.Close()
}

func (l *line) broke(err error) {
	l.once.Do(func() {
		l.err = fmt.Errorf("%w: %w", ErrLost, err)
		close(l.gone)
	})
}

// oneConn is a listener that accepts one connection and then waits.
type oneConn struct {
	conn chan net.Conn
	line *line
}

func (o *oneConn) Accept() (net.Conn, error) {
	select {
	case c := <-o.conn:
		return c, nil
	case <-o.line.gone:
		return nil, net.ErrClosed
	}
}

func (o *oneConn) Close() error   { return nil }
func (o *oneConn) Addr() net.Addr { return o.line.LocalAddr() }

// connect dials the server and begins to serve the connection.
func (p *Phone) connect(ctx context.Context) error {
	d := tls.Dialer{Config: p.tls}
	conn, err := d.DialContext(ctx, "tcp", p.cfg.Server)
	if err != nil {
		return fmt.Errorf("softphone: connect to %s: %w", p.cfg.Server, err)
	}
	l := &line{
		Conn:   conn,
		local:  conn.LocalAddr().(*net.TCPAddr).AddrPort(),
		remote: conn.RemoteAddr().String(),
		served: make(chan struct{}),
		gone:   make(chan struct{}),
	}
	l.local = netip.AddrPortFrom(l.local.Addr().Unmap(), l.local.Port())
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		conn.Close()
		return ErrClosed
	}
	p.line = l
	p.tasks.Add(2)
	p.mu.Unlock()

	accept := &oneConn{conn: make(chan net.Conn, 1), line: l}
	accept.conn <- l
	go func() {
		defer p.tasks.Done()
		_ = p.server.ServeTLS(accept)
	}()
	go func() {
		defer p.tasks.Done()
		<-l.gone
		p.afterLoss(l)
	}()
	// The SIP stack reads once it can find the connection by its address.
	select {
	case <-l.served:
		return nil
	case <-l.gone:
		return l.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// afterLoss ends every call that the connection carried.
func (p *Phone) afterLoss(l *line) {
	p.mu.Lock()
	var calls []*Call
	for _, c := range p.calls {
		calls = append(calls, c)
	}
	var invites []*Invite
	for _, i := range p.invites {
		invites = append(invites, i)
	}
	p.mu.Unlock()
	for _, c := range calls {
		c.end(Cause{By: ByLoss, Text: l.err.Error()})
	}
	for _, i := range invites {
		i.cancelled()
	}
}

// Lost returns what broke the connection to the server, or nil while it
// stands.
func (p *Phone) Lost() error {
	p.mu.Lock()
	l := p.line
	p.mu.Unlock()
	select {
	case <-l.gone:
		return l.err
	default:
		return nil
	}
}

// LostConnection is closed when the connection to the server breaks.
func (p *Phone) LostConnection() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.line.gone
}

// Reconnect makes a new connection after the old one was lost, and registers
// again when the phone was registered.
func (p *Phone) Reconnect(ctx context.Context) error {
	p.hangUpLine()
	if err := p.connect(ctx); err != nil {
		return err
	}
	if p.registered() {
		return p.Register(ctx)
	}
	return nil
}

func (p *Phone) hangUpLine() {
	p.mu.Lock()
	l := p.line
	p.mu.Unlock()
	l.Close()
}

// lostOr prefers the loss of the connection, then the context's cause, over
// what the SIP stack made of it.
func (p *Phone) lostOr(ctx context.Context, err error) error {
	if lost := p.Lost(); lost != nil {
		return lost
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}
