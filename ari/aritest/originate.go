package aritest

import (
	"strconv"
	"time"

	"github.com/callward/callward/ari"
)

// Originated is a leg somebody dials.
type Originated struct {
	ID       string // of the new channel
	Endpoint string
	CallerID string
	AppArgs  string
	Timeout  time.Duration
}

// Outcome is what the dialled party does. The zero value rings until the
// timeout.
type Outcome struct {
	After  time.Duration // until it happens
	Answer bool
	Status string    // dial status when not answered: "BUSY", "CONGESTION", "CHANUNAVAIL"
	Cause  ari.Cause // of the end when not answered
	Refuse int       // HTTP status of the request itself: 500 is an endpoint that is not there
}

// Answered is a party that answers after ringing for d.
func Answered(d time.Duration) Outcome { return Outcome{After: d, Answer: true} }

// Busy is a party that is engaged. As the real one it tells so by the dial
// status; the cause is 0.
func Busy() Outcome { return Outcome{Status: "BUSY"} }

// Rejected is a party that declines after ringing for d.
func Rejected(d time.Duration) Outcome {
	return Outcome{After: d, Status: "BUSY", Cause: ari.CauseRejected}
}

// NoAnswer is a party that rings until the timeout.
func NoAnswer() Outcome { return Outcome{After: -1} }

// Unreachable is an endpoint that is not registered.
func Unreachable() Outcome { return Outcome{Refuse: 500} }

// OnOriginate decides what a dialled party does; without it each answers after
// one second. It must not call back into the Asterisk.
func (a *Asterisk) OnOriginate(fn func(Originated) Outcome) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.onOriginate = fn
}

func (a *Asterisk) originate(q *call) (int, []byte) {
	id := q.args["channelId"]
	if id == "" {
		id = "originated-" + strconv.Itoa(a.serial)
	}
	if a.channels[id] != nil {
		return fail(409, "Channel with given unique ID already exists")
	}
	seconds, err := strconv.Atoi(q.args["timeout"])
	if err != nil {
		seconds = 30
	}
	o := Originated{ID: id, Endpoint: q.args["endpoint"], CallerID: q.args["callerId"], AppArgs: q.args["appArgs"],
		Timeout: time.Duration(seconds) * time.Second}
	out := a.onOriginate(o)
	if out.Refuse != 0 {
		return fail(out.Refuse, "Allocation failed")
	}
	ch := a.newChannel(id, "PJSIP")
	ch.own = true
	if o.AppArgs != "" {
		ch.args = []string{o.AppArgs}
	}
	reply, body := ok(ch.json())
	a.emit("Dial", map[string]any{"dialstatus": "", "dialstring": o.Endpoint, "peer": ch.json()})
	a.setState(ch, "Ringing")
	a.emit("Dial", map[string]any{"dialstatus": "RINGING", "dialstring": o.Endpoint, "peer": ch.json()})
	after := out.After
	if after < 0 || after > o.Timeout || !out.Answer && out.Status == "" {
		out, after = Outcome{Cause: ari.CauseNoAnswer}, o.Timeout
	}
	a.later(after, func() {
		if a.channels[id] != ch || ch.state == "Up" {
			return
		}
		status := out.Status
		if out.Answer {
			status = "ANSWER"
			a.setState(ch, "Up")
		}
		if status != "" {
			a.emit("Dial", map[string]any{"dialstatus": status, "dialstring": o.Endpoint, "peer": ch.json()})
		}
		if out.Answer {
			a.enter(ch)
			return
		}
		a.destroy(ch, int(out.Cause), map[string]any{"cause": int(out.Cause), "channel": ch.json()})
	})
	return reply, body
}
