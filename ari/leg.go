package ari

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"time"
)

// maxTypeAhead keys are kept between prompts.
const maxTypeAhead = 64

// Leg is one party's side of a call: a channel, the keys pressed on it and its
// place in the call's mailbox. Verbs return the leg's own end (*HungUp, *Lost,
// ErrLeft) when it has ended, and the cause of their context when that ended.
type Leg struct {
	call    *Call
	id      string
	role    string
	done    chan struct{}
	gone    chan struct{}
	talking chan struct{} // one prompt at a time

	// Under call.mu.
	state        string
	known        bool // Asterisk has told of the channel
	inStasis     bool
	err          error
	bridge       string // the bridge it is in
	dialed       string // last dial status
	asked        bool   // a hang-up was asked for
	askedCause   int
	leaving      bool // Continue was asked for
	tool         bool // a snoop: Asterisk tells no more of it after StasisEnd
	keys         []byte
	lost         int // keys that found the type-ahead full
	watch        map[int]func(byte, time.Time)
	watchN       int
	name, number Private
}

func newLeg(c *Call, id, role string) *Leg {
	o, ours := parseID(c.ctl.cfg.App, id)
	return &Leg{call: c, id: id, role: role, tool: ours && o.kind == kindSnoop, done: make(chan struct{}), gone: make(chan struct{}), talking: make(chan struct{}, 1),
		watch: map[int]func(byte, time.Time){}}
}

// Key is one key: 0-9, A-D, * or #; zero is none. Compare it with '1'; printed
// and marshalled it redacts itself.
type Key byte

// String returns a fixed text that tells nothing of the key.
func (k Key) String() string { return redacted }

// GoString returns the same text as String.
func (k Key) GoString() string { return redacted }

// Format writes the redacted text whatever the verb.
func (k Key) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, redacted) }

// LogValue returns the redacted text.
func (k Key) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON writes the redacted text.
func (k Key) MarshalJSON() ([]byte, error) { return json.Marshal(redacted) }

// ID is Asterisk's id of the channel.
func (l *Leg) ID() string { return l.id }

// Role is "patient", or what the leg was originated, adopted or snooped as.
func (l *Leg) Role() string { return l.role }

// Done is closed when the leg has ended.
func (l *Leg) Done() <-chan struct{} { return l.done }

// Gone is closed when the channel is no more. For a leg that left the
// application (ErrLeft) that is later than Done.
func (l *Leg) Gone() <-chan struct{} { return l.gone }

// Err is why the leg ended, nil while it lives.
func (l *Leg) Err() error {
	l.call.mu.Lock()
	defer l.call.mu.Unlock()
	return l.err
}

// Up reports whether the leg was answered.
func (l *Leg) Up() bool {
	l.call.mu.Lock()
	defer l.call.mu.Unlock()
	return l.state == "Up"
}

// Caller is the name and number Asterisk was given for the party. Neither
// proves anything.
func (l *Leg) Caller() (name, number Private) {
	l.call.mu.Lock()
	defer l.call.mu.Unlock()
	return l.name, l.number
}

// WatchKeys calls fn for each key from now on, in the order pressed and before
// a hang-up that follows; at is when the key's event was handled. While a leg
// is watched its keys do not go to type-ahead. fn runs in the call's own
// goroutine: it must return soon and may not use the verbs. After stop no new
// call of fn begins.
func (l *Leg) WatchKeys(fn func(key byte, at time.Time)) (stop func()) {
	l.call.mu.Lock()
	defer l.call.mu.Unlock()
	n := l.watchN
	l.watchN++
	l.watch[n] = fn
	return func() {
		l.call.mu.Lock()
		delete(l.watch, n)
		l.call.mu.Unlock()
	}
}

// DropKeys empties the type-ahead and returns how many keys there were.
func (l *Leg) DropKeys() int {
	l.call.mu.Lock()
	defer l.call.mu.Unlock()
	n := len(l.keys)
	l.keys = nil
	return n
}

// The following run under call.mu.

func (l *Leg) seen(ch *Channel) {
	l.known, l.state = true, ch.State
	l.name, l.number = ch.Caller.Name, ch.Caller.Number
}

// pressed keeps a key, or returns who watches for it.
func (l *Leg) pressed(key byte) []func(byte, time.Time) {
	if len(l.watch) > 0 {
		fns := make([]func(byte, time.Time), 0, len(l.watch))
		for i := range l.watchN {
			if fn := l.watch[i]; fn != nil {
				fns = append(fns, fn)
			}
		}
		return fns
	}
	if len(l.keys) >= maxTypeAhead {
		if l.lost++; l.lost == 1 {
			l.call.log.Warn("type-ahead is full: further keys are dropped", "role", l.role, "limit", maxTypeAhead)
		}
		return nil
	}
	l.keys = append(l.keys, key)
	return nil
}

func (l *Leg) stasisEnded() {
	l.inStasis = false
	if l.err != nil {
		return
	}
	if l.leaving && !l.asked || l.tool {
		l.left()
		return
	}
	time.AfterFunc(endGrace, func() { l.call.box.force(&timeEvent{leg: l}) })
}

// left ends a leg that is out of the application and of which no
// ChannelDestroyed came.
func (l *Leg) left() {
	switch {
	case l.inStasis:
	case l.asked || l.tool:
		l.ended(&HungUp{Cause: l.askedCause})
	default:
		l.ended(ErrLeft)
	}
}

func (l *Leg) ended(why error) {
	l.inStasis, l.bridge = false, ""
	if !errors.Is(why, ErrLeft) {
		l.destroyed()
	}
	if l.err != nil {
		return
	}
	l.err = why
	close(l.done)
	if l == l.call.Leg {
		l.call.cancel(why)
	}
}

func (l *Leg) destroyed() {
	select {
	case <-l.gone:
	default:
		close(l.gone)
	}
}

// alive returns why the leg ended, and nil while it lives.
func (l *Leg) alive(ctx context.Context) error {
	if err := l.Err(); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

// explain turns "gone" into why the leg ended, which Asterisk tells a moment
// later. A playback that a hang-up cut off is told as failed.
func (l *Leg) explain(ctx context.Context, err error) error {
	if !errors.Is(err, ErrGone) && !errors.Is(err, ErrNotInStasis) && !errors.Is(err, ErrPlayback) {
		return err
	}
	var why error
	_ = l.call.wait(context.WithoutCancel(ctx), endGrace+endGrace/2, func() bool { why = l.err; return why != nil })
	if why != nil {
		return why
	}
	return err
}

// prove waits for the event that shows that an acknowledged request was done.
func (l *Leg) prove(ctx context.Context, op, event string, done func() bool) error {
	var why error
	err := l.call.wait(ctx, l.call.ctl.cfg.RequestTimeout, func() bool {
		if done() {
			return true
		}
		why = l.err
		return why != nil
	})
	switch {
	case errors.Is(err, errLate):
		return &Error{Op: op, Message: "no " + event + " within " + l.call.ctl.cfg.RequestTimeout.String(), Err: ErrNotDone}
	case err != nil:
		return err
	}
	return why
}

// Answer answers the channel and returns when it is up.
func (l *Leg) Answer(ctx context.Context) error {
	if err := l.alive(ctx); err != nil {
		return err
	}
	if l.Up() {
		return nil
	}
	c := l.call
	err := c.request(ctx, func(ctx context.Context) error {
		return c.ctl.client.Channels.Answer(ctx, ChannelsAnswer{ChannelID: l.id})
	})
	if err != nil {
		return l.explain(ctx, err)
	}
	return l.prove(ctx, "channels.answer", "state Up", func() bool { return l.state == "Up" })
}

// simple sends a request that Asterisk has no event for: its reply must do.
func (l *Leg) simple(ctx context.Context, send func(context.Context, *Client) error) error {
	if err := l.alive(ctx); err != nil {
		return err
	}
	err := l.call.request(ctx, func(ctx context.Context) error { return send(ctx, l.call.ctl.client) })
	return l.explain(ctx, err)
}

// Ring lets the party hear ringing. Asterisk has no event for it.
func (l *Leg) Ring(ctx context.Context) error {
	return l.simple(ctx, func(ctx context.Context, c *Client) error {
		return c.Channels.Ring(ctx, ChannelsRing{ChannelID: l.id})
	})
}

// StopRing ends Ring.
func (l *Leg) StopRing(ctx context.Context) error {
	return l.simple(ctx, func(ctx context.Context, c *Client) error {
		return c.Channels.RingStop(ctx, ChannelsRingStop{ChannelID: l.id})
	})
}

// Hold plays music on hold of a class of musiconhold.conf ("" is the default
// one) until Unhold. A prompt interrupts it and it goes on afterwards.
// Asterisk has no event for it.
func (l *Leg) Hold(ctx context.Context, class string) error {
	return l.simple(ctx, func(ctx context.Context, c *Client) error {
		return c.Channels.StartMoh(ctx, ChannelsStartMoh{ChannelID: l.id, MohClass: class})
	})
}

// Unhold ends Hold.
func (l *Leg) Unhold(ctx context.Context) error {
	return l.simple(ctx, func(ctx context.Context, c *Client) error {
		return c.Channels.StopMoh(ctx, ChannelsStopMoh{ChannelID: l.id})
	})
}

// Var reads a channel variable or function; "" when it is not set.
func (l *Leg) Var(ctx context.Context, name string) (string, error) {
	var value string
	err := l.simple(ctx, func(ctx context.Context, c *Client) error {
		v, err := c.Channels.GetChannelVar(ctx, ChannelsGetChannelVar{ChannelID: l.id, Variable: name})
		if err == nil {
			value = v.Value.text
			return nil
		}
		if e := (*Error)(nil); errors.As(err, &e) && e.Status == 404 && e.Message == "Provided variable was not found" {
			return nil
		}
		return err
	})
	return value, err
}

// SetVar sets a channel variable or function.
func (l *Leg) SetVar(ctx context.Context, name, value string) error {
	return l.simple(ctx, func(ctx context.Context, c *Client) error {
		return c.Channels.SetChannelVar(ctx, ChannelsSetChannelVar{ChannelID: l.id, Variable: name, Value: NewPrivate(value)})
	})
}

// Hangup hangs the channel up with a Q.850 cause and returns when it has
// ended; nil when it had ended before.
func (l *Leg) Hangup(ctx context.Context, cause Cause) error {
	if err := l.Err(); err != nil && !errors.Is(err, ErrLeft) {
		return nil
	}
	c := l.call
	err := c.request(ctx, func(ctx context.Context) error {
		return c.ctl.client.Channels.Hangup(ctx, ChannelsHangup{ChannelID: l.id, ReasonCode: strconv.Itoa(int(cause))})
	})
	if err != nil && !refusedAs(err, ErrGone) {
		if l.Err() != nil { // it was heard to end before its answer
			return nil
		}
		return err
	}
	if err != nil { // it ended before: the event that tells why is on its way, if there is one
		if errors.Is(l.explain(ctx, err), err) {
			c.mu.Lock()
			l.ended(&HungUp{Text: "not there"})
			c.turn()
			c.mu.Unlock()
		}
		return nil
	}
	err = l.prove(ctx, "channels.hangup", "ChannelDestroyed", func() bool { return l.err != nil })
	if errors.Is(err, ErrGone) || errors.Is(err, ErrLeft) {
		return nil
	}
	return err
}

// Continue sends the channel back to the dialplan, at the next priority when
// dpContext and exten are empty, and returns when it has left the
// application. The call's context is then cancelled with ErrLeft.
func (l *Leg) Continue(ctx context.Context, dpContext, exten string, priority int) error {
	c := l.call
	if err := l.Err(); err != nil {
		return err
	}
	c.mu.Lock()
	l.leaving = true
	c.mu.Unlock()
	err := c.request(ctx, func(ctx context.Context) error {
		return c.ctl.client.Channels.ContinueInDialplan(ctx, ChannelsContinueInDialplan{ChannelID: l.id, Context: dpContext,
			Extension: NewPrivate(exten), Priority: priority})
	})
	if err == nil {
		err = l.prove(ctx, "channels.continueInDialplan", "StasisEnd", func() bool { return !l.inStasis })
	} else {
		err = l.explain(ctx, err)
	}
	if errors.Is(err, ErrLeft) {
		return nil
	}
	if err != nil {
		c.mu.Lock()
		l.leaving = false
		c.mu.Unlock()
	}
	return err
}
