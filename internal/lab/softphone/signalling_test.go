package softphone

import (
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestQ850(t *testing.T) {
	for value, want := range map[string]int{
		`Q.850;cause=16;text="Normal Clearing"`: 16,
		`q.850 ; cause=21`:                      21,
		`SIP;cause=200;text="Call completed"`:   0,
		`Q.850;cause=x`:                         0,
		``:                                      0,
	} {
		assert.Equalf(t, want, q850([]sip.Header{sip.NewHeader("Reason", value)}), "%q", value)
	}
	assert.Equal(t, 17, q850([]sip.Header{sip.NewHeader("Reason", "SIP;cause=486"), sip.NewHeader("Reason", "Q.850;cause=17")}))
}

func TestParseSession(t *testing.T) {
	for value, want := range map[string]struct {
		interval  time.Duration
		refresher string
		ok        bool
	}{
		"1800":                    {30 * time.Minute, "", true},
		"90;refresher=uac":        {90 * time.Second, "uac", true},
		" 90 ; refresher=UAS;x=y": {90 * time.Second, "uas", true},
		"0":                       {},
		"-1":                      {},
		"99999999999":             {},
		"soon":                    {},
	} {
		interval, refresher, ok := parseSession(value)
		assert.Equalf(t, want.ok, ok, "%q", value)
		assert.Equalf(t, want.interval, interval, "%q", value)
		assert.Equalf(t, want.refresher, refresher, "%q", value)
	}
}

// request is an INVITE or UPDATE as it may come within a call.
func request(method sip.RequestMethod, cseq uint32, headers ...sip.Header) *sip.Request {
	req := sip.NewRequest(method, sip.Uri{Scheme: "sip", User: "alice", Host: "127.0.0.1", Port: 5061})
	req.AppendHeader(&sip.FromHeader{Address: sip.Uri{Scheme: "sip", User: "them", Host: "127.0.0.1"}, Params: sip.HeaderParams{{K: "tag", V: "theirs"}}})
	req.AppendHeader(&sip.ToHeader{Address: sip.Uri{Scheme: "sip", User: "alice", Host: "127.0.0.1"}})
	id := sip.CallIDHeader("one")
	req.AppendHeader(&id)
	req.AppendHeader(&sip.CSeqHeader{SeqNo: cseq, MethodName: method})
	for _, h := range headers {
		req.AppendHeader(h)
	}
	return req
}

func TestSessionTimerIsGranted(t *testing.T) {
	for asked, want := range map[string]struct {
		answer string
		ours   bool
	}{
		"1800":               {"1800;refresher=uac", false},
		"1800;refresher=uac": {"1800;refresher=uac", false},
		"1800;refresher=uas": {"1800;refresher=uas", true},
	} {
		c := &Call{}
		req := request(sip.INVITE, 1, sip.NewHeader("Session-Expires", asked))
		res := sip.NewResponseFromRequest(req, 200, "OK", nil)
		c.timer.grant(c, req, res)
		assert.Equalf(t, want.answer, res.GetHeader("Session-Expires").Value(), "%s", asked)
		assert.Equal(t, "timer", res.GetHeader("Require").Value())
		assert.Equal(t, want.ours, c.timer.ours)
		assert.NotNil(t, c.timer.running)

		again := request(sip.INVITE, 2)
		c.timer.offer(c, again)
		assert.NotEmpty(t, again.GetHeader("Session-Expires").Value(), "our re-INVITE keeps it")

		c.timer.grant(c, request(sip.UPDATE, 3), sip.NewResponseFromRequest(req, 200, "OK", nil))
		assert.Nil(t, c.timer.running, "a refresh without it ends it")
	}
}

func TestDialogOfCallee(t *testing.T) {
	req := request(sip.INVITE, 7,
		sip.NewHeader("Record-Route", "<sip:first;lr>"), sip.NewHeader("Record-Route", "<sip:second;lr>"))
	req.AppendHeader(&sip.ContactHeader{Address: sip.Uri{Scheme: "sip", User: "them", Host: "10.0.0.9", Port: 5071}})
	d := calleeDialog(req, "ours", sip.ContactHeader{Address: sip.Uri{Scheme: "sip", User: "alice", Host: "127.0.0.1", Port: 4}})
	assert.Equal(t, "ours", d.tag())

	bye := d.request(sip.BYE, 0)
	assert.Equal(t, "10.0.0.9", bye.Recipient.Host)
	assert.EqualValues(t, 1, bye.CSeq().SeqNo)
	assert.Equal(t, "one", bye.CallID().Value())
	tag, _ := bye.From().Params.Get("tag")
	assert.Equal(t, "ours", tag)
	tag, _ = bye.To().Params.Get("tag")
	assert.Equal(t, "theirs", tag)
	routes := bye.GetHeaders("Route")
	require.Len(t, routes, 2)
	assert.Equal(t, "<sip:first;lr>", routes[0].Value())

	assert.False(t, d.receive(request(sip.UPDATE, 7)), "not newer")
	moved := request(sip.UPDATE, 8)
	moved.AppendHeader(&sip.ContactHeader{Address: sip.Uri{Scheme: "sip", Host: "10.0.0.10"}})
	assert.True(t, d.receive(moved))
	assert.Equal(t, "10.0.0.10", d.request(sip.INVITE, 0).Recipient.Host, "the target follows")
	assert.EqualValues(t, 2, d.request(sip.ACK, 2).CSeq().SeqNo, "ACK takes its INVITE's number")
	assert.EqualValues(t, 3, d.request(sip.BYE, 0).CSeq().SeqNo)
}

func TestConfigRefuses(t *testing.T) {
	for name, cfg := range map[string]Config{
		"no port":   {Server: "127.0.0.1", User: "a", CAFile: "x"},
		"no user":   {Server: "127.0.0.1:1", CAFile: "x"},
		"no CA":     {Server: "127.0.0.1:1", User: "a"},
		"lost CA":   {Server: "127.0.0.1:1", User: "a", CAFile: "/nowhere.pem"},
		"CA no PEM": {Server: "127.0.0.1:1", User: "a", CAFile: "/dev/null"},
	} {
		_, err := New(t.Context(), cfg)
		assert.ErrorIsf(t, err, errConfig, "%s", name)
	}
}
