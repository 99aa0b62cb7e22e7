package ari

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func read(tb testing.TB, dir string) map[string][]byte {
	tb.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", dir, "*.json"))
	require.NoError(tb, err)
	require.NotEmpty(tb, files)
	out := map[string][]byte{}
	for _, f := range files {
		b, err := os.ReadFile(f)
		require.NoError(tb, err)
		out[filepath.Base(f)] = b
	}
	return out
}

func TestDecodeValid(t *testing.T) {
	for name, b := range read(t, "valid") {
		t.Run(name, func(t *testing.T) {
			e, err := DecodeEvent(b)
			require.NoError(t, err)
			var plain struct {
				Type    string
				Channel struct{ ID string }
				Bridge  struct{ ID string }
			}
			require.NoError(t, json.Unmarshal(b, &plain))
			assert.Equal(t, plain.Type, e.EventType())
			var to refs
			if k, known := e.(knownEvent); known {
				k.refs(&to)
			} else {
				e.(*UnknownEvent).refs(&to)
			}
			for _, id := range []string{plain.Channel.ID, plain.Bridge.ID} {
				if id != "" {
					assert.Contains(t, to.ids, id)
				}
			}
			assert.NotContains(t, fmt.Sprintf("%v %+v %#v", e, e, e), "2025550123")
		})
	}
}

func TestDecodeInvalid(t *testing.T) {
	for name, b := range read(t, "invalid") {
		t.Run(name, func(t *testing.T) {
			e, err := DecodeEvent(b)
			assert.Error(t, err)
			assert.Nil(t, e)
			if err != nil {
				assert.NotContains(t, err.Error(), "yesterday", "an error does not tell what the event held")
			}
		})
	}
}

func TestStasisStartMembers(t *testing.T) {
	e, err := DecodeEvent(read(t, "valid")["StasisStart.json"])
	require.NoError(t, err)
	s := e.(*StasisStart)
	assert.Equal(t, "1763958000.1", s.Channel.ID)
	assert.Equal(t, "+12025550123", s.Channel.Caller.Number.Reveal())
	assert.Equal(t, "b", s.Channel.Channelvars["A"])
	assert.Equal(t, "1", s.Channel.Channelvars["N"])
	assert.Equal(t, 790, s.Channel.Creationtime.Nanosecond()/1e6)
	assert.Equal(t, "en", s.Args[1].Reveal())
	assert.Equal(t, "callward", s.Application)
}

func FuzzDecodeEvent(f *testing.F) {
	for _, dir := range []string{"valid", "invalid"} {
		for _, b := range read(f, dir) {
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := DecodeEvent(b)
		if err != nil {
			if e != nil {
				t.Fatal("an event and an error")
			}
			return
		}
		if !json.Valid(b) {
			t.Fatal("decoded what is not JSON")
		}
		name := e.EventType()
		var members map[string]json.RawMessage
		if json.Unmarshal(b, &members) != nil {
			t.Fatal("decoded what is not an object")
		}
		if u, unknown := e.(*UnknownEvent); unknown {
			if newEvent(name) != nil || string(u.Raw.Reveal()) != string(b) {
				t.Fatal("an unknown event is not kept as it came")
			}
		}
		// Whatever it held, printing it is safe and it can be routed.
		var to refs
		if k, known := e.(knownEvent); known {
			k.refs(&to)
		} else {
			e.(*UnknownEvent).refs(&to)
		}
		for _, id := range to.ids {
			if id == "" {
				t.Fatal("an empty id is routed")
			}
		}
		_ = fmt.Sprintf("%v %#v", e, e)
	})
}

func FuzzParseID(f *testing.F) {
	f.Add("callward~1763958000.1~rec-in.snoop~k3j9-12")
	f.Add("callward~a~b~c.leg~x-1;2")
	f.Add("callward~~~")
	f.Fuzz(func(t *testing.T, id string) {
		o, ok := parseID("callward", id)
		if !ok {
			return
		}
		if o.call == "" {
			t.Fatal("an id of no call")
		}
		again, ok := parseID("callward", o.text(1))
		if !ok || again != o {
			t.Fatalf("%+v became %+v", o, again)
		}
	})
}

func BenchmarkDecodeEvent(b *testing.B) {
	for _, name := range []string{"StasisStart.json", "ChannelDtmfReceived.json", "PlaybackFinished.json"} {
		text := read(b, "valid")[name]
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := DecodeEvent(text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkDispatch is an event from the socket's reader to the state a verb
// waits on, with 500 calls running.
func BenchmarkDispatch(b *testing.B) {
	cfg := Config{URL: "http://localhost:1", App: "callward", User: "u", Password: "p", MailboxLimit: 1 << 30}
	c, err := New(cfg)
	require.NoError(b, err)
	calls := make([]*Call, 500)
	for i := range calls {
		id := fmt.Sprintf("1763958000.%d", i)
		calls[i] = newCall(c, &Channel{ID: id}, nil)
		c.routes[id] = &route{call: calls[i]}
	}
	s := &socket{}
	events := make([][]byte, len(calls))
	for i := range events {
		events[i] = fmt.Appendf(nil, `{"type":"ChannelDtmfReceived","timestamp":"2026-11-24T06:43:06.343+0000","digit":"1","duration_ms":100,`+
			`"channel":{"id":"1763958000.%d","name":"PJSIP/trunk-1","state":"Up","caller":{"name":"","number":""},"connected":{"name":"","number":""},`+
			`"dialplan":{"context":"in","exten":"1","priority":2,"app_name":"Stasis","app_data":"callward"},"creationtime":"2026-11-24T06:43:06.343+0000","language":"en"},`+
			`"asterisk_id":"02:00:00:00:00:01","application":"callward"}`, i)
	}
	b.ReportAllocs()
	var batch []Event
	for i := 0; b.Loop(); i++ {
		call := calls[i%len(calls)]
		c.received(s, events[i%len(calls)])
		batch, _ = call.box.take(batch)
		for _, e := range batch {
			call.apply(e)
		}
		call.DropKeys()
	}
}
