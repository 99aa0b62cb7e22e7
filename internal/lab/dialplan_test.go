package lab_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	asteriskconfig "github.com/callward/callward/asterisk-config"
	"github.com/callward/callward/internal/lab"
	"github.com/callward/callward/internal/lab/softphone"
)

// phone is a softphone with an account of a's.
func phone(t *testing.T, a *lab.Asterisk, user, password string, edit func(*softphone.Config)) *softphone.Phone {
	t.Helper()
	cfg := softphone.Config{Server: a.SIPAddr, User: user, Password: password, CAFile: a.CAFile}
	if edit != nil {
		edit(&cfg)
	}
	p, err := softphone.New(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() { p.Close() })
	return p
}

func agent(t *testing.T, a *lab.Asterisk, i int) *softphone.Phone {
	t.Helper()
	p := phone(t, a, a.Site.Agents[i].ID, a.Site.Agents[i].Password, nil)
	require.NoError(t, p.Register(t.Context()))
	return p
}

func patient(t *testing.T, a *lab.Asterisk, edit func(*softphone.Config)) *softphone.Phone {
	t.Helper()
	return phone(t, a, a.Site.Patients[0].ID, a.Site.Patients[0].Password, edit)
}

func psap(t *testing.T, a *lab.Asterisk) *softphone.Phone {
	t.Helper()
	p := phone(t, a, a.Site.Emergency[0].ID, a.Site.Emergency[0].Password, nil)
	require.NoError(t, p.Register(t.Context()))
	return p
}

// inTime is long enough for a busy machine.
func inTime(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// ringing is the next call to p.
func ringing(ctx context.Context, t *testing.T, p *softphone.Phone) *softphone.Invite {
	t.Helper()
	select {
	case i := <-p.Incoming():
		require.NotNil(t, i)
		return i
	case <-ctx.Done():
		require.FailNow(t, "the phone did not ring")
	}
	return nil
}

// wait waits for something to end.
func wait(ctx context.Context, t *testing.T, done <-chan struct{}) {
	t.Helper()
	select {
	case <-done:
	case <-ctx.Done():
		require.FailNow(t, "it did not end")
	}
}

// answer is what a Dial beside the test gave.
func answer(ctx context.Context, t *testing.T, calls <-chan *softphone.Call) *softphone.Call {
	t.Helper()
	select {
	case c := <-calls:
		require.NotNil(t, c)
		return c
	case <-ctx.Done():
		require.FailNow(t, "the call was not answered")
	}
	return nil
}

// match is how well the best place in heard fits the beginning of want: 1 is exact.
func match(heard, want []int16) float64 {
	want = want[:min(len(want), 3000)]
	var power float64
	for _, v := range want {
		power += float64(v) * float64(v)
	}
	best := 0.0
	for at := 0; at+len(want) <= len(heard); at++ {
		var dot, e int64
		for i, v := range want {
			h := int64(heard[at+i])
			dot += h * int64(v)
			e += h * h
		}
		if e > 0 {
			best = max(best, float64(dot)/math.Sqrt(float64(e)*power))
		}
	}
	return best
}

// said is a prompt as it sounds.
func said(t *testing.T, lang, id string) []int16 {
	t.Helper()
	in, err := fetched()
	require.NoError(t, err)
	r, err := lab.Prompts(in, "", nil)
	require.NoError(t, err)
	pcm, err := r.PCM(t.Context(), lang, id, nil)
	require.NoError(t, err)
	return pcm
}

// heardWell is a match that no other sound reaches; a busy machine loses frames.
const heardWell = 0.5

// converse makes both ends speak until each has heard the other.
func converse(t *testing.T, one, other *softphone.Call) {
	t.Helper()
	ctx := inTime(t)
	for i, c := range [][2]*softphone.Call{{one, other}, {other, one}} {
		speech := softphone.Speech(7+i, time.Second)
		for best := 0.0; best < heardWell; {
			from := c[1].Samples()
			require.NoError(t, c[0].Speak(ctx, speech))
			require.NoError(t, c[1].Wait(ctx, c[1].Samples()+8000/4))
			best = match(c[1].HeardSince(from), speech)
		}
	}
}

// Callward is away: the patient is told, every agent's phone rings, the first to answer
// has the call, and none of what was keyed or said of the caller is on disk.
func TestAwayReachesAHuman(t *testing.T) {
	a := away(t)
	alice, bob := agent(t, a, 0), agent(t, a, 1)
	caller := patient(t, a, func(c *softphone.Config) {
		c.CallerID = "5550142733"
		c.DisplayName = "Zebedee Planted"
	})
	ctx := inTime(t)
	call, err := caller.Dial(ctx, "clinic")
	require.NoError(t, err)
	require.NoError(t, call.Press(ctx, "0719526384#"))
	require.NoError(t, call.Wait(ctx, 3*8000))
	assert.Greater(t, match(call.Heard(), said(t, "en", "away")), heardWell)

	var rings [2]*softphone.Invite
	for i, p := range []*softphone.Phone{alice, bob} {
		rings[i] = ringing(ctx, t, p)
	}
	require.NoError(t, rings[0].Ring(ctx))
	talk, err := rings[0].Answer(ctx)
	require.NoError(t, err)
	wait(ctx, t, rings[1].Cancelled())
	require.NoError(t, call.Press(ctx, "0719526384#"))
	converse(t, call, talk)
	require.NoError(t, talk.Hangup(ctx))
	wait(ctx, t, call.Done())

	require.NoError(t, a.Stop(ctx))
	search(t, a.Dir, "5550142733", "Zebedee", "0719526384", "071952", "526384")
}

// Nobody answers: music, and the phones ring again; a rejected call goes on too.
func TestAwayKeepsTrying(t *testing.T) {
	a := away(t)
	alice := agent(t, a, 0)
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	call, err := patient(t, a, nil).Dial(ctx, "5550100")
	require.NoError(t, err)
	first := ringing(ctx, t, alice)
	require.NoError(t, first.Reject(ctx, 486))
	second := ringing(ctx, t, alice)
	talk, err := second.Answer(ctx)
	require.NoError(t, err)
	converse(t, call, talk)
	require.NoError(t, call.Hangup(ctx))
	wait(ctx, t, talk.Done())
}

// A controller that gives the call back sends the patient to a human.
func TestGivenBackReachesAHuman(t *testing.T) {
	a := start(t, lab.AsteriskOptions{})
	alice := agent(t, a, 0)
	ctx := inTime(t)
	events := app(t, a)
	answered := make(chan *softphone.Call, 1)
	go func() {
		call, err := patient(t, a, nil).Dial(ctx, "clinic")
		assert.NoError(t, err)
		answered <- call
	}()
	_, b, err := events.Read(ctx)
	require.NoError(t, err)
	var e struct {
		Type    string
		Args    []string
		Channel struct{ ID string }
	}
	require.NoError(t, json.Unmarshal(b, &e))
	require.Equal(t, "StasisStart", e.Type)
	assert.Equal(t, []string{"inbound"}, e.Args)
	code, _ := ari(t, a, "POST", "/channels/"+e.Channel.ID+"/continue")
	require.Equal(t, 204, code)

	call := answer(ctx, t, answered)
	invite := ringing(ctx, t, alice)
	talk, err := invite.Answer(ctx)
	require.NoError(t, err)
	converse(t, call, talk)
}

// app is the event socket of a controller.
func app(t *testing.T, a *lab.Asterisk) *websocket.Conn {
	t.Helper()
	pem, err := os.ReadFile(a.CAFile)
	require.NoError(t, err)
	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM(pem))
	key := url.QueryEscape(a.ARIUser + ":" + a.ARIPassword)
	conn, _, err := websocket.Dial(t.Context(),
		"wss"+strings.TrimPrefix(a.ARIURL, "https")+"/ari/events?app="+a.Site.App+"&api_key="+key,
		&websocket.DialOptions{HTTPClient: &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}})
	require.NoError(t, err)
	t.Cleanup(func() { conn.CloseNow() })
	return conn
}

// emergency.call.never_blocked: with and without the outside-line digit, with no
// controller, from a phone that has not even registered.
func TestEmergency(t *testing.T) {
	a := start(t, lab.AsteriskOptions{})
	services := psap(t, a)
	for i, tc := range []struct{ dialled, reaches string }{
		{"911", "911"}, {"933", "933"}, {"988", "988"}, {"9911", "911"}, {"9933", "933"}, {"9988", "988"},
	} {
		t.Run(tc.dialled, func(t *testing.T) {
			ctx := inTime(t)
			p := phone(t, a, a.Site.Agents[0].ID, a.Site.Agents[0].Password, nil)
			done := make(chan *softphone.Call, 1)
			go func() {
				call, err := p.Dial(ctx, tc.dialled)
				assert.NoError(t, err)
				done <- call
			}()
			invite := ringing(ctx, t, services)
			assert.Equal(t, tc.reaches, invite.To())
			talk, err := invite.Answer(ctx)
			require.NoError(t, err)
			call := answer(ctx, t, done)
			if i == 0 {
				converse(t, call, talk)
			}
			require.NoError(t, call.Hangup(ctx))
			wait(ctx, t, talk.Done())
		})
	}
}

// An emergency trunk that is down: the next one is tried; with none left, congestion.
func TestEmergencyTrunkDown(t *testing.T) {
	a := start(t, lab.AsteriskOptions{Emergency: []asteriskconfig.Phone{{ID: "psap"}, {ID: "psap-second"}}})
	ctx := inTime(t)
	p := phone(t, a, a.Site.Agents[0].ID, a.Site.Agents[0].Password, nil)
	_, err := p.Dial(ctx, "911")
	var refused *softphone.Refused
	require.ErrorAs(t, err, &refused)
	assert.GreaterOrEqual(t, refused.Code, 500)

	second := phone(t, a, a.Site.Emergency[1].ID, a.Site.Emergency[1].Password, nil)
	require.NoError(t, second.Register(ctx))
	done := make(chan *softphone.Call, 1)
	go func() {
		call, err := p.Dial(ctx, "911")
		assert.NoError(t, err)
		done <- call
	}()
	talk, err := ringing(ctx, t, second).Answer(ctx)
	require.NoError(t, err)
	require.NoError(t, answer(ctx, t, done).Hangup(ctx))
	wait(ctx, t, talk.Done())
}

// Any other number is refused by a voice.
func TestAgentsCannotDialOut(t *testing.T) {
	a := start(t, lab.AsteriskOptions{})
	alice := agent(t, a, 0)
	want := said(t, "en", "agent_dial_refused")
	for _, number := range []string{"15550100", "+15550100199", "clinic", "agent-bob", "5", "91"} {
		ctx := inTime(t)
		call, err := alice.Dial(ctx, number)
		require.NoError(t, err, number)
		require.NoError(t, call.Wait(ctx, 2*8000))
		assert.Greater(t, match(call.Heard(), want), heardWell, number)
		require.NoError(t, call.Hangup(ctx))
	}
}

// crypto.transport.voice: plain RTP is refused in the signalling already.
func TestPlainRTPIsRefused(t *testing.T) {
	a := away(t)
	_, err := patient(t, a, func(c *softphone.Config) { c.PlainRTP = true }).Dial(inTime(t), "clinic")
	var refused *softphone.Refused
	require.ErrorAs(t, err, &refused)
	assert.Equal(t, 488, refused.Code)
}

// A blocked caller id does not keep anybody out; a wrong password does.
func TestWhoMayCall(t *testing.T) {
	a := away(t)
	ctx := inTime(t)
	call, err := patient(t, a, func(c *softphone.Config) { c.Anonymous = true }).Dial(ctx, "clinic")
	require.NoError(t, err)
	require.NoError(t, call.Hangup(ctx))

	_, err = phone(t, a, a.Site.Patients[0].ID, "not-the-password-0", nil).Dial(ctx, "clinic")
	var refused *softphone.Refused
	require.ErrorAs(t, err, &refused)
	_, err = phone(t, a, "nobody", "not-the-password-0", nil).Dial(ctx, "clinic")
	require.ErrorAs(t, err, &refused)
}

// The bench variant compares with the recorder that the shipped one must not load.
func TestBench(t *testing.T) {
	a := start(t, lab.AsteriskOptions{Bench: true})
	alice := agent(t, a, 0)
	ctx := inTime(t)
	p := patient(t, a, nil)
	call, err := p.Dial(ctx, "bench-play-mixmonitor")
	require.NoError(t, err)
	require.NoError(t, call.Wait(ctx, 8000))
	require.NoError(t, call.Hangup(ctx))

	done := make(chan *softphone.Call, 1)
	go func() {
		call, err := p.Dial(ctx, fmt.Sprintf("bench-taped-%s", a.Site.Agents[0].ID))
		assert.NoError(t, err)
		done <- call
	}()
	talk, err := alice.Accept(ctx)
	require.NoError(t, err)
	call = answer(ctx, t, done)
	converse(t, call, talk)
	require.NoError(t, call.Hangup(ctx))
	files, err := os.ReadDir(a.Site.SpoolDir + "/bench")
	require.NoError(t, err)
	assert.Len(t, files, 2)
}
