package ari

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"
)

// Originate is a leg to be dialled.
type Originate struct {
	Role      string        // goes into ids and logs: "agent"
	Endpoint  string        // "PJSIP/agent-alice"
	CallerID  string        // what the party sees: "Name <number>"
	Timeout   time.Duration // ringing; rounded up to seconds; 0 is 30 s
	Variables map[string]string
}

// String shows the role only: endpoint and caller id may be a patient's number.
func (o Originate) String() string { return "ari.Originate{Role:" + o.Role + "}" }

// GoString returns the same text as String.
func (o Originate) GoString() string { return o.String() }

// Format writes the same text as String whatever the verb.
func (o Originate) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, o.String()) }

// LogValue returns the same text as String.
func (o Originate) LogValue() slog.Value { return slog.StringValue(o.String()) }

// Originate dials a party and returns its leg when it has answered. An error
// is a *NotAnswered when the party was tried; when ctx ended first, Reason is
// Cancelled, errors.Is finds the cause of ctx, and the party's phone has
// stopped ringing.
func (c *Call) Originate(ctx context.Context, o Originate) (*Leg, error) {
	if err := checkRole(o.Role); err != nil {
		return nil, err
	}
	if err := c.alive(ctx); err != nil {
		return nil, &NotAnswered{Reason: Cancelled, Err: err}
	}
	if o.Timeout <= 0 {
		o.Timeout = 30 * time.Second
	}
	l, err := c.newLeg(c.newID(o.Role, kindLeg), o.Role)
	if err != nil {
		return nil, err
	}
	began := c.ctl.cfg.Now()
	err = c.request(ctx, func(ctx context.Context) error {
		_, err := c.ctl.client.Channels.OriginateWithID(ctx, ChannelsOriginateWithID{
			ChannelID: l.id, Endpoint: NewPrivate(o.Endpoint), App: c.ctl.cfg.App, AppArgs: NewPrivate(o.Role),
			CallerID: NewPrivate(o.CallerID), Timeout: int((o.Timeout + time.Second - 1) / time.Second),
			Variables: o.Variables, Originator: c.id})
		return err
	})
	if err == nil {
		l.confirm()
		err = c.answered(ctx, l, o.Timeout)
	}
	if err == nil {
		return l, nil
	}
	return nil, c.notAnswered(ctx, l, err, c.ctl.cfg.Now().Sub(began) >= o.Timeout)
}

// answered waits until the leg is in the application or has ended. Asterisk's
// own timeout comes first; ours is for an Asterisk that forgets it.
func (c *Call) answered(ctx context.Context, l *Leg, ringing time.Duration) error {
	var ended error
	err := c.wait(ctx, ringing+time.Second+c.ctl.cfg.RequestTimeout, func() bool {
		ended = l.err
		// After a gap the StasisStart may have been missed: then the state was read back.
		return ended != nil || l.inStasis && l.state == "Up"
	})
	if err == nil {
		err = ended
	}
	return err
}

func (c *Call) notAnswered(ctx context.Context, l *Leg, err error, late bool) error {
	n := &NotAnswered{}
	var hung *HungUp
	var refused *Error
	switch {
	case errors.As(err, &hung) && ctx.Err() == nil:
		c.mu.Lock()
		status := l.dialed
		c.mu.Unlock()
		n.Cause, n.Reason = hung.Cause, reason(status, hung.Cause, late)
	case errors.Is(err, errLate):
		n.Reason = NoAnswer
	case ctx.Err() != nil:
		n.Reason, n.Err = Cancelled, context.Cause(ctx)
	case errors.As(err, &refused) && (refused.Status == 400 || refused.Status >= 500):
		n.Reason, n.Err = Unreachable, err
	default:
		n.Reason, n.Err = Congestion, err
	}
	clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.ctl.cfg.RequestTimeout)
	defer cancel()
	if err := l.Hangup(clean, CauseNormal); err != nil && !errors.Is(err, ErrGone) {
		c.log.Warn("dialled channel cannot be hung up", "channel", l.id, "error", err)
	}
	c.dropLeg(l)
	return n
}

// reason reads the dial status first: the cause is often 0 (asterisk issues
// 963 and 1660).
func reason(status string, cause int, late bool) Reason {
	switch cause {
	case int(CauseRejected):
		return Rejected
	case int(CauseBusy):
		return Busy
	case 18, int(CauseNoAnswer):
		return NoAnswer
	case int(CauseUnallocated), 3, 20, 27:
		return Unreachable
	}
	switch status {
	case "BUSY":
		return Busy
	case "NOANSWER":
		return NoAnswer
	case "CHANUNAVAIL":
		return Unreachable
	case "CONGESTION":
		return Congestion
	}
	switch {
	case cause != 0 && cause != int(CauseNormal):
		return Congestion
	case late:
		return NoAnswer
	}
	return Unreachable
}

// newLeg makes a leg and has its events come to this call.
func (c *Call) newLeg(id, role string) (*Leg, error) {
	if err := c.ctl.register(id, c); err != nil {
		return nil, err
	}
	l := newLeg(c, id, role)
	c.mu.Lock()
	c.legs[id] = l
	c.mu.Unlock()
	return l, nil
}

func (c *Call) dropLeg(l *Leg) {
	c.mu.Lock()
	delete(c.legs, l.id)
	c.mu.Unlock()
	c.ctl.forget(c, l.id)
}

// confirm notes that Asterisk has made the channel, so that its absence after
// a gap means that it ended.
func (l *Leg) confirm() {
	l.call.mu.Lock()
	l.known = true
	l.call.mu.Unlock()
}

// AdoptLeg takes up a channel that an earlier run of the controller had in
// this call.
func (c *Call) AdoptLeg(ctx context.Context, channelID, role string) (*Leg, error) {
	if err := checkRole(role); err != nil {
		return nil, err
	}
	l, err := c.newLeg(channelID, role)
	if err != nil {
		return nil, err
	}
	ch, err := c.adoptChannel(ctx, channelID)
	if err != nil {
		c.dropLeg(l)
		return nil, err
	}
	bridges, err := c.ctl.client.Bridges.List(ctx)
	if err != nil {
		c.dropLeg(l)
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	l.seen(ch)
	l.inStasis = ch.Dialplan.AppName == "Stasis"
	for _, b := range bridges {
		for _, id := range b.Channels {
			if id == l.id {
				l.bridge = b.ID
			}
		}
	}
	return l, l.err
}

func (c *Call) adoptChannel(ctx context.Context, id string) (*Channel, error) {
	if err := c.ctl.subscribe(ctx, "channel:"+id); err != nil {
		return nil, err
	}
	return c.ctl.client.Channels.Get(ctx, ChannelsGet{ChannelID: id})
}
