package ari

import (
	"context"
	"errors"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"
)

// endGrace is how long after StasisEnd a ChannelDestroyed, which knows the
// cause, is waited for. It comes within 20 ms when it comes.
const endGrace = 200 * time.Millisecond

// errLate is a wait that took too long.
var errLate = errors.New("late")

// Call is one person's contact. It embeds the patient's leg: the channel that
// entered the application. All its events go through one mailbox, in order, to
// one goroutine, which keeps the state the verbs wait on.
type Call struct {
	*Leg
	ctl     *Controller
	log     *slog.Logger
	args    []string
	adopted bool
	ctx     context.Context
	cancel  context.CancelCauseFunc
	box     *mailbox

	mu      sync.Mutex
	changed chan struct{} // closed and replaced after each event
	legs    map[string]*Leg
	bridges map[string]*Bridge
	plays   map[string]*play
	streams map[*Stream]struct{}
	gaps    []Gap
	gapN    int // gaps told so far, those of adoption not counted
	watch   map[int]func(Event)
	watchN  int
}

func newCall(c *Controller, ch *Channel, args []string) *Call {
	call := &Call{ctl: c, args: args, box: newMailbox(c.cfg.MailboxLimit), log: c.cfg.Logger.With("call", ch.ID),
		changed: make(chan struct{}), legs: map[string]*Leg{}, bridges: map[string]*Bridge{}, plays: map[string]*play{},
		streams: map[*Stream]struct{}{}, watch: map[int]func(Event){}}
	call.ctx, call.cancel = context.WithCancelCause(context.Background())
	call.Leg = newLeg(call, ch.ID, "patient")
	call.Leg.seen(ch)
	call.Leg.inStasis = true
	call.legs[ch.ID] = call.Leg
	return call
}

// Args are the arguments the dialplan gave to Stasis() after the application.
func (c *Call) Args() []string { return append([]string(nil), c.args...) }

// Adopted reports whether the call was found, not newly arrived.
func (c *Call) Adopted() bool { return c.adopted }

// Log is a logger with the call id.
func (c *Call) Log() *slog.Logger { return c.log }

// Gaps are the times in which events of this call may have been missed.
func (c *Call) Gaps() []Gap {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]Gap(nil), c.gaps...)
}

// WatchEvents calls fn for every event of the call, in order, in the call's
// own goroutine: fn must return soon and may not use the verbs. A *GapEvent
// stands where events may be missing.
func (c *Call) WatchEvents(fn func(Event)) (stop func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.watchN
	c.watchN++
	c.watch[n] = fn
	return func() {
		c.mu.Lock()
		delete(c.watch, n)
		c.mu.Unlock()
	}
}

// run is the call from first to last.
func (c *Call) run(handler func(context.Context, *Call)) {
	boxed := make(chan struct{})
	go func() {
		defer close(boxed)
		c.drain()
	}()
	c.subscribe()
	c.handle(handler)
	c.finish()
	c.cancel(context.Canceled)
	c.ctl.forget(c)
	c.box.close()
	<-boxed
}

// subscribe keeps the events of the patient's channel coming after it left the
// application; without it Asterisk does not tell the hang-up cause.
func (c *Call) subscribe() {
	ctx, cancel := context.WithTimeout(c.ctx, c.ctl.cfg.RequestTimeout)
	defer cancel()
	err := c.ctl.subscribe(ctx, "channel:"+c.id)
	if err != nil && !errors.Is(err, ErrGone) && !errors.Is(err, ErrState) && c.ctx.Err() == nil {
		c.log.Warn("channel cannot be subscribed to: its hang-up cause will not be known", "error", err)
	}
}

func (c *Controller) subscribe(ctx context.Context, source string) error {
	_, err := c.client.Applications.Subscribe(ctx, ApplicationsSubscribe{ApplicationName: c.cfg.App, EventSource: []string{source}})
	return err
}

func (c *Call) handle(handler func(context.Context, *Call)) {
	defer func() {
		if p := recover(); p != nil {
			// The value may hold what a caller said; the stack does not.
			c.log.Error("call handler panicked: the call is ended", "stack", string(debug.Stack()))
		}
	}()
	handler(c.ctx, c)
}

// finish ends what the handler left: streams always; parties and bridges
// unless a successor will take the call over.
func (c *Call) finish() {
	ctx, cancel := context.WithTimeout(context.Background(), c.ctl.cfg.RequestTimeout)
	defer cancel()
	c.mu.Lock()
	var streams []*Stream
	for s := range c.streams {
		streams = append(streams, s)
	}
	var bridges []*Bridge
	for _, b := range c.bridges {
		bridges = append(bridges, b)
	}
	var legs []*Leg
	for _, l := range c.legs {
		if l.err == nil {
			legs = append(legs, l)
		}
	}
	c.mu.Unlock()
	for _, s := range streams {
		_ = s.Stop(ctx)
	}
	why := context.Cause(c.ctx)
	if errors.Is(why, ErrStopping) || errors.Is(why, ErrReplaced) {
		return
	}
	for _, b := range bridges {
		if err := b.Destroy(ctx); err != nil {
			c.log.Warn("bridge left behind", "bridge", b.id, "error", err)
		}
	}
	for _, l := range legs {
		if err := l.Hangup(ctx, CauseNormal); err != nil {
			c.log.Warn("channel left behind", "channel", l.id, "error", err)
		}
	}
	if c.adopted {
		c.ctl.askSweep() // what was not adopted with it
	}
}

// drain is the mailbox goroutine.
func (c *Call) drain() {
	var batch []Event
	for {
		var ok bool
		if batch, ok = c.box.take(batch); !ok {
			return
		}
		for i, e := range batch {
			c.apply(e)
			batch[i] = nil
		}
	}
}

// apply brings the state up to one event and then tells everybody.
func (c *Call) apply(e Event) {
	c.mu.Lock()
	var keyed []func(byte, time.Time)
	var key byte
	switch e := e.(type) {
	case *ChannelDtmfReceived:
		if l := c.legs[e.Channel.ID]; l != nil && len(e.Digit.keys) == 1 {
			key = e.Digit.keys[0]
			keyed = l.pressed(key)
		}
	case *gapEvent:
		c.resynced(e)
	case *timeEvent:
		e.leg.left()
	case *PlaybackStarted:
		c.played(&e.Playback)
	case *PlaybackContinuing:
		c.played(&e.Playback)
	case *PlaybackFinished:
		c.played(&e.Playback)
	default:
		c.channelEvent(e)
	}
	var watchers []func(Event)
	told := e
	switch e := e.(type) {
	case *gapEvent:
		told = &GapEvent{e.Gap}
	case *timeEvent:
		told = nil
	}
	for i := range c.watchN {
		if fn := c.watch[i]; fn != nil && told != nil {
			watchers = append(watchers, fn)
		}
	}
	c.turn()
	c.mu.Unlock()
	if len(keyed) > 0 {
		at := c.ctl.cfg.Now()
		for _, fn := range keyed {
			fn(key, at)
		}
	}
	for _, fn := range watchers {
		fn(told)
	}
}

func (c *Call) channelEvent(e Event) {
	switch e := e.(type) {
	case *StasisStart:
		if l := c.legs[e.Channel.ID]; l != nil {
			l.seen(&e.Channel)
			l.inStasis = true
		}
	case *StasisEnd:
		if l := c.legs[e.Channel.ID]; l != nil {
			l.stasisEnded()
		}
	case *ChannelStateChange:
		if l := c.legs[e.Channel.ID]; l != nil {
			l.seen(&e.Channel)
		}
	case *ChannelHangupRequest:
		if l := c.legs[e.Channel.ID]; l != nil {
			l.asked = true
			if !e.Soft { // a soft request carries Asterisk's own flags as cause
				l.askedCause = e.Cause
			}
		}
	case *ChannelDestroyed:
		if l := c.legs[e.Channel.ID]; l != nil {
			l.ended(&HungUp{Cause: e.Cause, Text: e.CauseTxt})
			l.destroyed()
		}
	case *ChannelEnteredBridge:
		if e.Channel != nil {
			if l := c.legs[e.Channel.ID]; l != nil {
				l.bridge = e.Bridge.ID
			}
		}
	case *ChannelLeftBridge:
		if l := c.legs[e.Channel.ID]; l != nil && l.bridge == e.Bridge.ID {
			l.bridge = ""
		}
	case *BridgeDestroyed:
		if b := c.bridges[e.Bridge.ID]; b != nil {
			b.gone = true
		}
	case *Dial:
		if l := c.legs[e.Peer.ID]; l != nil {
			l.dialed = e.Dialstatus
		}
	}
}

// resynced applies what was read back after a gap.
func (c *Call) resynced(e *gapEvent) {
	c.gaps = append(c.gaps, e.Gap)
	c.gapN++
	if e.lost != nil {
		for _, l := range c.legs {
			l.ended(e.lost)
		}
		for _, b := range c.bridges {
			b.gone = true
		}
		return
	}
	in := map[string]string{}
	for id, b := range e.bridges {
		for _, channel := range b.Channels {
			in[channel] = id
		}
	}
	for id, b := range c.bridges {
		if e.bridges[id] == nil && b.made {
			b.gone = true
		}
	}
	for id, l := range c.legs {
		ch := e.channels[id]
		switch {
		case ch != nil:
			l.seen(ch)
			l.bridge = in[id]
			l.inStasis = ch.Dialplan.AppName == "Stasis"
			if l == c.Leg && !l.inStasis {
				l.left()
			}
		case l.known:
			l.ended(&HungUp{Text: "ended while no events came"})
		}
	}
}

// turn wakes the verbs that wait; c.mu is held.
func (c *Call) turn() {
	close(c.changed)
	c.changed = make(chan struct{})
}

// wait returns nil when done holds, which is looked at under the call's lock
// after each event. A limit of 0 is none. While Asterisk is not connected the
// limit does not run out: nothing can be proven then.
func (c *Call) wait(ctx context.Context, limit time.Duration, done func() bool) error {
	var late <-chan time.Time
	if limit > 0 {
		t := time.NewTimer(limit)
		defer t.Stop()
		late = t.C
	}
	for {
		c.mu.Lock()
		ok, changed := done(), c.changed
		c.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-changed:
		case <-late:
			if c.ctl.connected() {
				return errLate
			}
			if err := c.ctl.Ready(ctx); err != nil {
				return err
			}
			late = time.After(limit)
		case <-ctx.Done():
			c.mu.Lock()
			ok := done()
			c.mu.Unlock()
			if ok {
				return nil
			}
			return context.Cause(ctx)
		}
	}
}

// request repeats a request whose fate is unknown because the connection went,
// once there is a new one. The request must carry an id of ours or be one that
// does no harm twice; "there already" is success then.
func (c *Call) request(ctx context.Context, send func(context.Context) error) error {
	for again := false; ; again = true {
		before := c.ctl.client.socket.Load()
		err := send(ctx)
		var e *Error
		switch {
		case err == nil:
			return nil
		case again && errors.As(err, &e) && e.Status == 409 && !errors.Is(err, ErrNotInStasis):
			return nil
		case !errors.Is(err, ErrInterrupted) && !(errors.As(err, &e) && e.Status == 0 && e.unreachable):
			return err
		}
		if s := c.ctl.client.socket.Load(); s != nil && s == before && s.why() == nil {
			return err // the connection is not what failed
		}
		if err := c.ctl.Ready(ctx); err != nil {
			return err
		}
	}
}

func (c *Call) newID(role, kind string) string {
	return ourID{app: c.ctl.cfg.App, call: c.id, role: role, kind: kind, instance: c.ctl.cfg.Instance}.text(c.ctl.seq.Add(1))
}
