package aritest

import (
	"encoding/json"
	"time"
)

type refusal struct {
	status  int
	message string
	times   int // 0: for ever
}

// Refuse answers an operation ("channels.answer") with a status from now on;
// status 0 ends that.
func (a *Asterisk) Refuse(op string, status int) { a.refuseTimes(op, status, 0) }

// RefuseOnce answers the next request of an operation with a status.
func (a *Asterisk) RefuseOnce(op string, status int) { a.refuseTimes(op, status, 1) }

func (a *Asterisk) refuseTimes(op string, status, times int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if status == 0 {
		delete(a.refusals, op)
		return
	}
	a.refusals[op] = append(a.refusals[op], refusal{status, "refused by the script", times})
}

// refuse runs with the lock held.
func (a *Asterisk) refuse(op string) (refusal, bool) {
	rs := a.refusals[op]
	if len(rs) == 0 {
		return refusal{}, false
	}
	r := rs[0]
	if r.times > 0 {
		if rs[0].times--; rs[0].times == 0 {
			a.refusals[op] = rs[1:]
		}
	}
	return r, true
}

// Delay carries an operation that comes over the WebSocket out, and answers
// it, only after d; 0 ends that.
func (a *Asterisk) Delay(op string, d time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.delays[op] = d
}

// Lie acknowledges an operation and does nothing, as long as on is true.
func (a *Asterisk) Lie(op string, on bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.lies[op] = on
}

// DropEvents loses events of these types, or all when none is named, until
// KeepEvents.
func (a *Asterisk) DropEvents(types ...string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(types) == 0 {
		types = []string{""}
	}
	for _, t := range types {
		a.dropped[t] = true
	}
}

// KeepEvents ends DropEvents.
func (a *Asterisk) KeepEvents() {
	a.mu.Lock()
	defer a.mu.Unlock()
	clear(a.dropped)
}

// Cut closes the event socket. The application's calls stay.
func (a *Asterisk) Cut() {
	a.mu.Lock()
	sessions := a.all()
	a.app = nil
	a.mu.Unlock()
	for _, s := range sessions {
		s.close()
	}
}

// Down refuses new connections, and closes the event socket, until Up.
func (a *Asterisk) Down() {
	a.mu.Lock()
	a.down = true
	a.mu.Unlock()
	a.Cut()
}

// Up ends Down.
func (a *Asterisk) Up() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.down = false
}

// Freeze leaves the event socket open and neither reads nor writes it, as a
// host that lost its network does. A new connection works after Thaw.
func (a *Asterisk) Freeze() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.frozen = true
}

// Thaw ends Freeze for connections made after it.
func (a *Asterisk) Thaw() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.frozen = false
}

// Restart loses every channel, bridge and subscription without an event and
// closes all sockets, as a crash and a new start do.
func (a *Asterisk) Restart() {
	a.mu.Lock()
	for _, ch := range a.channels {
		ch.stopAudio()
		ch.closeMedia()
	}
	clear(a.channels)
	clear(a.bridges)
	clear(a.playbacks)
	clear(a.subscribed)
	next := a.booted.Add(time.Millisecond) // a start is told in milliseconds
	if now := time.Now(); now.After(next) {
		next = now
	}
	a.booted = next
	a.mu.Unlock()
	a.Cut()
}

// Emit sends a JSON object to the application as it is.
func (a *Asterisk) Emit(event string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.app != nil && json.Valid([]byte(event)) {
		a.app.send([]byte(event))
	}
}
