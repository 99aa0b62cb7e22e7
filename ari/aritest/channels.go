package aritest

import (
	"slices"
	"strings"
	"time"

	"github.com/callward/callward/ari"
)

// channel is one channel; everything in it is under Asterisk.mu.
type channel struct {
	id, name, state string
	number, caller  string
	app             bool // in the application
	args            []string
	vars            map[string]string
	bridge          string
	ringing, moh    bool

	snoopOf  string
	snoopDir ari.Direction
	own      bool // made by the application: it hears of its end
	answered bool
	media    *media
	pumping  chan struct{} // closed to stop the audio
	playing  []*playback   // running and waiting
}

func (a *Asterisk) newChannel(id, tech string) *channel {
	a.serial++
	ch := &channel{id: id, name: tech + "/" + id, state: "Down", vars: map[string]string{}}
	a.channels[id] = ch
	return ch
}

func (ch *channel) json() map[string]any {
	app, data := "", ""
	if ch.app {
		app, data = "Stasis", strings.Join(append([]string{App}, ch.args...), ",")
	} else if ch.own {
		app, data = "AppDial2", "(Outgoing Line)"
	}
	m := map[string]any{"id": ch.id, "name": ch.name, "state": ch.state, "protocol_id": "",
		"caller": map[string]any{"name": ch.caller, "number": ch.number}, "connected": map[string]any{"name": "", "number": ""},
		"accountcode": "", "creationtime": stamp(time.Now()), "language": "en",
		"dialplan": map[string]any{"context": "default", "exten": "s", "priority": 1, "app_name": app, "app_data": data}}
	if ch.media != nil {
		m["channelvars"] = map[string]string{"MEDIA_WEBSOCKET_CONNECTION_ID": ch.media.connection, "MEDIA_WEBSOCKET_OPTIMAL_FRAME_SIZE": "160"}
	}
	return m
}

// Incoming lets a channel with this id enter the application with arguments,
// ringing. It reports false, as STASISSTATUS=FAILED would, when the
// application is not connected.
func (a *Asterisk) Incoming(id string, args ...string) bool {
	return a.IncomingFrom(id, "", "", args...)
}

// IncomingFrom is Incoming with the caller's name and number.
func (a *Asterisk) IncomingFrom(id, name, number string, args ...string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.app == nil {
		return false
	}
	ch := a.newChannel(id, "PJSIP")
	ch.state, ch.caller, ch.number, ch.args = "Ring", name, number, args
	a.enter(ch)
	return true
}

// enter puts a channel into the application and tells it so.
func (a *Asterisk) enter(ch *channel) {
	ch.app = true
	args := ch.args
	if args == nil {
		args = []string{}
	}
	a.emit("StasisStart", map[string]any{"channel": ch.json(), "args": args})
}

// Press sends keys of a channel's party, in order. It reports false when there
// is no such channel.
func (a *Asterisk) Press(id, keys string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	ch := a.channels[id]
	if ch == nil {
		return false
	}
	for _, k := range keys {
		a.emit("ChannelDtmfReceived", map[string]any{"channel": ch.json(), "digit": string(k), "duration_ms": 100})
	}
	return true
}

// HangUp lets a channel's party hang up, with a Q.850 cause.
func (a *Asterisk) HangUp(id string, cause ari.Cause) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if ch := a.channels[id]; ch != nil {
		a.destroy(ch, int(cause), map[string]any{"cause": int(cause), "channel": ch.json()})
	}
}

// destroy ends a channel with the events the real one sends: the request, the
// end of what plays, of its place in a bridge and in the application, and the
// cause if the application subscribed to the channel or made it.
func (a *Asterisk) destroy(ch *channel, cause int, request map[string]any) {
	a.emit("ChannelHangupRequest", request)
	for _, p := range slices.Clone(ch.playing) {
		a.finish(p, "failed")
	}
	ch.playing = nil
	ch.stopAudio()
	a.leaveBridge(ch)
	delete(a.channels, ch.id)
	if ch.app {
		ch.app = false
		a.emit("StasisEnd", map[string]any{"channel": ch.json()})
	}
	if (ch.own && ch.snoopOf == "") || a.subscribed["channel:"+ch.id] {
		a.emit("ChannelDestroyed", map[string]any{"channel": ch.json(), "cause": cause, "cause_txt": causeText(cause)})
	}
	delete(a.subscribed, "channel:"+ch.id)
	ch.closeMedia()
	for _, other := range a.sorted() {
		if other.snoopOf == ch.id {
			a.leaveBridge(other)
			other.stopAudio()
			delete(a.channels, other.id)
			a.emit("StasisEnd", map[string]any{"channel": other.json()})
		}
	}
}

// sorted are the channels in a fixed order, so that a test runs the same way twice.
func (a *Asterisk) sorted() []*channel {
	out := make([]*channel, 0, len(a.channels))
	for _, ch := range a.channels {
		out = append(out, ch)
	}
	slices.SortFunc(out, func(x, y *channel) int { return strings.Compare(x.id, y.id) })
	return out
}

func causeText(cause int) string {
	switch cause {
	case 16:
		return "Normal Clearing"
	case 17:
		return "User busy"
	case 19:
		return "User alerting, no answer"
	case 21:
		return "Call Rejected"
	}
	return "Unknown"
}

func (a *Asterisk) setState(ch *channel, state string) {
	if ch.state != state {
		ch.state = state
		a.emit("ChannelStateChange", map[string]any{"channel": ch.json()})
	}
}

// Continued is where a channel was sent in the dialplan.
type Continued struct {
	Context, Exten string
	Priority       string
}

// Continued tells where a channel was sent; false when it was not.
func (a *Asterisk) Continued(id string) (Continued, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	c, ok := a.continued[id]
	return c, ok
}

// State is a channel's state ("Ring", "Up"), "" when there is none.
func (a *Asterisk) State(id string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if ch := a.channels[id]; ch != nil {
		return ch.state
	}
	return ""
}

// Holding reports whether music on hold plays to a channel.
func (a *Asterisk) Holding(id string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	ch := a.channels[id]
	return ch != nil && ch.moh
}

// Ringing reports whether a channel is made to hear ringing.
func (a *Asterisk) Ringing(id string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	ch := a.channels[id]
	return ch != nil && ch.ringing
}

// Var reads a channel variable.
func (a *Asterisk) Var(id, name string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if ch := a.channels[id]; ch != nil {
		return ch.vars[name]
	}
	return ""
}

// SetVar sets a channel variable.
func (a *Asterisk) SetVar(id, name, value string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if ch := a.channels[id]; ch != nil {
		ch.vars[name] = value
	}
}
