package bench

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callward/callward/ari"
	"github.com/callward/callward/internal/lab/scene"
)

// watcher is an application of its own that Asterisk tells of every channel. It
// notes when a call entered an application and when its first prompt began,
// without standing between callward and Asterisk.
type watcher struct {
	mu      sync.Mutex
	entered map[string]time.Time // by channel
	played  map[string]time.Time
}

func newWatcher() *watcher {
	return &watcher{entered: map[string]time.Time{}, played: map[string]time.Time{}}
}

// watch starts a watcher.
func watch(ctx context.Context, b *testing.B, s *scene.Scene) *watcher {
	b.Helper()
	pem, err := os.ReadFile(s.Asterisk.CAFile)
	require.NoError(b, err)
	roots := x509.NewCertPool()
	require.True(b, roots.AppendCertsFromPEM(pem))
	controller, err := ari.New(ari.Config{
		URL: s.Asterisk.ARIURL, App: "bench", User: s.Asterisk.ARIUser, Password: s.Asterisk.ARIPassword,
		TLS: &tls.Config{RootCAs: roots},
	})
	require.NoError(b, err)
	socket, err := controller.Client().Events.EventWebsocket(ctx, ari.EventsEventWebsocket{App: []string{"bench"}, SubscribeAll: true})
	require.NoError(b, err)
	b.Cleanup(func() { _ = socket.CloseNow() })
	w := newWatcher()
	go func() {
		for {
			_, message, err := socket.Read(context.Background())
			if err != nil {
				return
			}
			w.note(message, time.Now())
		}
	}()
	return w
}

// note keeps the time of the first StasisStart and the first PlaybackStarted of
// a channel. StasisStart itself goes to the application alone; what all are
// told just before is that the channel's STASISSTATUS was cleared.
func (w *watcher) note(message []byte, at time.Time) {
	var e struct {
		Type     string
		Variable string
		Value    string
		Channel  struct{ ID string }
		Playback struct {
			Target string `json:"target_uri"`
		}
	}
	if json.Unmarshal(message, &e) != nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case e.Type == "ChannelVarset" && e.Variable == "STASISSTATUS" && e.Value == "":
		first(w.entered, e.Channel.ID, at)
	case e.Type == "PlaybackStarted":
		first(w.played, strings.TrimPrefix(e.Playback.Target, "channel:"), at)
	}
}

func first(of map[string]time.Time, id string, at time.Time) {
	if _, known := of[id]; !known {
		of[id] = at
	}
}

// waits are the times from one to the other so far, in ms.
func (w *watcher) waits() []float64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []float64
	for id, at := range w.played {
		if began, ok := w.entered[id]; ok {
			out = append(out, ms(at.Sub(began)))
		}
	}
	return out
}

func TestWatcherPairsEvents(t *testing.T) {
	w := newWatcher()
	at := time.Unix(1, 0)
	w.note([]byte(`{"type":"ChannelVarset","variable":"STASISSTATUS","value":"","channel":{"id":"7.1"}}`), at)
	w.note([]byte(`{"type":"PlaybackStarted","playback":{"target_uri":"channel:7.1"}}`), at.Add(2*time.Millisecond))
	w.note([]byte(`{"type":"PlaybackStarted","playback":{"target_uri":"channel:7.1"}}`), at.Add(time.Second))
	w.note([]byte(`{"type":"ChannelVarset","variable":"STASISSTATUS","value":"","channel":{"id":"7.2"}}`), at)
	w.note([]byte(`{"type":"ChannelVarset","variable":"STASISSTATUS","value":"SUCCESS","channel":{"id":"7.3"}}`), at)
	w.note([]byte(`{"type":"PlaybackStarted","playback":{"target_uri":"channel:7.3"}}`), at)
	require.Equal(t, []float64{2}, w.waits())
}
