package bench

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/json"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callward/callward/internal/lab/scene"
)

// tap is a relay on the control connection between callward and Asterisk that
// notes when Asterisk said StasisStart and PlaybackStarted. It adds two copies
// of each message, within this process, to what it measures.
type tap struct {
	url string

	mu      sync.Mutex
	started map[string]time.Time // by channel
	played  map[string]time.Time
}

func newTap(b *testing.B, s *scene.Scene) *tap {
	b.Helper()
	site := s.Asterisk.Site
	cert, err := tls.LoadX509KeyPair(site.CertFile, site.KeyFile)
	require.NoError(b, err)
	pem, err := os.ReadFile(s.Asterisk.CAFile)
	require.NoError(b, err)
	roots := x509.NewCertPool()
	require.True(b, roots.AppendCertsFromPEM(pem))
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}})
	require.NoError(b, err)
	b.Cleanup(func() { _ = l.Close() })
	t := &tap{url: "https://" + l.Addr().String(), started: map[string]time.Time{}, played: map[string]time.Time{}}
	there := strings.TrimPrefix(s.Asterisk.ARIURL, "https://")
	go func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer near.Close()
				far, err := tls.Dial("tcp", there, &tls.Config{RootCAs: roots})
				if err != nil {
					return
				}
				t.relay(near, far)
			}()
		}
	}()
	return t
}

func (t *tap) relay(near, far net.Conn) {
	defer far.Close()
	go func() {
		_, _ = io.Copy(far, near)
		_ = far.Close()
	}()
	type chunk struct {
		at   time.Time
		text []byte
	}
	seen := make(chan chunk, 1024)
	var group sync.WaitGroup
	defer group.Wait()
	defer close(seen)
	group.Go(func() {
		var r wire
		for c := range seen {
			r.put(c.text, func(message []byte) { t.note(message, c.at) })
		}
	})
	buf := make([]byte, 64<<10)
	for {
		n, err := far.Read(buf)
		if n > 0 {
			at := time.Now()
			if _, err := near.Write(buf[:n]); err != nil {
				return
			}
			seen <- chunk{at, append([]byte(nil), buf[:n]...)}
		}
		if err != nil {
			return
		}
	}
}

// note keeps the time of the first StasisStart and PlaybackStarted of a channel.
func (t *tap) note(message []byte, at time.Time) {
	var e struct {
		Type     string `json:"type"`
		Channel  struct{ ID string }
		Playback struct {
			Target string `json:"target_uri"`
		}
	}
	if json.Unmarshal(message, &e) != nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch e.Type {
	case "StasisStart":
		if _, known := t.started[e.Channel.ID]; !known {
			t.started[e.Channel.ID] = at
		}
	case "PlaybackStarted":
		id := strings.TrimPrefix(e.Playback.Target, "channel:")
		if _, known := t.played[id]; !known {
			t.played[id] = at
		}
	}
}

// waits are the times from StasisStart to PlaybackStarted so far, in ms.
func (t *tap) waits() []float64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []float64
	for id, at := range t.played {
		if began, ok := t.started[id]; ok {
			out = append(out, ms(at.Sub(began)))
		}
	}
	return out
}

// wire takes a server's half of a WebSocket apart (RFC 6455), its HTTP answer
// first.
type wire struct {
	buf      []byte
	upgraded bool
	message  []byte
}

func (r *wire) put(b []byte, message func([]byte)) {
	r.buf = append(r.buf, b...)
	if !r.upgraded {
		_, rest, ok := strings.Cut(string(r.buf), "\r\n\r\n")
		if !ok {
			return
		}
		r.upgraded, r.buf = true, []byte(rest)
	}
	for {
		head, size := 2, 0
		if len(r.buf) < head {
			return
		}
		switch size = int(r.buf[1] & 0x7f); size {
		case 126:
			head = 4
		case 127:
			head = 10
		}
		if len(r.buf) < head {
			return
		}
		switch head {
		case 4:
			size = int(binary.BigEndian.Uint16(r.buf[2:]))
		case 10:
			size = int(binary.BigEndian.Uint64(r.buf[2:]))
		}
		if len(r.buf) < head+size {
			return
		}
		final, op := r.buf[0]&0x80 != 0, r.buf[0]&0x0f
		if op <= 2 { // text, binary, and what continues them; not ping, pong, close
			r.message = append(r.message, r.buf[head:head+size]...)
			if final {
				message(r.message)
				r.message = nil
			}
		}
		r.buf = r.buf[head+size:]
	}
}

func TestWire(t *testing.T) {
	long := strings.Repeat("y", 300)
	sent := []byte("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n")
	sent = append(sent, 0x81, 2, '{', '}')
	sent = append(sent, 0x89, 0)                         // a ping
	sent = append(sent, 0x01, 1, 'a', 0x80, 2, 'b', 'c') // in two pieces
	sent = append(sent, 0x81, 126, 1, 44)
	sent = append(sent, long...)
	var got []string
	var r wire
	for _, one := range sent { // however it is cut
		r.put([]byte{one}, func(m []byte) { got = append(got, string(m)) })
	}
	require.Equal(t, []string{"{}", "abc", long}, got)
}

func TestTapPairsEvents(t *testing.T) {
	p := &tap{started: map[string]time.Time{}, played: map[string]time.Time{}}
	at := time.Unix(1, 0)
	p.note([]byte(`{"type":"StasisStart","channel":{"id":"7.1"}}`), at)
	p.note([]byte(`{"type":"PlaybackStarted","playback":{"target_uri":"channel:7.1"}}`), at.Add(2*time.Millisecond))
	p.note([]byte(`{"type":"PlaybackStarted","playback":{"target_uri":"channel:7.1"}}`), at.Add(time.Second))
	p.note([]byte(`{"type":"StasisStart","channel":{"id":"7.2"}}`), at)
	require.Equal(t, []float64{2}, p.waits())
}
