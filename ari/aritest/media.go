package aritest

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/callward/callward/ari"
)

// media is the socket side of an external media channel.
type media struct {
	connection string
	mu         sync.Mutex
	conn       *websocket.Conn
}

// Audio fills the frames of every stream: 160 bytes of mu-law that are silence
// when fn leaves them alone. channel is the leg that is snooped.
func (a *Asterisk) Audio(fn func(channel string, dir ari.Direction, frame []byte)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.audio = fn
}

// Stall stops the frames of every stream of a leg and says nothing, as the
// real one does when its buffer is full.
func (a *Asterisk) Stall(leg string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, ch := range a.sorted() {
		if ch.snoopOf == leg {
			ch.stopAudio()
		}
	}
}

// CutMedia closes the media sockets of every stream of a leg.
func (a *Asterisk) CutMedia(leg string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, ch := range a.sorted() {
		if ch.snoopOf != leg {
			continue
		}
		if b := a.bridges[ch.bridge]; b != nil {
			for _, id := range b.members {
				if other := a.channels[id]; other != nil {
					other.closeMedia()
				}
			}
		}
	}
}

func (a *Asterisk) externalMedia(q *call) (int, []byte) {
	id := q.args["channelId"]
	if a.channels[id] != nil {
		return fail(409, "Channel with given unique ID already exists")
	}
	ch := a.newChannel(id, "WebSocket")
	ch.own = true
	ch.media = &media{connection: fmt.Sprintf("connection-%d", a.serial)}
	return ok(ch.json())
}

func (a *Asterisk) snoop(q *call) (int, []byte) {
	of := a.channels[q.args["channelId"]]
	if of == nil {
		return fail(404, "Channel not found")
	}
	id := q.args["snoopId"]
	if a.channels[id] != nil {
		return fail(409, "Channel with given unique ID already exists")
	}
	ch := a.newChannel(id, "Snoop")
	ch.own, ch.state = true, "Up"
	ch.snoopOf, ch.snoopDir = of.id, ari.Direction(q.args["spy"])
	reply, body := ok(ch.json())
	a.enter(ch)
	return reply, body
}

// serveMedia is the socket of one external media channel.
func (a *Asterisk) serveMedia(w http.ResponseWriter, r *http.Request) {
	connection := strings.TrimPrefix(r.URL.Path, "/media/")
	a.mu.Lock()
	var ch *channel
	for _, c := range a.channels {
		if c.media != nil && c.media.connection == connection {
			ch = c
		}
	}
	a.mu.Unlock()
	if ch == nil {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"media"}})
	if err != nil {
		return
	}
	defer func() { _ = conn.CloseNow() }()
	hello := "MEDIA_START connection_id:" + connection + " channel:" + ch.name + " channel_id:" + ch.id +
		" format:ulaw optimal_frame_size:160 ptime:20"
	if conn.Write(r.Context(), websocket.MessageText, []byte(hello)) != nil {
		return
	}
	ch.media.mu.Lock()
	ch.media.conn = conn
	ch.media.mu.Unlock()
	a.mu.Lock()
	if a.channels[ch.id] == ch && !ch.app {
		a.setState(ch, "Up")
		a.enter(ch)
	}
	a.mu.Unlock()
	for {
		if _, _, err := conn.Read(context.Background()); err != nil {
			break
		}
	}
	// As the real one: the channel does not outlive its socket.
	a.mu.Lock()
	if a.channels[ch.id] == ch {
		a.destroy(ch, 16, map[string]any{"cause": 16, "channel": ch.json()})
	}
	a.mu.Unlock()
}

func (ch *channel) closeMedia() {
	if ch.media == nil {
		return
	}
	ch.media.mu.Lock()
	conn := ch.media.conn
	ch.media.conn = nil
	ch.media.mu.Unlock()
	if conn != nil {
		go func() { _ = conn.CloseNow() }()
	}
}

func (ch *channel) stopAudio() {
	if ch.pumping != nil {
		close(ch.pumping)
		ch.pumping = nil
	}
}

// pump sends 50 frames a second from a snoop to a media channel that share a
// bridge.
func (a *Asterisk) pump(b *bridge) {
	var from, to *channel
	for _, id := range b.members {
		switch ch := a.channels[id]; {
		case ch == nil:
		case ch.snoopOf != "":
			from = ch
		case ch.media != nil:
			to = ch
		}
	}
	if from == nil || to == nil || from.pumping != nil {
		return
	}
	stop := make(chan struct{})
	from.pumping = stop
	a.wg.Go(func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
			}
			frame := bytes.Repeat([]byte{0xFF}, 160)
			a.mu.Lock()
			fill := a.audio
			a.mu.Unlock()
			if fill != nil {
				fill(from.snoopOf, from.snoopDir, frame)
			}
			to.media.mu.Lock()
			conn := to.media.conn
			to.media.mu.Unlock()
			if conn == nil || conn.Write(context.Background(), websocket.MessageBinary, frame) != nil {
				return
			}
		}
	})
}
