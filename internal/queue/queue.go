// Package queue matches waiting callers with agents: first come, first
// served for callers, longest idle first for agents.
//
// It holds no PHI, knows nothing of Asterisk, and decides nothing about
// fitness: whether an agent may take calls is asked of package policy by the
// caller of this package, who then says Ineligible.
//
//	stateDiagram-v2
//	  [*] --> Idle: Sync (on duty)
//	  Idle --> Offered: Next
//	  Offered --> Busy: Answered
//	  Offered --> Resting: NoAnswer
//	  Offered --> Barred: Ineligible
//	  Busy --> WrapUp: Done
//	  WrapUp --> Idle: wrap-up over
//	  Resting --> Idle: rest over
//	  Barred --> Idle: Sync with a changed record
package queue

import (
	"context"
	"errors"
	"sort"
	"sync"
	"time"
)

// ErrLeft is returned by Next after Leave.
var ErrLeft = errors.New("queue: caller has left the queue")

// Agent is what the queue needs to know of an agent.
type Agent struct {
	ID string
	// IdleSince orders agents: the earliest is offered first.
	IdleSince time.Time
	// Revision changes when the agent's record changes; a barred agent is
	// considered again then.
	Revision string
}

// Options of a queue. The zero value is usable.
type Options struct {
	WrapUp time.Duration    // time after a call before the next; default 0
	Rest   time.Duration    // time after a missed ring; default 10 s
	Clock  func() time.Time // default time.Now
}

type state uint8

const (
	idle state = iota
	offered
	busy
	resting
	barred
)

type agent struct {
	Agent
	state  state
	until  time.Time // end of rest or wrap-up, while state is resting
	onDuty bool
}

// Queue is safe for use by many goroutines.
type Queue struct {
	opts Options

	mu      sync.Mutex
	agents  map[string]*agent
	waiting []*Caller
	changed chan struct{} // closed and replaced when something changes
}

// New returns an empty queue.
func New(o Options) *Queue {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Rest == 0 {
		o.Rest = 10 * time.Second
	}
	return &Queue{opts: o, agents: map[string]*agent{}, changed: make(chan struct{})}
}

// Sync replaces the set of agents on duty. An agent who is on a call stays
// busy until Done, even when no longer listed.
func (q *Queue) Sync(list []Agent) {
	q.mu.Lock()
	defer q.mu.Unlock()
	seen := map[string]bool{}
	for _, a := range list {
		seen[a.ID] = true
		have := q.agents[a.ID]
		if have == nil {
			q.agents[a.ID] = &agent{Agent: a, onDuty: true}
			continue
		}
		if have.state == barred && have.Revision != a.Revision {
			have.state = idle
		}
		if a.IdleSince.After(have.IdleSince) {
			have.IdleSince = a.IdleSince
		}
		have.Revision, have.onDuty = a.Revision, true
	}
	for id, a := range q.agents {
		if seen[id] {
			continue
		}
		a.onDuty = false
		if a.state != busy && a.state != offered {
			delete(q.agents, id)
		}
	}
	q.wake()
}

// Counts says how many callers wait, and how many agents are on duty and
// idle.
func (q *Queue) Counts() (waiting, onDuty, idleNow int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := q.opts.Clock()
	for _, a := range q.agents {
		if a.onDuty && a.state != barred {
			onDuty++
		}
		if a.free(now) {
			idleNow++
		}
	}
	return len(q.waiting), onDuty, idleNow
}

// Busy marks an agent as talking, after a restart found the call still up.
func (q *Queue) Busy(agentID string) *Offer {
	q.mu.Lock()
	defer q.mu.Unlock()
	a := q.agents[agentID]
	if a == nil {
		a = &agent{Agent: Agent{ID: agentID}}
		q.agents[agentID] = a
	}
	a.state = busy
	return &Offer{AgentID: agentID, q: q}
}

// Join puts a caller at the end of the queue.
func (q *Queue) Join(callID string) *Caller {
	q.mu.Lock()
	defer q.mu.Unlock()
	c := &Caller{ID: callID, q: q, tried: map[string]bool{}}
	q.waiting = append(q.waiting, c)
	return c
}

// Caller is one waiting call.
type Caller struct {
	ID    string
	q     *Queue
	left  bool
	asks  bool            // in Next now; others are not held up by a caller who is listening to a prompt
	rung  bool            // an agent is reserved for this caller
	tried map[string]bool // agents that did not answer this caller
}

// Position counts from 1; 0 after Leave.
func (c *Caller) Position() int {
	c.q.mu.Lock()
	defer c.q.mu.Unlock()
	for i, w := range c.q.waiting {
		if w == c {
			return i + 1
		}
	}
	return 0
}

// Leave takes the caller out of the queue. It may be called twice.
func (c *Caller) Leave() {
	c.q.mu.Lock()
	defer c.q.mu.Unlock()
	c.leave()
}

func (c *Caller) leave() {
	c.left = true
	for i, w := range c.q.waiting {
		if w == c {
			c.q.waiting = append(c.q.waiting[:i:i], c.q.waiting[i+1:]...)
			c.q.wake()
			return
		}
	}
}

// Next waits until this caller is first among those who can be served and an
// agent is idle, and reserves that agent. The caller keeps its place until
// Offer.Answered or Leave. Errors: the context's, ErrLeft.
func (c *Caller) Next(ctx context.Context) (*Offer, error) {
	for {
		c.q.mu.Lock()
		if c.left {
			c.q.mu.Unlock()
			return nil, ErrLeft
		}
		c.asks = true
		o, wait := c.q.match(c)
		c.asks = o == nil
		changed := c.q.changed
		c.q.mu.Unlock()
		if o != nil {
			return o, nil
		}
		var timer <-chan time.Time
		var t *time.Timer
		if wait > 0 {
			t = time.NewTimer(wait)
			timer = t.C
		}
		select {
		case <-ctx.Done():
		case <-changed:
		case <-timer:
		}
		if t != nil {
			t.Stop()
		}
		if ctx.Err() != nil {
			c.q.mu.Lock()
			c.asks = false
			c.q.wake()
			c.q.mu.Unlock()
			return nil, context.Cause(ctx)
		}
	}
}

// Offer is one agent reserved for one caller. Exactly one of Answered,
// NoAnswer and Ineligible follows; after Answered, Done.
type Offer struct {
	AgentID string
	q       *Queue
	caller  *Caller
}

// Answered takes the caller out of the queue and leaves the agent busy.
func (o *Offer) Answered() {
	o.q.mu.Lock()
	defer o.q.mu.Unlock()
	o.set(busy, time.Time{})
	if o.caller != nil {
		o.caller.leave()
	}
}

// NoAnswer lets the agent rest; the caller is offered to the next one.
func (o *Offer) NoAnswer() {
	o.q.mu.Lock()
	defer o.q.mu.Unlock()
	if o.caller != nil {
		o.caller.tried[o.AgentID] = true
	}
	o.set(resting, o.q.opts.Clock().Add(o.q.opts.Rest))
	o.q.wake()
}

// Release gives the agent back unrung, because the caller has gone.
func (o *Offer) Release() {
	o.q.mu.Lock()
	defer o.q.mu.Unlock()
	o.set(idle, time.Time{})
	o.q.wake()
}

// Ineligible bars the agent until its record changes.
func (o *Offer) Ineligible() {
	o.q.mu.Lock()
	defer o.q.mu.Unlock()
	o.set(barred, time.Time{})
	o.q.wake()
}

// Done ends the agent's call and starts the wrap-up.
func (o *Offer) Done() {
	o.q.mu.Lock()
	defer o.q.mu.Unlock()
	a := o.q.agents[o.AgentID]
	if a == nil {
		return
	}
	now := o.q.opts.Clock()
	a.IdleSince = now
	o.set(resting, now.Add(o.q.opts.WrapUp))
	if !a.onDuty {
		delete(o.q.agents, o.AgentID)
	}
	o.q.wake()
}

func (o *Offer) set(s state, until time.Time) {
	if o.caller != nil {
		o.caller.rung = false
	}
	if a := o.q.agents[o.AgentID]; a != nil {
		a.state, a.until = s, until
	}
}

func (a *agent) free(now time.Time) bool {
	return a.onDuty && (a.state == idle || a.state == resting && !now.Before(a.until))
}

// match finds the agent for c, or says how long until one's rest ends.
// Callers ahead of c who can be served by the same agents go first.
func (q *Queue) match(c *Caller) (*Offer, time.Duration) {
	now := q.opts.Clock()
	free := make([]*agent, 0, len(q.agents))
	var wait time.Duration
	for _, a := range q.agents {
		switch {
		case a.free(now):
			free = append(free, a)
		case a.onDuty && a.state == resting:
			if d := a.until.Sub(now); wait == 0 || d < wait {
				wait = d
			}
		}
	}
	sort.Slice(free, func(i, j int) bool {
		if !free[i].IdleSince.Equal(free[j].IdleSince) {
			return free[i].IdleSince.Before(free[j].IdleSince)
		}
		return free[i].ID < free[j].ID
	})
	for _, w := range q.waiting {
		if w.rung || !w.asks {
			continue
		}
		best := w.pick(free)
		if best == nil {
			return nil, wait
		}
		if w == c {
			best.state, c.rung = offered, true
			return &Offer{AgentID: best.ID, q: q, caller: c}, 0
		}
		free = without(free, best)
	}
	return nil, wait
}

// pick prefers agents who have not missed this caller yet.
func (c *Caller) pick(free []*agent) *agent {
	for _, a := range free {
		if !c.tried[a.ID] {
			return a
		}
	}
	if len(free) > 0 {
		return free[0]
	}
	return nil
}

func without(list []*agent, a *agent) []*agent {
	out := make([]*agent, 0, len(list))
	for _, x := range list {
		if x != a {
			out = append(out, x)
		}
	}
	return out
}

func (q *Queue) wake() {
	close(q.changed)
	q.changed = make(chan struct{})
}
