package aritest

import (
	"encoding/json"
	"strings"
)

// actions are the operations the scripted Asterisk carries out, with the lock
// held; others are answered with 501.
var actions map[string]func(*Asterisk, *call) (int, []byte)

func init() {
	actions = map[string]func(*Asterisk, *call) (int, []byte){
		"asterisk.getInfo":       (*Asterisk).info,
		"asterisk.ping":          func(*Asterisk, *call) (int, []byte) { return ok(map[string]string{"ping": "pong"}) },
		"applications.filter":    (*Asterisk).application,
		"applications.get":       (*Asterisk).application,
		"applications.subscribe": (*Asterisk).subscribe,

		"channels.list":               (*Asterisk).listChannels,
		"channels.get":                (*Asterisk).getChannel,
		"channels.originate":          (*Asterisk).originate,
		"channels.originateWithId":    (*Asterisk).originate,
		"channels.hangup":             (*Asterisk).hangup,
		"channels.continueInDialplan": (*Asterisk).continueInDialplan,
		"channels.answer":             staged(func(a *Asterisk, ch *channel, _ *call) { ch.answered = true; ch.ringing = false; a.setState(ch, "Up") }),
		"channels.ring":               staged(func(_ *Asterisk, ch *channel, _ *call) { ch.ringing = true }),
		"channels.ringStop":           staged(func(_ *Asterisk, ch *channel, _ *call) { ch.ringing = false }),
		"channels.startMoh":           staged(func(_ *Asterisk, ch *channel, _ *call) { ch.moh = true }),
		"channels.stopMoh":            staged(func(_ *Asterisk, ch *channel, _ *call) { ch.moh = false }),
		"channels.setChannelVar":      (*Asterisk).setVar,
		"channels.getChannelVar":      (*Asterisk).getVar,
		"channels.playWithId":         (*Asterisk).playOnChannel,
		"channels.snoopChannelWithId": (*Asterisk).snoop,
		"channels.externalMedia":      (*Asterisk).externalMedia,
		"playbacks.get":               (*Asterisk).getPlayback,
		"playbacks.stop":              (*Asterisk).stopPlayback,
		"bridges.list":                (*Asterisk).listBridges,
		"bridges.get":                 (*Asterisk).getBridge,
		"bridges.createWithId":        (*Asterisk).createBridge,
		"bridges.destroy":             (*Asterisk).destroyBridge,
		"bridges.addChannel":          (*Asterisk).addChannel,
		"bridges.removeChannel":       (*Asterisk).removeChannel,
		"bridges.playWithId":          (*Asterisk).playOnBridge,
	}
}

// staged is an operation on a channel that must be in the application.
func staged(do func(*Asterisk, *channel, *call)) func(*Asterisk, *call) (int, []byte) {
	return func(a *Asterisk, q *call) (int, []byte) {
		ch := a.channels[q.args["channelId"]]
		switch {
		case ch == nil:
			return fail(404, "Channel not found")
		case !ch.app:
			return fail(409, "Channel not in Stasis application")
		}
		do(a, ch, q)
		return done()
	}
}

func (a *Asterisk) info(*call) (int, []byte) {
	return ok(map[string]any{"system": map[string]string{"version": a.version, "entity_id": "02:00:00:00:00:01"},
		"status": map[string]string{"startup_time": stamp(a.booted), "last_reload_time": stamp(a.booted)}})
}

func (a *Asterisk) application(*call) (int, []byte) {
	return ok(map[string]any{"name": App, "channel_ids": []string{}, "bridge_ids": []string{}, "endpoint_ids": []string{},
		"device_names": []string{}, "events_allowed": []any{}, "events_disallowed": []any{}})
}

func (a *Asterisk) subscribe(q *call) (int, []byte) {
	source := q.args["eventSource"]
	if id, isChannel := strings.CutPrefix(source, "channel:"); isChannel && a.channels[id] == nil {
		return fail(422, "Event source does not exist")
	}
	a.subscribed[source] = true
	return a.application(q)
}

func (a *Asterisk) listChannels(*call) (int, []byte) {
	out := []any{}
	for _, ch := range a.sorted() {
		out = append(out, ch.json())
	}
	return ok(out)
}

func (a *Asterisk) getChannel(q *call) (int, []byte) {
	ch := a.channels[q.args["channelId"]]
	if ch == nil {
		return fail(404, "Channel not found")
	}
	return ok(ch.json())
}

func (a *Asterisk) hangup(q *call) (int, []byte) {
	ch := a.channels[q.args["channelId"]]
	if ch == nil {
		return fail(404, "Channel not found")
	}
	cause := 16
	if code := q.args["reason_code"]; code != "" && json.Unmarshal([]byte(code), &cause) != nil {
		return fail(400, "Invalid reason code")
	}
	// A soft request: its cause is Asterisk's own flag, not Q.850.
	a.destroy(ch, cause, map[string]any{"cause": 32, "soft": true, "channel": ch.json()})
	return done()
}

func (a *Asterisk) continueInDialplan(q *call) (int, []byte) {
	return staged(func(a *Asterisk, ch *channel, q *call) {
		a.continued[ch.id] = Continued{q.args["context"], q.args["extension"], q.args["priority"]}
		a.leaveBridge(ch)
		a.emit("StasisEnd", map[string]any{"channel": ch.json()})
		ch.app = false
	})(a, q)
}

func (a *Asterisk) setVar(q *call) (int, []byte) {
	ch := a.channels[q.args["channelId"]]
	if ch == nil {
		return fail(404, "Channel not found")
	}
	ch.vars[q.args["variable"]] = q.args["value"]
	return done()
}

func (a *Asterisk) getVar(q *call) (int, []byte) {
	ch := a.channels[q.args["channelId"]]
	if ch == nil {
		return fail(404, "Channel not found")
	}
	value, has := ch.vars[q.args["variable"]]
	if !has {
		return fail(404, "Provided variable was not found")
	}
	return ok(map[string]string{"value": value})
}

func (a *Asterisk) playOnChannel(q *call) (int, []byte) {
	ch := a.channels[q.args["channelId"]]
	switch {
	case ch == nil:
		return fail(404, "Channel not found")
	case !ch.app:
		return fail(409, "Channel not in Stasis application")
	}
	return a.play(q, "channel:"+ch.id, q.args["playbackId"], ch)
}

func (a *Asterisk) playOnBridge(q *call) (int, []byte) {
	b := a.bridges[q.args["bridgeId"]]
	if b == nil {
		return fail(404, "Bridge not found")
	}
	return a.play(q, "bridge:"+b.id, q.args["playbackId"], nil)
}

func (a *Asterisk) getPlayback(q *call) (int, []byte) {
	p := a.playbacks[q.args["playbackId"]]
	if p == nil {
		return fail(404, "Playback not found")
	}
	return ok(p.json("playing"))
}

func (a *Asterisk) stopPlayback(q *call) (int, []byte) {
	p := a.playbacks[q.args["playbackId"]]
	if p == nil {
		return fail(404, "Playback not found")
	}
	a.finish(p, "done")
	return done()
}

func (a *Asterisk) getBridge(q *call) (int, []byte) {
	b := a.bridges[q.args["bridgeId"]]
	if b == nil {
		return fail(404, "Bridge not found")
	}
	return ok(b.json())
}
