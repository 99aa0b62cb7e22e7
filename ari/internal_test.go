package ari

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/coder/websocket"
)

func TestPrivateThingsRedact(t *testing.T) {
	const secret = "05121977"
	values := map[string]any{
		"digits":     NewDigits(secret),
		"private":    NewPrivate(secret),
		"raw":        NewRaw([]byte(`"` + secret + `"`)),
		"vars":       Vars{"dob": secret},
		"originate":  Originate{Role: "agent", Endpoint: "PJSIP/" + secret, CallerID: secret, Variables: map[string]string{"a": secret}},
		"config":     Config{Password: secret},
		"channel":    &Channel{Name: NewPrivate("Local/" + secret), Caller: CallerID{Number: NewPrivate(secret)}},
		"dtmf":       &ChannelDtmfReceived{Digit: NewDigits(secret)},
		"answer":     Answer{Digits: NewDigits(secret)},
		"request":    ChannelsOriginate{Endpoint: NewPrivate(secret), Variables: Vars{"x": secret}},
		"dialplan":   DialplanCEP{Exten: NewPrivate(secret), AppData: NewPrivate(secret)},
		"playback":   Playback{MediaURI: NewPrivate("digits:" + secret)},
		"usersevent": &ChannelUserevent{Userevent: NewRaw([]byte(secret))},
	}
	for name, v := range values {
		t.Run(name, func(t *testing.T) {
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
				assert.NotContains(t, fmt.Sprintf(verb, v), secret, verb)
				assert.NotContains(t, fmt.Sprintf(verb, v), fmt.Sprintf("%x", secret), verb)
			}
			var text, js bytes.Buffer
			slog.New(slog.NewTextHandler(&text, nil)).Info("x", "v", v)
			slog.New(slog.NewJSONHandler(&js, nil)).Info("x", "v", v)
			assert.NotContains(t, text.String(), secret)
			assert.NotContains(t, js.String(), secret)
			if name != "config" && name != "originate" { // not meant to be marshalled
				b, err := json.Marshal(v)
				require.NoError(t, err)
				assert.NotContains(t, string(b), secret)
			}
		})
	}
	assert.NotContains(t, fmt.Sprintf("%v %d %c %#v", Key('7'), Key('7'), Key('7'), Key('7')), "7")
	b, err := json.Marshal(Key('7'))
	require.NoError(t, err)
	assert.NotContains(t, string(b), "7")
}

func TestRefusedErrors(t *testing.T) {
	tests := []struct {
		status int
		body   string
		want   error
	}{
		{404, `{"message":"Channel not found"}`, ErrGone},
		{409, `{"message":"Channel not in Stasis application"}`, ErrNotInStasis},
		{422, `{"message":"Channel not in Stasis application"}`, ErrNotInStasis},
		{409, `{"message":"Channel with given unique ID already exists"}`, ErrState},
		{412, `{"message":"Channel in invalid state"}`, ErrState},
		{401, `{"error":"Authentication required"}`, ErrUnauthorized},
		{403, ``, ErrUnauthorized},
		{500, `not json`, nil},
	}
	for _, tt := range tests {
		err := refused("channels.answer", tt.status, []byte(tt.body))
		var e *Error
		require.ErrorAs(t, err, &e)
		assert.Equal(t, tt.status, e.Status)
		assert.Equal(t, tt.want, e.Err)
		assert.Contains(t, err.Error(), "channels.answer")
	}
	err := refused("x", 400, []byte(`{"message":"Invalid endpoint PJSIP/12025550123@trunk"}`))
	assert.NotContains(t, err.Error(), "2025550123")
}

func TestLeftovers(t *testing.T) {
	const app, us = "callward", "now"
	ch := func(ids ...string) (out []Channel) {
		for _, id := range ids {
			out = append(out, Channel{ID: id})
		}
		return out
	}
	tests := map[string]struct {
		alive    []string
		channels []Channel
		bridges  []BridgeInfo
		want     leftover
	}{
		"nothing of ours": {channels: ch("1.1", "other~1.1~a.leg~x-1"), bridges: []BridgeInfo{{ID: "conf"}}},
		"a running call": {alive: []string{"1.1"},
			channels: ch("1.1", "callward~1.1~agent.leg~now-1", "callward~1.1~rec.snoop~now-2", "callward~1.1~rec.media~now-3"),
			bridges: []BridgeInfo{{ID: "callward~1.1~talk.bridge~now-4", Channels: []string{"1.1", "callward~1.1~agent.leg~now-1"}},
				{ID: "callward~1.1~rec.stream~now-5"}}},
		"tools of a run that died": {alive: []string{"1.1"},
			channels: ch("1.1", "callward~1.1~agent.leg~old-1", "callward~1.1~rec.snoop~old-2", "callward~1.1~rec.media~old-3"),
			bridges:  []BridgeInfo{{ID: "callward~1.1~talk.bridge~old-4"}, {ID: "callward~1.1~rec.stream~old-5"}},
			want: leftover{channels: []string{"callward~1.1~rec.snoop~old-2", "callward~1.1~rec.media~old-3"},
				bridges: []string{"callward~1.1~rec.stream~old-5"}}},
		"two parties without their patient": {
			channels: ch("callward~1.1~agent.leg~old-1", "callward~1.1~interpreter.leg~old-2"),
			bridges:  []BridgeInfo{{ID: "callward~1.1~talk.bridge~old-4", Channels: []string{"callward~1.1~agent.leg~old-1", "callward~1.1~interpreter.leg~old-2"}}}},
		"an agent alone": {
			channels: ch("callward~1.1~agent.leg~old-1", "callward~1.1~agent.leg~old-1;2"),
			bridges:  []BridgeInfo{{ID: "callward~1.1~talk.bridge~old-4", Channels: []string{"callward~1.1~agent.leg~old-1"}}},
			want:     leftover{channels: []string{"callward~1.1~agent.leg~old-1"}, bridges: []string{"callward~1.1~talk.bridge~old-4"}}},
		"a party with a snoop is one party": {
			channels: ch("callward~1.1~agent.leg~old-1", "callward~1.1~whisper.snoop~old-2"),
			bridges:  []BridgeInfo{{ID: "callward~1.1~talk.bridge~old-4", Channels: []string{"callward~1.1~agent.leg~old-1", "callward~1.1~whisper.snoop~old-2"}}},
			want: leftover{channels: []string{"callward~1.1~agent.leg~old-1", "callward~1.1~whisper.snoop~old-2"},
				bridges: []string{"callward~1.1~talk.bridge~old-4"}}},
		"a patient to be adopted": {
			channels: ch("1.1", "callward~1.1~agent.leg~old-1"),
			bridges:  []BridgeInfo{{ID: "callward~1.1~talk.bridge~old-4", Channels: []string{"1.1"}}}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			alive := map[string]bool{}
			for _, id := range tt.alive {
				alive[id] = true
			}
			assert.Equal(t, tt.want, leftovers(app, us, alive, tt.channels, tt.bridges))
		})
	}
}

func TestIDs(t *testing.T) {
	o := ourID{app: "callward", call: "pbx~1-1763958000.1", role: "rec-in", kind: kindSnoop, instance: "k3j9"}
	got, ok := parseID("callward", o.text(12))
	assert.True(t, ok)
	assert.Equal(t, o, got)
	for _, id := range []string{"", "callward", "callward~", "callward~x", "callward~x~y", "callward~~rec.leg~a-1", "other~x~rec.leg~a-1", "callward~x~rec~a-1", "callward~x~rec.leg~a"} {
		_, ok := parseID("callward", id)
		assert.False(t, ok, id)
	}
	assert.NoError(t, checkRole("rec-in_2"))
	for _, role := range []string{"", "Agent", "a.b", "a~b", "a b", strings.Repeat("a", 33)} {
		assert.Error(t, checkRole(role), role)
	}
}

func TestFrameClock(t *testing.T) {
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var c frameClock
	var worst time.Duration
	// Ten seconds in batches of ten frames: the frames of a batch come at once.
	for i := range 500 {
		left := time.Duration(i) * frameTime
		arrives := begin
		if i > 0 {
			arrives = begin.Add(time.Duration((i+9)/10*10) * frameTime)
		}
		worst = max(worst, c.stamp(arrives, frameBytes).Sub(begin.Add(left)).Abs())
	}
	assert.LessOrEqual(t, worst, frameTime, "a batch does not blur the times")
	// Half a second that never came: the clock has caught up within two seconds.
	var off time.Duration
	for i := 525; i < 725; i++ {
		left := begin.Add(time.Duration(i) * frameTime)
		off = c.stamp(left, frameBytes).Sub(left).Abs()
	}
	assert.LessOrEqual(t, off, frameTime)
}

func TestMediaGreeting(t *testing.T) {
	good := "MEDIA_START connection_id:x channel:WebSocket/INCOMING/0x1 channel_id:m1 format:ulaw optimal_frame_size:160 ptime:20"
	assert.NoError(t, greeted(websocket.MessageText, []byte(good), "m1"))
	assert.NoError(t, greeted(websocket.MessageText, []byte(`{"event":"MEDIA_START","channel_id":"m1","format":"ulaw","optimal_frame_size":160}`), "m1"))
	for _, bad := range []string{"", "{", "MEDIA_XON", strings.Replace(good, "channel_id:m1", "channel_id:m2", 1), strings.Replace(good, "ulaw", "alaw", 1)} {
		assert.Error(t, greeted(websocket.MessageText, []byte(bad), "m1"), bad)
	}
	assert.Error(t, greeted(websocket.MessageBinary, []byte(good), "m1"))
}

func TestConfigMistakes(t *testing.T) {
	good := Config{URL: "https://pbx:8089", App: "callward", User: "u", Password: "p"}
	_, err := New(good)
	require.NoError(t, err)
	tests := map[string]func(*Config){
		"URL":      func(c *Config) { c.URL = "pbx" },
		"in clear": func(c *Config) { c.URL = "http://pbx:8088" },
		"scheme":   func(c *Config) { c.URL = "wss://pbx:8088" },
		"own":      func(c *Config) { c.URL = "https://u:p@pbx:8088" },
		"App":      func(c *Config) { c.App = "call ward" },
		"name":     func(c *Config) { c.App = "" },
		"User":     func(c *Config) { c.User = "" },
		"Password": func(c *Config) { c.Password = "" },
	}
	for want, change := range tests {
		c := good
		change(&c)
		_, err := New(c)
		assert.ErrorContains(t, err, want)
	}
}

func TestVersion(t *testing.T) {
	for v, ok := range map[string]bool{"22.10.1+dfsg+~cs6.17": true, "22.10.0": true, "22.11.0": true, "23.1.0": true,
		"22.9.9": false, "20.18.0": false, "certified/20.7": false, "": false} {
		err := version(&AsteriskInfo{System: &SystemInfo{Version: v}})
		assert.Equal(t, ok, err == nil, v)
		if !ok {
			assert.ErrorIs(t, err, ErrOldAsterisk)
		}
	}
	assert.Error(t, version(&AsteriskInfo{}))
}

func TestErrorsAreFound(t *testing.T) {
	assert.ErrorIs(t, &HungUp{Cause: 16}, ErrGone)
	assert.ErrorIs(t, &Lost{}, ErrGone)
	err := fmt.Errorf("wrapped: %w", &NotAnswered{Reason: Busy, Err: &HungUp{}})
	var not *NotAnswered
	assert.True(t, errors.As(err, &not))
	assert.ErrorIs(t, err, ErrGone)
}
