package aritest

import (
	"context"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/callward/callward/ari"
	"github.com/callward/callward/ari/arigen/spec"
)

// What Config uses to reach the scripted Asterisk.
const (
	App      = "callward"
	User     = "callward"
	Password = "scripted"
)

// Asterisk is the scripted Asterisk. Its methods may be called from any
// goroutine, the callbacks included.
type Asterisk struct {
	listener *listener
	server   *http.Server
	table    []operation
	wg       sync.WaitGroup

	mu         sync.Mutex
	closed     bool
	version    string
	booted     time.Time
	app        *session // the socket that has the application
	sessions   map[*session]bool
	channels   map[string]*channel
	bridges    map[string]*bridge
	playbacks  map[string]*playback
	subscribed map[string]bool // "channel:ID"
	refusals   map[string][]refusal
	delays     map[string]time.Duration
	lies       map[string]bool
	dropped    map[string]bool // event types; "" is all
	frozen     bool
	down       bool
	requests   []string
	played     map[string][]string
	missing    map[string]bool
	continued  map[string]Continued
	serial     int

	playTime    func(media string) time.Duration
	onPlay      func(target, media string)
	onOriginate func(Originated) Outcome
	onRequest   func(op string)
	audio       func(channelID string, dir ari.Direction, frame []byte)
}

type operation struct {
	name, method string
	path         []string // "{x}" for a parameter
}

// New starts a scripted Asterisk 22.10.1 that nobody is connected to. Inside
// synctest call it in the bubble. Close ends it.
func New() *Asterisk {
	a := &Asterisk{
		listener: newListener(), version: "22.10.1", booted: time.Now(), sessions: map[*session]bool{},
		channels: map[string]*channel{}, bridges: map[string]*bridge{}, playbacks: map[string]*playback{},
		subscribed: map[string]bool{}, refusals: map[string][]refusal{}, delays: map[string]time.Duration{},
		lies: map[string]bool{}, dropped: map[string]bool{}, played: map[string][]string{}, missing: map[string]bool{},
		continued:   map[string]Continued{},
		playTime:    func(string) time.Duration { return time.Second },
		onPlay:      func(string, string) {},
		onOriginate: func(Originated) Outcome { return Answered(time.Second) },
		onRequest:   func(string) {},
	}
	a.table = operations()
	a.server = &http.Server{Handler: http.HandlerFunc(a.serve), ErrorLog: log.New(io.Discard, "", 0)}
	a.wg.Go(func() { _ = a.server.Serve(a.listener) })
	return a
}

// operations reads the request table package ari was generated from.
func operations() []operation {
	var out []operation
	for _, line := range spec.Generated {
		words := strings.Fields(line)
		if words[0] != "operation" {
			continue
		}
		out = append(out, operation{words[1], words[2], strings.Split(strings.TrimPrefix(words[3], "/"), "/")})
	}
	// Fixed words before parameters: /channels/create is not a channel.
	sort.SliceStable(out, func(i, j int) bool { return params(out[i].path) < params(out[j].path) })
	return out
}

func params(path []string) (n int) {
	for _, p := range path {
		if strings.HasPrefix(p, "{") {
			n++
		}
	}
	return n
}

// Config reaches this Asterisk. A test may change what it likes, the times for
// example; Logger discards.
func (a *Asterisk) Config() ari.Config {
	return ari.Config{URL: "http://localhost:8088", App: App, User: User, Password: Password, Dial: a.Dial,
		Logger: slog.New(slog.DiscardHandler), Rand: func() float64 { return 0 }, Instance: "test"}
}

// Dial connects to this Asterisk whatever the address. Refused while Down.
func (a *Asterisk) Dial(ctx context.Context, _, _ string) (net.Conn, error) {
	a.mu.Lock()
	down := a.down
	a.mu.Unlock()
	if down {
		return nil, &net.OpError{Op: "dial", Err: errRefused}
	}
	return a.listener.dial(ctx)
}

// Serve answers on a real listener as well, for a test that wants one (TLS:
// wrap the listener). It returns when the listener closes.
func (a *Asterisk) Serve(l net.Listener) error { return a.server.Serve(l) }

// Close ends everything and waits for it.
func (a *Asterisk) Close() {
	a.mu.Lock()
	a.closed = true
	for _, ch := range a.channels {
		ch.stopAudio()
		ch.closeMedia()
	}
	sessions := a.all()
	a.mu.Unlock()
	for _, s := range sessions {
		s.close()
	}
	_ = a.server.Close()
	a.listener.close()
	a.wg.Wait()
}

func (a *Asterisk) all() []*session {
	out := make([]*session, 0, len(a.sessions))
	for s := range a.sessions {
		out = append(out, s)
	}
	return out
}

// later runs fn after d unless Asterisk was closed or restarted meanwhile.
// fn runs with the lock held.
func (a *Asterisk) later(d time.Duration, fn func()) {
	booted := a.booted
	time.AfterFunc(d, func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		if !a.closed && a.booted.Equal(booted) {
			fn()
		}
	})
}

// Connected reports whether the application's event socket is open.
func (a *Asterisk) Connected() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.app != nil
}

// Requests are the operations asked for so far, in order: "channels.answer".
func (a *Asterisk) Requests() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]string(nil), a.requests...)
}

// Channels are the ids of the living channels, sorted.
func (a *Asterisk) Channels() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	ids := make([]string, 0, len(a.channels))
	for id := range a.channels {
		ids = append(ids, id)
	}
	sort.Strings(ids)
	return ids
}

// Bridges are the living bridges and who is in them, in the order they entered.
func (a *Asterisk) Bridges() map[string][]string {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := map[string][]string{}
	for id, b := range a.bridges {
		out[id] = append([]string(nil), b.members...)
	}
	return out
}

// Played is what was started on a channel or bridge so far, in order.
func (a *Asterisk) Played(id string) []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]string(nil), a.played[id]...)
}

// OnPlay is told when a media URI starts on a channel or bridge. It may press
// keys or hang up.
func (a *Asterisk) OnPlay(fn func(target, media string)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.onPlay = fn
}

// PlayTime sets how long a media URI plays; one second if not set.
func (a *Asterisk) PlayTime(fn func(media string) time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.playTime = fn
}

// Missing makes a media URI fail as a missing file does.
func (a *Asterisk) Missing(media string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.missing[media] = true
}

// OnRequest is told of each request before it is carried out.
func (a *Asterisk) OnRequest(fn func(op string)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.onRequest = fn
}

// Version sets what Asterisk says its version is.
func (a *Asterisk) Version(v string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.version = v
}
