package aritest

import (
	"slices"
	"strings"
)

// playback is a list of media on one target, under Asterisk.mu.
type playback struct {
	id, target string // target: "channel:ID" or "bridge:ID"
	media      []string
	n          int // which plays
	ended      bool
	next       func() // starts the next playback of the target
}

func (p *playback) json(state string) map[string]any {
	m := map[string]any{"id": p.id, "media_uri": p.media[min(p.n, len(p.media)-1)], "target_uri": p.target, "language": "en", "state": state}
	if p.n+1 < len(p.media) {
		m["next_media_uri"] = p.media[p.n+1]
	}
	return m
}

// play starts a playback, or queues it behind the one that runs on a channel.
func (a *Asterisk) play(q *call, target, id string, ch *channel) (int, []byte) {
	media := strings.Split(q.args["media"], ",")
	if id == "" {
		id = "playback-of-" + target
	}
	p := &playback{id: id, target: target, media: media}
	a.playbacks[id] = p
	reply, body := 201, marshal(p.json("queued"))
	if ch == nil {
		a.startMedia(p, q)
		return reply, body
	}
	ch.playing = append(ch.playing, p)
	p.next = func() {
		first := len(ch.playing) > 0 && ch.playing[0] == p
		ch.playing = slices.DeleteFunc(ch.playing, func(x *playback) bool { return x == p })
		if first && len(ch.playing) > 0 {
			a.startMedia(ch.playing[0], nil)
		}
	}
	if len(ch.playing) == 1 {
		a.startMedia(p, q)
	}
	return reply, body
}

// startMedia plays the media whose turn it is. The script is told outside the
// lock: by the request that caused it when there is one, from a timer otherwise.
func (a *Asterisk) startMedia(p *playback, q *call) {
	uri := p.media[p.n]
	_, id, _ := strings.Cut(p.target, ":")
	a.emit("PlaybackStarted", map[string]any{"playback": p.json("playing")})
	if a.missing[uri] {
		a.finish(p, "failed")
		return
	}
	a.played[id] = append(a.played[id], uri)
	tell := a.onPlay
	if q != nil {
		q.after = append(q.after, func() { tell(id, uri) })
	} else {
		a.wg.Go(func() { tell(id, uri) })
	}
	n := p.n
	a.later(a.playTime(uri), func() {
		if p.ended || p.n != n {
			return
		}
		if p.n+1 == len(p.media) {
			a.finish(p, "done")
			return
		}
		a.emit("PlaybackContinuing", map[string]any{"playback": p.json("continuing")})
		p.n++
		a.startMedia(p, nil)
	})
}

// finish ends a playback once.
func (a *Asterisk) finish(p *playback, state string) {
	if p.ended {
		return
	}
	p.ended = true
	delete(a.playbacks, p.id)
	a.emit("PlaybackFinished", map[string]any{"playback": p.json(state)})
	if p.next != nil && state != "failed" {
		p.next()
	} else if ch := a.channels[strings.TrimPrefix(p.target, "channel:")]; ch != nil {
		ch.playing = slices.DeleteFunc(ch.playing, func(x *playback) bool { return x == p })
	}
}
