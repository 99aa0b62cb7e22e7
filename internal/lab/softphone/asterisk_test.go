package softphone_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/callward/callward/internal/lab"
	"github.com/callward/callward/internal/lab/recognise"
	"github.com/callward/callward/internal/lab/softphone"
)

// dialplan is what these tests dial, besides Callward's own.
var dialplan = []string{
	"echo,1,Answer()", "echo,2,Echo()",
	"keys,1,Answer()", "keys,2,Read(KEYS,,12,,,10)", "keys,3,Set(GLOBAL(KEYS)=${KEYS})",
	"keys,4,Set(GLOBAL(WHO)=${CALLERID(all)})", "keys,5,SendDTMF(42)", "keys,6,Hangup(17)",
	"silent,1,Answer()", "silent,2,Wait(60)",
	"alice,1,Dial(PJSIP/agent-alice,20)", "alice,2,Hangup(${HANGUPCAUSE})",
	"prompt,1,Answer()", "prompt,2,Playback(${CALLWARD_PROMPTS}/en/no_input)", "prompt,3,Hangup()",
}

// there is the share of a signal above which it was heard. On an idle machine
// it is 1; one that is busy tears sound apart, in Asterisk too.
const there = 0.5

// account is whom a phone is.
type account struct{ ID, Password string }

// room is one Asterisk and who may telephone with it.
type room struct {
	*lab.Asterisk
	patient, alice account
}

func start(t *testing.T) room {
	t.Helper()
	in, err := lab.Fetch(t.Context(), lab.FetchOptions{})
	require.NoError(t, err)
	a, err := lab.StartAsterisk(context.WithoutCancel(t.Context()), in, lab.AsteriskOptions{Dir: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, a.Stop(context.Background())) })
	r := room{Asterisk: a}
	r.patient = account{a.Site.Patients[0].ID, a.Site.Patients[0].Password}
	r.alice = account{a.Site.Agents[0].ID, a.Site.Agents[0].Password}
	r.addDialplan(t)
	return r
}

func (r room) addDialplan(t *testing.T) {
	t.Helper()
	for _, module := range []string{"app_echo", "app_read", "app_senddtmf"} {
		r.cli(t, "module load "+module+".so")
	}
	for _, line := range dialplan {
		r.cli(t, "dialplan add extension "+line+" into from-patient")
	}
}

func (r room) cli(t *testing.T, command string) string {
	t.Helper()
	out, err := r.CLI(t.Context(), command)
	require.NoErrorf(t, err, "%s", command)
	return out
}

func (r room) config(who account) softphone.Config {
	return softphone.Config{Server: r.SIPAddr, User: who.ID, Password: who.Password, CAFile: r.CAFile}
}

// phone connects a phone that is closed, without a trace, at the test's end.
func (r room) phone(t *testing.T, who account, change ...func(*softphone.Config)) *softphone.Phone {
	t.Helper()
	cfg := r.config(who)
	for _, f := range change {
		f(&cfg)
	}
	p, err := softphone.New(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, p.Close()) })
	return p
}

// within is a context for one test.
func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeoutCause(t.Context(), 40*time.Second, errors.New("the test took too long"))
	t.Cleanup(cancel)
	return ctx
}

func TestAgainstAsterisk(t *testing.T) {
	r := start(t)
	for name, test := range map[string]func(*testing.T, room){
		"echo":             testEcho,
		"keys":             testKeys,
		"refusals":         testRefusals,
		"TLS":              testTLS,
		"two phones":       testTwoPhones,
		"hold":             testHold,
		"cancel":           testCancel,
		"reject":           testReject,
		"close":            testClose,
		"prompt":           testPrompt,
		"silence and mute": testSilence,
	} {
		t.Run(name, func(t *testing.T) {
			// Cleanups run last to first: the phones are closed before this looks.
			ignore := goleak.IgnoreCurrent()
			t.Cleanup(func() { goleak.VerifyNone(t, ignore) })
			test(t, r)
		})
	}
}

func testEcho(t *testing.T, r room) {
	ctx := within(t)
	call, err := r.phone(t, r.patient).Dial(ctx, "echo")
	require.NoError(t, err)
	said := softphone.Speech(1, 2*time.Second)
	require.NoError(t, call.Speak(ctx, said))
	spoken := call.Spoken()
	require.Len(t, spoken, 1)
	assert.Equal(t, len(said), spoken[0].Samples)
	assert.InDelta(t, 2.0, spoken[0].End.Sub(spoken[0].Start).Seconds(), 0.1)
	require.NoError(t, call.Wait(ctx, call.SampleAt(spoken[0].End)+1600))
	assert.Greater(t, recognise.Share(call.Heard(), said), there, "what was said came back")
	at, _ := recognise.Locate(call.Heard(), said[:4000])
	t.Logf("heard %v after it was spoken, %+v", call.TimeAt(at).Sub(spoken[0].Start), call.Stats())
	stats := call.Stats()
	assert.Zero(t, stats.Lost)
	assert.Zero(t, stats.Refused)
	require.NoError(t, call.Hangup(ctx))
	assert.Equal(t, softphone.ByUs, call.Cause().By)
	require.ErrorIs(t, call.Speak(ctx, said), softphone.ErrEnded)
	require.ErrorIs(t, call.Press(ctx, "1"), softphone.ErrEnded)
	require.ErrorIs(t, call.Wait(ctx, 1<<30), softphone.ErrEnded)
	require.NoError(t, call.Hangup(ctx), "hanging up twice is nothing")
}

func testKeys(t *testing.T, r room) {
	ctx := within(t)
	p := r.phone(t, r.patient, func(c *softphone.Config) { c.Anonymous = true })
	call, err := p.Dial(ctx, "keys")
	require.NoError(t, err)
	const keys = "0123456789*"
	require.NoError(t, call.Press(ctx, keys+"#"))
	presses := call.Presses()
	require.Len(t, presses, 12)
	for _, k := range presses {
		assert.True(t, k.End.After(k.Start))
	}
	<-call.Done()
	assert.Equal(t, softphone.Cause{By: softphone.ByThem, Text: "Q.850;cause=17", Q850: 17}, call.Cause())
	globals := r.cli(t, "dialplan show globals")
	assert.Contains(t, globals, "KEYS="+keys+"\n")
	assert.Contains(t, globals, `WHO="Anonymous" <anonymous>`)
	var heard string
	for _, k := range call.HeardKeys() {
		heard += string(k.Key)
	}
	assert.Equal(t, "42", heard)
}

func testRefusals(t *testing.T, r room) {
	ctx := within(t)
	var no *softphone.Refused
	_, err := r.phone(t, r.patient, func(c *softphone.Config) { c.PlainRTP = true }).Dial(ctx, "echo")
	require.ErrorAs(t, err, &no)
	assert.Equal(t, 488, no.Code, "plain RTP is refused")

	_, err = r.phone(t, r.patient).Dial(ctx, "nobody")
	require.ErrorAs(t, err, &no)
	assert.Equal(t, 404, no.Code)

	err = r.phone(t, r.alice, func(c *softphone.Config) { c.Password = "wrong" }).Register(ctx)
	require.ErrorAs(t, err, &no)
	assert.Equal(t, 401, no.Code)
}

func testTLS(t *testing.T, r room) {
	ctx := within(t)
	cfg := r.config(r.patient)
	cfg.CAFile, cfg.Roots = "", x509.NewCertPool()
	_, err := softphone.New(ctx, cfg)
	var unknown x509.UnknownAuthorityError
	require.ErrorAs(t, err, &unknown, "an authority that did not sign it")

	cfg = r.config(r.patient)
	cfg.ServerName = "elsewhere.invalid"
	_, err = softphone.New(ctx, cfg)
	var name x509.HostnameError
	require.ErrorAs(t, err, &name)
}

// talk has the patient call alice.
func talk(t *testing.T, ctx context.Context, r room) (patient, alice *softphone.Call) {
	t.Helper()
	agent := r.phone(t, r.alice)
	require.NoError(t, agent.Register(ctx))
	answered := make(chan *softphone.Call, 1)
	accepting := make(chan error, 1)
	go func() {
		call, err := agent.Accept(ctx)
		answered <- call
		accepting <- err
	}()
	caller := r.phone(t, r.patient, func(c *softphone.Config) { c.CallerID, c.DisplayName = "5550100", "Pat Sample" })
	patient, err := caller.Dial(ctx, "alice")
	require.NoError(t, err)
	alice = <-answered
	require.NoError(t, <-accepting)
	return patient, alice
}

// say has both speak at once and proves that each hears the other.
func say(t *testing.T, ctx context.Context, seed int, one, two *softphone.Call) {
	t.Helper()
	hers, his := softphone.Speech(seed, time.Second), softphone.Speech(seed+1, time.Second)
	done := make(chan error, 1)
	go func() { done <- one.Speak(ctx, hers) }()
	require.NoError(t, two.Speak(ctx, his))
	require.NoError(t, <-done)
	for _, side := range []struct {
		who          string
		call         *softphone.Call
		theirs, mine []int16
	}{{"one", one, his, hers}, {"two", two, hers, his}} {
		require.NoError(t, side.call.Wait(ctx, side.call.SampleAt(time.Now())+2400))
		assert.Greaterf(t, recognise.Share(side.call.Heard(), side.theirs), there, "%s hears the other", side.who)
		assert.Lessf(t, recognise.Share(side.call.Heard(), side.mine), 0.1, "%s does not hear itself", side.who)
	}
}

func testTwoPhones(t *testing.T, r room) {
	ctx := within(t)
	patient, alice := talk(t, ctx, r)
	assert.Equal(t, "5550100", alice.Number())
	say(t, ctx, 10, patient, alice)
	require.NoError(t, patient.Press(ctx, "7"))
	require.NoError(t, alice.Wait(ctx, alice.Samples()+1600))
	require.Len(t, alice.HeardKeys(), 1)
	assert.Equal(t, byte('7'), alice.HeardKeys()[0].Key)
	require.NoError(t, alice.Hangup(ctx))
	<-patient.Done()
	assert.Equal(t, softphone.ByThem, patient.Cause().By)
	assert.Equal(t, 16, patient.Cause().Q850)
}

func testHold(t *testing.T, r room) {
	ctx := within(t)
	patient, alice := talk(t, ctx, r)
	require.NoError(t, alice.Hold(ctx))
	held, waits := alice.Samples(), patient.Samples()
	said := softphone.Speech(30, time.Second)
	require.NoError(t, patient.Speak(ctx, said))
	require.NoError(t, alice.Wait(ctx, held+9600))
	assert.Less(t, recognise.Share(alice.HeardSince(held), said), 0.1, "who holds does not hear who is held")
	for slices.Max(append(patient.HeardSince(waits), 0)) == 0 {
		require.NoError(t, patient.Wait(ctx, patient.Samples()+160), "who is held hears music")
	}
	require.NoError(t, alice.Unhold(ctx))
	say(t, ctx, 31, patient, alice)
	require.NoError(t, patient.Hangup(ctx))
	<-alice.Done()
}

func testCancel(t *testing.T, r room) {
	ctx := within(t)
	agent := r.phone(t, r.alice)
	require.NoError(t, agent.Register(ctx))
	enough := errors.New("enough of ringing")
	ringing, stop := context.WithCancelCause(ctx)
	gone := make(chan error, 1)
	go func() {
		i := <-agent.Incoming()
		err := i.Ring(ctx)
		<-i.Cancelled()
		_, answered := i.Answer(ctx)
		gone <- errors.Join(err, answered)
	}()
	_, err := r.phone(t, r.patient).Dial(ringing, "alice", softphone.OnProgress(func(code int) {
		if code == 180 {
			stop(enough)
		}
	}))
	require.ErrorIs(t, err, enough)
	err = <-gone
	require.ErrorIs(t, err, softphone.ErrCancelled)
	assert.Equal(t, softphone.ErrCancelled.Error(), err.Error(), "ringing went well")
}

func testReject(t *testing.T, r room) {
	ctx := within(t)
	agent := r.phone(t, r.alice)
	require.NoError(t, agent.Register(ctx))
	said := make(chan error, 1)
	go func() {
		i := <-agent.Incoming()
		assert.Equal(t, r.patient.ID, i.From())
		err := i.Reject(ctx, 486)
		_, settled := i.Answer(ctx)
		assert.ErrorIs(t, settled, softphone.ErrSettled)
		said <- err
	}()
	_, err := r.phone(t, r.patient).Dial(ctx, "alice")
	require.NoError(t, <-said)
	var no *softphone.Refused
	require.ErrorAs(t, err, &no)
	assert.Equal(t, 486, no.Code)

	require.NoError(t, agent.Unregister(ctx))
	assert.NotContains(t, r.cli(t, "pjsip show contacts"), r.alice.ID+"/")
	require.NoError(t, agent.Unregister(ctx), "twice is nothing")
}

func testClose(t *testing.T, r room) {
	ctx := within(t)
	patient, alice := talk(t, ctx, r)
	require.NoError(t, alice.Phone().Close())
	<-patient.Done()
	assert.Equal(t, softphone.ByUs, alice.Cause().By)
	assert.NotContains(t, r.cli(t, "pjsip show contacts"), r.alice.ID+"/", "it has unregistered")
	require.NoError(t, alice.Phone().Close(), "twice is nothing")
	require.Error(t, alice.Phone().Register(ctx))
}

// testPrompt lets a prompt be recognised over the line.
func testPrompt(t *testing.T, r room) {
	ctx := within(t)
	raw, err := os.ReadFile(filepath.Join(r.Site.PromptsDir, "en", "no_input.ulaw"))
	require.NoError(t, err)
	c, err := recognise.NewCatalogue([]recognise.Prompt{
		{ID: "no_input", PCM: softphone.DecodeULaw(raw)},
		{ID: "speech", PCM: softphone.Speech(1, 2*time.Second)},
	})
	require.NoError(t, err)
	call, err := r.phone(t, r.patient).Dial(ctx, "prompt")
	require.NoError(t, err)
	l := c.Listen(call)
	known, err := l.WaitFor(ctx)
	require.NoError(t, err)
	assert.Equal(t, "no_input", known.ID)
	ended, err := l.WaitEnd(ctx, "no_input")
	require.NoError(t, err)
	assert.Truef(t, ended.Whole(), "%+v %+v", ended, call.Stats())
	assert.Greater(t, ended.Score, 0.9)
	_, err = l.WaitFor(ctx, "speech")
	var missing *recognise.NotHeardError
	require.ErrorAs(t, err, &missing)
	require.ErrorIs(t, err, softphone.ErrEnded)
}

func testSilence(t *testing.T, r room) {
	ctx := within(t)
	call, err := r.phone(t, r.patient).Dial(ctx, "silent")
	require.NoError(t, err)
	require.NoError(t, call.Wait(ctx, 4000), "time passes though nothing is sent")
	assert.LessOrEqual(t, call.Samples()-call.SampleAt(time.Now()), 0)
	call.Mute(true)
	sent := call.Stats().Sent
	require.NoError(t, call.Wait(ctx, call.Samples()+4000))
	assert.LessOrEqual(t, call.Stats().Sent-sent, 1, "a muted phone sends nothing")
	call.Mute(false)
	require.NoError(t, call.Wait(ctx, call.Samples()+4000))
	assert.Greater(t, call.Stats().Sent-sent, 10)
	require.NoError(t, call.Hangup(ctx))
}

// TestConnectionLost kills Asterisk under two calls and starts it again.
func TestConnectionLost(t *testing.T) {
	r := start(t)
	ctx := within(t)
	patient, alice := talk(t, ctx, r)
	r.Kill()
	for _, call := range []*softphone.Call{patient, alice} {
		<-call.Done()
		assert.Equal(t, softphone.ByLoss, call.Cause().By)
		<-call.Phone().LostConnection()
		require.ErrorIs(t, call.Phone().Lost(), softphone.ErrLost)
		_, err := call.Phone().Dial(ctx, "echo")
		require.ErrorIs(t, err, softphone.ErrLost)
	}
	require.NoError(t, r.Restart(ctx))
	r.addDialplan(t)
	agent := alice.Phone()
	require.NoError(t, agent.Reconnect(ctx))
	require.NoError(t, patient.Phone().Reconnect(ctx))
	assert.Contains(t, r.cli(t, "pjsip show contacts"), r.alice.ID+"/", "it has registered again")
	go func() { _, _ = agent.Accept(ctx) }()
	again, err := patient.Phone().Dial(ctx, "alice")
	require.NoError(t, err)
	require.NoError(t, again.Hangup(ctx))
}

// BenchmarkPhones measures what one phone in a call costs this process:
// silence sent and heard, SRTP both ways.
func BenchmarkPhones(b *testing.B) {
	in, err := lab.Fetch(b.Context(), lab.FetchOptions{})
	require.NoError(b, err)
	a, err := lab.StartAsterisk(context.WithoutCancel(b.Context()), in, lab.AsteriskOptions{Dir: b.TempDir()})
	require.NoError(b, err)
	defer func() { _ = a.Stop(context.Background()) }()
	for _, line := range []string{"module load app_echo.so", "dialplan add extension echo,1,Answer() into from-patient", "dialplan add extension echo,2,Echo() into from-patient"} {
		_, err := a.CLI(b.Context(), line)
		require.NoError(b, err)
	}
	p := a.Site.Patients[0]
	phone, err := softphone.New(b.Context(), softphone.Config{Server: a.SIPAddr, User: p.ID, Password: p.Password, CAFile: a.CAFile})
	require.NoError(b, err)
	defer phone.Close()
	const calls = 20
	var last *softphone.Call
	for range calls {
		last, err = phone.Dial(b.Context(), "echo")
		require.NoError(b, err)
	}
	b.ResetTimer()
	for b.Loop() {
		before := cpu(b)
		require.NoError(b, last.Wait(b.Context(), last.Samples()+5*8000))
		used := cpu(b) - before
		b.ReportMetric(float64(used.Microseconds())/1000/5/calls, "cpu-ms/s/call")
		b.ReportMetric(float64(last.Stats().Jitter.Microseconds()), "jitter-us")
		b.ReportMetric(float64(last.Stats().LatestSend.Microseconds()), "latest-us")
	}
}

// cpu is the processor time this process has used.
func cpu(b *testing.B) time.Duration {
	raw, err := os.ReadFile("/proc/self/stat")
	require.NoError(b, err)
	fields := strings.Fields(string(raw[strings.LastIndexByte(string(raw), ')')+1:]))
	var user, system int
	_, err = fmt.Sscan(fields[11]+" "+fields[12], &user, &system)
	require.NoError(b, err)
	return time.Duration(user+system) * 10 * time.Millisecond
}
