package ari

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
)

const (
	frameBytes = 160 // 20 ms of G.711
	frameTime  = 20 * time.Millisecond
	// A media message is one frame, or a few; text messages are short.
	maxMediaMessage = 64 << 10
	// How long Stop waits for Asterisk to close the socket behind the last frame.
	finishGrace = 500 * time.Millisecond
)

// mediaSocket is the WebSocket of one external media channel (chan_websocket).
type mediaSocket struct {
	conn  *websocket.Conn
	below net.Conn
	open  context.Context
	close context.CancelFunc

	mu      sync.Mutex
	batched time.Duration
	counted StreamStats
}

// openMediaSocket connects and checks that the other end is our channel and
// speaks mu-law.
func openMediaSocket(ctx context.Context, c *Client, connection, channel string) (*mediaSocket, error) {
	q := newRequest("media.connect", "GET")
	q.fixed("/media/")
	q.id("connection", connection)
	if q.err != nil {
		return nil, q.err
	}
	conn, below, err := c.dial(ctx, q.op, c.mediaURL(q.path.String()), []string{"media"})
	if err != nil {
		return nil, err
	}
	conn.SetReadLimit(maxMediaMessage)
	m := &mediaSocket{conn: conn, below: below}
	m.open, m.close = context.WithCancel(context.Background())
	hello, cancel := context.WithTimeoutCause(ctx, c.cfg.RequestTimeout, ErrNoReply)
	defer cancel()
	typ, b, err := conn.Read(hello)
	if err == nil {
		err = greeted(typ, b, channel)
	}
	if err != nil {
		m.shut()
		if cause := context.Cause(hello); cause != nil {
			err = cause
		}
		return nil, &Error{Op: q.op, Message: "Asterisk did not start the media", Err: err}
	}
	return m, nil
}

func greeted(typ websocket.MessageType, b []byte, channel string) error {
	name, words := mediaText(b)
	switch {
	case typ != websocket.MessageText || name != "MEDIA_START":
		return errors.New("the first message is not MEDIA_START")
	case words["channel_id"] != "" && words["channel_id"] != channel:
		return errors.New("the socket belongs to another channel")
	case words["format"] != "" && words["format"] != "ulaw":
		return fmt.Errorf("format %q: ulaw was asked for", words["format"])
	}
	return nil
}

// mediaText takes a text message apart: "MEDIA_START channel_id:x format:ulaw",
// or the same as JSON when chan_websocket.conf says so.
func mediaText(b []byte) (name string, words map[string]string) {
	words = map[string]string{}
	if len(b) > 0 && b[0] == '{' {
		var m map[string]any
		if json.Unmarshal(b, &m) != nil {
			return "", words
		}
		for k, v := range m {
			words[k] = fmt.Sprint(v)
		}
		return words["event"], words
	}
	fields := strings.Fields(string(b))
	if len(fields) == 0 {
		return "", words
	}
	for _, f := range fields[1:] {
		k, v, _ := strings.Cut(f, ":")
		words[k] = v
	}
	return fields[0], words
}

// read hands frames to sink until the socket closes or stalls.
func (m *mediaSocket) read(cfg Config, sink func([]byte, time.Time), first chan struct{}) error {
	defer m.shut()
	var stalled bool
	var mu sync.Mutex
	patience := func() time.Duration {
		m.mu.Lock()
		defer m.mu.Unlock()
		return cfg.StallAfter + m.batched
	}
	dog := time.AfterFunc(cfg.RequestTimeout, func() {
		mu.Lock()
		stalled = true
		mu.Unlock()
		m.close()
	})
	defer dog.Stop()
	var clock frameClock
	buf := make([]byte, 0, 4*frameBytes)
	for {
		typ, r, err := m.conn.Reader(m.open)
		if err == nil {
			buf, err = readInto(buf[:0], r)
		}
		if err != nil {
			mu.Lock()
			defer mu.Unlock()
			if stalled {
				return ErrStalled
			}
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return fmt.Errorf("ari: media socket closed: %w", err)
		}
		if typ != websocket.MessageBinary {
			continue // flow control and marks, which concern those who send
		}
		now := cfg.Now()
		for frame := buf; len(frame) > 0; {
			n := min(frameBytes, len(frame))
			at := clock.stamp(now, n)
			m.count(n, at)
			sink(frame[:n:n], at)
			frame = frame[n:]
		}
		dog.Reset(patience())
		if first != nil {
			close(first)
			first = nil
		}
	}
}

func (m *mediaSocket) count(n int, at time.Time) {
	m.mu.Lock()
	m.counted.Frames++
	m.counted.Bytes += uint64(n)
	m.counted.LastAt = at
	m.mu.Unlock()
}

func (m *mediaSocket) stats() StreamStats {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.counted
}

// batch lets the kernel collect audio for up to d before it is read.
func (m *mediaSocket) batch(d time.Duration) {
	m.mu.Lock()
	m.batched = d
	m.mu.Unlock()
	if g, ok := m.below.(*gate); ok {
		g.every(d, max(1, 4*int(d/frameTime)*frameBytes))
	}
}

// finish waits a moment for the reader, then closes the socket.
func (m *mediaSocket) finish(read <-chan struct{}) {
	t := time.NewTimer(finishGrace)
	defer t.Stop()
	select {
	case <-read:
	case <-t.C:
	}
	m.shut()
}

func (m *mediaSocket) shut() {
	m.close()
	_ = m.conn.CloseNow()
}

// mediaURL is where chan_websocket listens: beside /ari, not below it.
func (c *Client) mediaURL(path string) string {
	return strings.TrimSuffix(c.url("", nil), "/ari") + path
}

// frameClock tells when each frame left Asterisk. Frames come 20 ms apart, but
// a batch of them arrives at once, late by up to its length: so the time of
// the audio heard so far is kept, and how late it is at best, over the last
// one to two seconds.
type frameClock struct {
	origin    time.Time
	heard     time.Duration // audio so far, this frame included
	last, now time.Duration // least lateness of the last second and of this one
	until     time.Duration
}

const clockWindow = time.Second

func (c *frameClock) stamp(now time.Time, bytes int) time.Time {
	if c.origin.IsZero() {
		c.origin = now
		c.last, c.now, c.until = 0, 0, clockWindow
		c.heard = 0
		return now
	}
	c.heard += time.Duration(bytes) * time.Second / 8000
	late := now.Sub(c.origin) - c.heard
	if c.heard >= c.until {
		c.last, c.now, c.until = c.now, late, c.heard+clockWindow
	}
	c.now = min(c.now, late)
	return c.origin.Add(c.heard + min(c.last, c.now))
}
