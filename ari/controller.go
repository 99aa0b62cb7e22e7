package ari

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

func defaultRand() float64 { return rand.Float64() }

// Handler is what runs for the channels of the application. A handler is the
// call: when it returns, what is left of the call is hung up, except after
// ErrStopping and ErrReplaced, when a successor will find it.
type Handler struct {
	// Call runs for each new inbound leg. Its context is cancelled with cause
	// *HungUp when the patient's leg ends, *Lost when Asterisk restarted,
	// ErrLeft, ErrOverflow, ErrReplaced or ErrStopping. A call that arrives
	// while Serve is ending gets a context that is cancelled already, so that
	// the handler can send it on to the dialplan.
	Call func(ctx context.Context, c *Call)
	// Adopt runs for a channel of the application that was there before us or
	// that came while the socket was away. nil leaves such channels alone.
	Adopt func(ctx context.Context, c *Call)
}

// Controller keeps the socket and runs a handler per call.
//
// The connection:
//
//	stateDiagram-v2
//	    [*] --> Connecting
//	    Connecting --> Disconnected: refused, or no answer in time
//	    Connecting --> Resyncing: socket open, events held back
//	    Connecting --> Stopped: too old, or wrong password at the start
//	    Resyncing --> Connected: read back, gaps told, events released
//	    Resyncing --> Disconnected: socket closed
//	    Connected --> Disconnected: socket closed, ping unanswered
//	    Connected --> Stopped: application replaced
//	    Disconnected --> Connecting: after the wait (doubling, capped, jittered)
//	    Disconnected --> Stopped: Serve's context ended and all handlers too
//	    Connected --> Stopped: Serve's context ended and all handlers too
//	    Stopped --> [*]
type Controller struct {
	cfg     Config
	client  *Client
	handler Handler
	seq     atomic.Uint64

	mu       sync.Mutex
	served   bool
	stopping error // cause given to calls, nil while running
	state    State
	turned   chan struct{} // closed and replaced at each change of state
	routes   map[string]*route
	calls    map[*Call]struct{}
	holding  bool // events are kept in held until the resync is through
	held     []Event
	booted   time.Time     // when this Asterisk started
	ended    chan struct{} // closed and replaced when a call is forgotten
	drained  bool          // Serve is about to return: take no call

	handlers sync.WaitGroup // calls: handlers and mailboxes
	chores   sync.WaitGroup // short helpers: subscriptions, sweeps
	sweeps   chan struct{}
	fatal    chan error
}

// New checks the configuration and returns a controller that is not connected.
func New(cfg Config) (*Controller, error) {
	cfg, base, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	return &Controller{cfg: cfg, client: newClient(cfg, base), state: State{Phase: Disconnected},
		turned: make(chan struct{}), ended: make(chan struct{}), routes: map[string]*route{}, calls: map[*Call]struct{}{},
		sweeps: make(chan struct{}, 1), fatal: make(chan error, 1)}, nil
}

// Client returns the typed requests, for what the verbs do not cover.
func (c *Controller) Client() *Client { return c.client }

// State is where the connection is now.
func (c *Controller) State() State {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state
}

// Ready waits until events flow and states were read back. It returns the
// cause of ctx, or an error when Serve has ended.
func (c *Controller) Ready(ctx context.Context) error {
	for {
		c.mu.Lock()
		phase, turned := c.state.Phase, c.turned
		c.mu.Unlock()
		switch s := c.client.socket.Load(); {
		case phase == Stopped:
			return errors.New("ari: the controller has stopped")
		case phase == Connected && s != nil && s.why() == nil:
			return nil
		}
		select {
		case <-turned:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (c *Controller) connected() bool { return c.State().Phase == Connected }

func (c *Controller) setState(s State) {
	c.mu.Lock()
	c.state = s
	close(c.turned)
	c.turned = make(chan struct{})
	c.mu.Unlock()
	log := c.cfg.Logger.With("phase", string(s.Phase), "attempt", s.Attempt)
	switch {
	case s.Phase == Disconnected:
		log.Warn("asterisk connection", "error", s.Err, "retry_in", s.RetryIn)
	case s.Phase == Connected && !s.Gap.From.IsZero():
		log.Warn("asterisk connection", "gap_from", s.Gap.From, "gap_to", s.Gap.To)
	default:
		log.Info("asterisk connection")
	}
	c.cfg.OnState(s)
}

// Serve connects and runs a handler per call until ctx ends; then each running
// handler's context is cancelled with ErrStopping, and Serve returns nil when
// all have ended. It connects again, for ever, when the socket is lost, and
// returns an error only for what another attempt cannot mend: ErrOldAsterisk,
// ErrReplaced, or ErrUnauthorized at the first connection.
func (c *Controller) Serve(ctx context.Context, h Handler) error {
	if h.Call == nil {
		return errors.New("ari: Handler.Call is not set")
	}
	c.mu.Lock()
	if c.served {
		c.mu.Unlock()
		return errors.New("ari: Serve was called before; make a new Controller")
	}
	c.served, c.handler = true, h
	c.mu.Unlock()

	life, end := context.WithCancel(context.WithoutCancel(ctx))
	kept := make(chan struct{})
	go func() {
		defer close(kept)
		c.keep(life)
	}()

	var err error
	cause := ErrStopping
	select {
	case <-ctx.Done():
	case err = <-c.fatal:
		cause = err
	}
	c.stop(cause)
	c.drain()
	c.handlers.Wait()
	end()
	<-kept
	c.chores.Wait()
	c.client.Close()
	c.setState(State{Phase: Stopped, Err: err})
	return err
}

// stop cancels every call; those that come later start cancelled.
func (c *Controller) stop(cause error) {
	c.mu.Lock()
	c.stopping = cause
	calls := make([]*Call, 0, len(c.calls))
	for call := range c.calls {
		calls = append(calls, call)
	}
	c.mu.Unlock()
	for _, call := range calls {
		call.cancel(cause)
	}
}

// drain waits until no call is left, and takes none after that.
func (c *Controller) drain() {
	for {
		c.mu.Lock()
		left, ended := len(c.calls), c.ended
		c.drained = left == 0
		c.mu.Unlock()
		if left == 0 {
			return
		}
		<-ended
	}
}

func (c *Controller) fail(err error) {
	select {
	case c.fatal <- err:
	default:
	}
}

// keep holds the connection up until ctx ends.
func (c *Controller) keep(ctx context.Context) {
	var (
		attempt int
		gap     Gap
		ever    bool
	)
	for ctx.Err() == nil {
		attempt++
		c.setState(State{Phase: Connecting, Attempt: attempt})
		s, err := c.connect(ctx)
		if err == nil {
			up := c.cfg.Now()
			gap, err = c.session(ctx, s, attempt, gap)
			ever = true
			if c.cfg.Now().Sub(up) >= c.cfg.ReconnectMax {
				attempt = 0 // it held: the next wait starts small
			}
		} else if errors.Is(err, ErrOldAsterisk) || errors.Is(err, ErrUnauthorized) && !ever {
			c.fail(err)
			<-ctx.Done()
			return
		}
		if ctx.Err() != nil {
			return
		}
		if gap.From.IsZero() && ever {
			gap.From = c.cfg.Now()
		}
		if ever && c.cfg.Now().Sub(gap.From) > c.cfg.GiveUpAfter {
			c.giveUp(gap.From)
		}
		wait := c.backoff(attempt)
		c.setState(State{Phase: Disconnected, Err: err, Attempt: attempt, RetryIn: wait})
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// backoff doubles from ReconnectMin to ReconnectMax, of which a random half is taken.
func (c *Controller) backoff(attempt int) time.Duration {
	d := c.cfg.ReconnectMin
	for range attempt - 1 {
		if d *= 2; d >= c.cfg.ReconnectMax {
			break
		}
	}
	d = min(d, c.cfg.ReconnectMax)
	return d/2 + time.Duration(c.cfg.Rand()*float64(d/2))
}

// connect checks the version and opens the event socket.
func (c *Controller) connect(ctx context.Context) (*socket, error) {
	info, err := c.client.Asterisk.GetInfo(ctx, AsteriskGetInfo{})
	if err != nil {
		return nil, err
	}
	if err := version(info); err != nil {
		return nil, err
	}
	conn, err := c.client.Events.EventWebsocket(ctx, EventsEventWebsocket{App: []string{c.cfg.App}})
	if err != nil {
		return nil, err
	}
	return newSocket(conn, c.cfg.RequestTimeout, c.cfg.Now), nil
}

// session runs one socket from open to closed and tells when its last message
// came and why it closed.
func (c *Controller) session(ctx context.Context, s *socket, attempt int, gap Gap) (Gap, error) {
	c.mu.Lock()
	c.holding, c.held = true, nil
	c.mu.Unlock()
	var readers sync.WaitGroup
	readers.Go(func() { s.read(func(b []byte) { c.received(s, b) }) })
	readers.Go(func() { s.ping(c.cfg.PingInterval) })
	stopClose := context.AfterFunc(ctx, func() { s.close(errors.New("stopped")) })
	defer stopClose()

	c.client.socket.Store(s)
	c.setState(State{Phase: Resyncing, Attempt: attempt})
	adopt, err := c.resync(ctx, &gap)
	if err != nil {
		s.close(fmt.Errorf("states could not be read back: %w", err))
	} else {
		c.setState(State{Phase: Connected, Attempt: attempt, Gap: gap})
		c.tend(ctx, s, adopt)
	}
	c.client.socket.CompareAndSwap(s, nil)
	readers.Wait()
	why := s.why()
	return Gap{From: s.lastHeard()}, why
}

// giveUp ends the calls of an Asterisk that has been away too long.
func (c *Controller) giveUp(from time.Time) {
	lost := &Lost{From: from, To: c.cfg.Now()}
	c.mu.Lock()
	defer c.mu.Unlock()
	for call := range c.calls {
		call.box.force(&gapEvent{Gap: Gap{lost.From, lost.To}, lost: lost})
	}
}
