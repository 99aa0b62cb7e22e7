package ari

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

// route is where the events of one channel or bridge go.
type route struct {
	call *Call
	left bool // the patient's channel left the application: a new StasisStart is a new call
}

// A resync that takes longer than this many events is started over.
const maxHeld = 100_000

// received is called by the socket's reader for each event, in order.
func (c *Controller) received(s *socket, b []byte) {
	e, err := DecodeEvent(b)
	if err != nil {
		name, ok := eventType(b)
		c.cfg.Logger.Warn("asterisk event cannot be read", "type", name, "error", err)
		if !ok || !json.Valid(b) {
			return
		}
		e = &UnknownEvent{Type: name, Raw: Raw{append([]byte(nil), b...)}}
	}
	c.mu.Lock()
	if c.holding {
		c.held = append(c.held, e)
		over := len(c.held) > maxHeld
		c.mu.Unlock()
		if over {
			s.close(errors.New("too many events while states were read back"))
		}
		return
	}
	unrouted, ended := c.route(e)
	c.mu.Unlock()
	c.after(e, unrouted, ended)
}

// after does what may not be done under the lock.
func (c *Controller) after(e Event, unrouted bool, ended []*Call) {
	for _, call := range ended {
		call.log.Error("call mailbox full: the call is ended", "limit", c.cfg.MailboxLimit)
		call.cancel(ErrOverflow)
	}
	if !unrouted {
		return
	}
	switch e := e.(type) {
	case *ApplicationReplaced:
		c.fail(fmt.Errorf("%w: another process connected as %q; stop one of the two or give it another application name", ErrReplaced, c.cfg.App))
	case *StasisStart:
		c.stray(e.Channel.ID)
	case *StasisEnd, *ChannelDestroyed, *ChannelLeftBridge:
		c.askSweep()
	}
	c.cfg.OnUnrouted(e)
}

// route delivers an event to the calls it is about. It runs under c.mu and
// reports whether none was found, and the calls whose mailbox was full.
func (c *Controller) route(e Event) (unrouted bool, full []*Call) {
	if start, ok := e.(*StasisStart); ok && c.arrive(start) {
		return false, nil
	}
	var to refs
	if k, ok := e.(knownEvent); ok {
		k.refs(&to)
	} else if u, ok := e.(*UnknownEvent); ok {
		u.refs(&to)
	}
	var seen [4]*Call
	calls := seen[:0]
next:
	for _, id := range to.ids {
		r := c.routes[id]
		if r == nil {
			continue
		}
		if end, ok := e.(*StasisEnd); ok && end.Channel.ID == r.call.id {
			r.left = true
		}
		for _, have := range calls {
			if have == r.call {
				continue next
			}
		}
		calls = append(calls, r.call)
	}
	for _, call := range calls {
		if !call.box.put(e) {
			full = append(full, call)
		}
	}
	return len(calls) == 0, full
}

// arrive opens a call for a channel that is new and not of our making.
func (c *Controller) arrive(e *StasisStart) bool {
	if r := c.routes[e.Channel.ID]; r != nil && !r.left {
		return false
	}
	if _, ours := parseID(c.cfg.App, e.Channel.ID); ours || e.Channel.ID == "" || c.drained {
		return false
	}
	args := make([]string, len(e.Args))
	for i, a := range e.Args {
		args[i] = a.text
	}
	c.open(&e.Channel, args, nil)
	return true
}

// open makes a call and starts its goroutines. c.mu is held.
func (c *Controller) open(ch *Channel, args []string, adopted *Gap) {
	run := c.handler.Call
	if adopted != nil {
		run = c.handler.Adopt
	}
	call := newCall(c, ch, args)
	if adopted != nil {
		call.adopted = true
		call.gaps = append(call.gaps, *adopted)
	}
	c.routes[call.id] = &route{call: call}
	c.calls[call] = struct{}{}
	if c.stopping != nil {
		call.cancel(c.stopping)
	}
	c.handlers.Go(func() { call.run(run) })
}

// register sends the events of an id to a call, before the request that makes
// the thing is sent. An id that another call has is refused.
func (c *Controller) register(id string, call *Call) error {
	if id == "" {
		return &Error{Op: "register", Message: "id", Err: ErrEmptyID}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if r := c.routes[id]; r != nil && r.call != call {
		return &Error{Op: "register", Message: "the channel or bridge belongs to another call", Err: ErrState}
	}
	c.routes[id] = &route{call: call}
	return nil
}

// forget ends the routing of ids, or of all of a call's when none is given.
func (c *Controller) forget(call *Call, ids ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(ids) == 0 {
		for id, r := range c.routes {
			if r.call == call {
				delete(c.routes, id)
			}
		}
		delete(c.calls, call)
		close(c.ended)
		c.ended = make(chan struct{})
		return
	}
	for _, id := range ids {
		if r := c.routes[id]; r != nil && r.call == call {
			delete(c.routes, id)
		}
	}
}

// stray hangs up a channel of our making whose call has ended.
func (c *Controller) stray(id string) {
	if _, ours := parseID(c.cfg.App, id); !ours {
		return
	}
	c.chores.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), c.cfg.RequestTimeout)
		defer cancel()
		err := c.client.Channels.Hangup(ctx, ChannelsHangup{ChannelID: id})
		if err != nil && !errors.Is(err, ErrGone) {
			c.cfg.Logger.Warn("stray channel cannot be hung up", "channel", id, "error", err)
		}
	})
}

// gapEvent is our own event: what was read back after a gap.
type gapEvent struct {
	Gap
	lost     *Lost
	channels map[string]*Channel
	bridges  map[string]*BridgeInfo
}

// EventType is "Gap".
func (*gapEvent) EventType() string { return "Gap" }

// GapEvent stands among a call's events where some may be missing. It is ours,
// not Asterisk's.
type GapEvent struct{ Gap }

// EventType is "Gap".
func (*GapEvent) EventType() string { return "Gap" }

// timeEvent wakes a call after a wait.
type timeEvent struct{ leg *Leg }

// EventType is "Time".
func (*timeEvent) EventType() string { return "Time" }
