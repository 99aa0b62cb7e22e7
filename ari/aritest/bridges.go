package aritest

import (
	"slices"
	"sort"
	"strings"
)

// bridge is one bridge, under Asterisk.mu.
type bridge struct {
	id, kind, name string
	members        []string
}

func (b *bridge) json() map[string]any {
	members := b.members
	if members == nil {
		members = []string{}
	}
	return map[string]any{"id": b.id, "technology": "simple_bridge", "bridge_type": "mixing", "bridge_class": "stasis",
		"creator": "Stasis", "name": b.name, "channels": members, "creationtime": "2026-01-01T00:00:00.000+0000"}
}

func (a *Asterisk) createBridge(q *call) (int, []byte) {
	id := q.args["bridgeId"]
	b := a.bridges[id]
	if b == nil {
		b = &bridge{id: id, kind: q.args["type"]}
		a.bridges[id] = b
	}
	b.name = q.args["name"]
	return ok(b.json())
}

func (a *Asterisk) listBridges(*call) (int, []byte) {
	out := []any{}
	for _, id := range sortedKeys(a.bridges) {
		out = append(out, a.bridges[id].json())
	}
	return ok(out)
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

func (a *Asterisk) addChannel(q *call) (int, []byte) {
	b := a.bridges[q.args["bridgeId"]]
	if b == nil {
		return fail(404, "Bridge not found")
	}
	ids := strings.Split(q.args["channel"], ",")
	for _, id := range ids {
		ch := a.channels[id]
		if ch == nil {
			return fail(400, "Channel not found")
		}
		if !ch.app {
			return fail(422, "Channel not in Stasis application")
		}
	}
	for _, id := range ids {
		ch := a.channels[id]
		if ch.bridge == b.id {
			continue
		}
		a.leaveBridge(ch)
		ch.bridge = b.id
		b.members = append(b.members, id)
		a.emit("ChannelEnteredBridge", map[string]any{"bridge": b.json(), "channel": ch.json()})
	}
	a.pump(b)
	return done()
}

func (a *Asterisk) removeChannel(q *call) (int, []byte) {
	b := a.bridges[q.args["bridgeId"]]
	if b == nil {
		return fail(404, "Bridge not found")
	}
	for _, id := range strings.Split(q.args["channel"], ",") {
		ch := a.channels[id]
		switch {
		case ch == nil:
			return fail(400, "Channel not found")
		case ch.bridge != b.id:
			return fail(422, "Channel not in this bridge")
		}
		a.leaveBridge(ch)
	}
	return done()
}

func (a *Asterisk) leaveBridge(ch *channel) {
	b := a.bridges[ch.bridge]
	ch.bridge = ""
	if b == nil {
		return
	}
	b.members = slices.DeleteFunc(b.members, func(id string) bool { return id == ch.id })
	for _, id := range append(slices.Clone(b.members), ch.id) {
		if other := a.channels[id]; other != nil {
			other.stopAudio()
		}
	}
	a.emit("ChannelLeftBridge", map[string]any{"bridge": b.json(), "channel": ch.json()})
}

func (a *Asterisk) destroyBridge(q *call) (int, []byte) {
	b := a.bridges[q.args["bridgeId"]]
	if b == nil {
		return fail(404, "Bridge not found")
	}
	for _, id := range slices.Clone(b.members) {
		a.leaveBridge(a.channels[id])
	}
	for _, id := range sortedKeys(a.playbacks) {
		if p := a.playbacks[id]; p.target == "bridge:"+b.id {
			a.finish(p, "done")
		}
	}
	delete(a.bridges, b.id)
	return done()
}
