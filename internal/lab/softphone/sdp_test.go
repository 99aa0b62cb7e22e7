package softphone

import (
	"encoding/base64"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var someKey = func() (k masterKey) {
	for i := range k {
		k[i] = byte(i)
	}
	return k
}()

var someInline = base64.StdEncoding.EncodeToString(someKey[:])

// offerText is an offer as Asterisk writes it.
func offerText(lines ...string) []byte {
	return []byte(strings.Join(append([]string{
		"v=0", "o=- 99 3 IN IP4 127.0.0.1", "s=Asterisk", "c=IN IP4 127.0.0.1", "t=0 0",
	}, lines...), "\r\n") + "\r\n")
}

func TestParseSDP(t *testing.T) {
	crypto1 := "a=crypto:1 " + suite + " inline:" + someInline
	d, err := parseSDP(offerText(
		"m=audio 30012 RTP/SAVP 0 96", "a=crypto:7 AES_CM_128_HMAC_SHA1_32 inline:"+someInline, crypto1,
		"a=rtpmap:0 PCMU/8000", "a=rtpmap:96 telephone-event/8000", "a=fmtp:96 0-16", "a=ptime:20", "a=sendonly"))
	require.NoError(t, err)
	assert.Equal(t, netip.MustParseAddrPort("127.0.0.1:30012"), d.addr)
	assert.True(t, d.secure)
	assert.True(t, d.ulaw)
	assert.EqualValues(t, 96, d.event)
	assert.Equal(t, sendOnly, d.dir)
	assert.Equal(t, recvOnly, d.dir.mirror())
	assert.Equal(t, []crypto{{tag: 1, key: someKey}}, d.crypto, "another suite is passed over")

	d, err = parseSDP(offerText("m=video 0 RTP/AVP 31", "m=audio 4000/2 RTP/AVP 8 0", "c=IN IP6 ::1"))
	require.NoError(t, err)
	assert.Equal(t, netip.MustParseAddrPort("[::1]:4000"), d.addr, "the stream's own address wins")
	assert.Equal(t, 1, d.audio)
	assert.False(t, d.secure)
	assert.Zero(t, d.event)
	assert.Equal(t, sendRecv, d.dir)
}

func TestParseSDPRefuses(t *testing.T) {
	for name, lines := range map[string][]string{
		"no audio":         {"m=video 4000 RTP/AVP 31"},
		"refused audio":    {"m=audio 0 RTP/SAVP 0"},
		"no key":           {"m=audio 4000 RTP/SAVP 0"},
		"only other suite": {"m=audio 4000 RTP/SAVP 0", "a=crypto:1 AES_CM_128_HMAC_SHA1_32 inline:" + someInline},
		"broken key":       {"m=audio 4000 RTP/SAVP 0", "a=crypto:1 " + suite + " inline:AAAA"},
		"other profile":    {"m=audio 4000 UDP/TLS/RTP/SAVPF 0"},
		"host name":        {"m=audio 4000 RTP/AVP 0", "c=IN IP4 phone.invalid"},
		"port too high":    {"m=audio 70000 RTP/AVP 0"},
	} {
		_, err := parseSDP(offerText(lines...))
		assert.ErrorIsf(t, err, errSDP, "%s", name)
	}
	_, err := parseSDP(nil)
	assert.ErrorIs(t, err, errSDP)
}

func TestSDPRoundTrip(t *testing.T) {
	m, err := newMedia(netip.MustParseAddr("127.0.0.1"), true)
	require.NoError(t, err)
	defer m.stop()
	offer := m.describe()
	got, err := parseSDP(offer.marshal())
	require.NoError(t, err)
	offer.streams = got.streams
	assert.Equal(t, offer, got)
	assert.EqualValues(t, 0, m.local().Port()&1, "RTP has an even port")
}

func TestAnswerMirrorsStreams(t *testing.T) {
	offer, err := parseSDP(offerText("m=video 4002 RTP/AVP 31", "m=audio 4000 RTP/SAVP 0 101",
		"a=crypto:3 "+suite+" inline:"+someInline, "a=inactive"))
	require.NoError(t, err)
	m, err := newMedia(netip.MustParseAddr("127.0.0.1"), true)
	require.NoError(t, err)
	defer m.stop()
	answer, theirs := m.answer(offer)
	assert.Equal(t, someKey, theirs)
	text := string(answer.marshal())
	assert.Contains(t, text, "m=video 0 RTP/AVP 31")
	assert.Contains(t, text, "a=crypto:3 "+suite)
	assert.Contains(t, text, "a=inactive")
	assert.NotContains(t, text, someInline, "our key, not theirs")
	assert.NotContains(t, text, "telephone-event", "none was offered")
}

func TestAnsweredKey(t *testing.T) {
	offer := description{secure: true, ulaw: true, crypto: []crypto{{tag: 1}}}
	good := description{secure: true, ulaw: true, crypto: []crypto{{tag: 1, key: someKey}}}
	key, err := answeredKey(offer, good)
	require.NoError(t, err)
	assert.Equal(t, someKey, key)
	for name, change := range map[string]func(*description){
		"plain":       func(d *description) { d.secure = false },
		"no PCMU":     func(d *description) { d.ulaw = false },
		"another tag": func(d *description) { d.crypto = []crypto{{tag: 2}} },
		"two keys":    func(d *description) { d.crypto = []crypto{{tag: 1}, {tag: 1}} },
	} {
		bad := good
		change(&bad)
		_, err := answeredKey(offer, bad)
		assert.ErrorIsf(t, err, errAnswer, "%s", name)
	}
}

func TestParseCrypto(t *testing.T) {
	for value, ok := range map[string]bool{
		"1 " + suite + " inline:" + someInline:                           true,
		"999999999 " + suite + " inline:" + someInline + "|2^20":         true,
		"1 " + suite + " inline:" + someInline + "|1:4":                  false,
		"1 " + suite + " inline:" + someInline + "|2^20|1:4":             false,
		"1 " + suite + " inline:" + someInline + " UNENCRYPTED_SRTP":     false,
		"1 " + suite + " inline:" + someInline + ";inline:" + someInline: false,
		"1 " + suite + " " + someInline:                                  false,
		"1 AES_CM_128_HMAC_SHA1_32 inline:" + someInline:                 false,
		"0x1 " + suite + " inline:" + someInline:                         false,
		"1234567890 " + suite + " inline:" + someInline:                  false,
		"1 " + suite + " inline:" + someInline[:39] + "!":                false,
		"": false,
	} {
		c, err := parseCrypto(value)
		assert.Equalf(t, ok, err == nil, "%s: %v", value, err)
		if err != nil {
			assert.ErrorIs(t, err, errSDES)
			assert.NotContains(t, err.Error(), someInline, "a key in an error")
			continue
		}
		assert.Equal(t, someKey, c.key)
	}
}

func FuzzParseSDP(f *testing.F) {
	f.Add(offerText("m=audio 30012 RTP/SAVP 0 101", "a=crypto:1 "+suite+" inline:"+someInline, "a=rtpmap:101 telephone-event/8000"))
	f.Add(offerText("m=video 0 RTP/AVP 31", "m=audio 4000/2 RTP/AVP 8 0", "c=IN IP6 ::1", "a=recvonly"))
	f.Add(offerText())
	f.Add([]byte("v=0\r\n"))
	f.Fuzz(func(t *testing.T, body []byte) {
		d, err := parseSDP(body)
		if err != nil {
			require.ErrorIs(t, err, errSDP)
			return
		}
		// What is understood is answered, and the answer is understood.
		again, err := parseSDP(description{
			addr: d.addr, secure: d.secure, crypto: d.crypto, ulaw: true, event: d.event,
			dir: d.dir.mirror(), session: d.session, version: d.version,
		}.marshal())
		require.NoError(t, err)
		require.Equal(t, d.addr, again.addr)
		require.Equal(t, d.crypto, again.crypto)
		require.Equal(t, d.dir.mirror(), again.dir)
	})
}

func FuzzParseCrypto(f *testing.F) {
	f.Add("1 " + suite + " inline:" + someInline)
	f.Add("1 " + suite + " inline:" + someInline + "|2^31|1:4")
	f.Add("1 F8_128_HMAC_SHA1_80 inline:" + someInline + "|2^20|1:4 KDR=1")
	f.Fuzz(func(t *testing.T, value string) {
		c, err := parseCrypto(value)
		if err != nil {
			require.ErrorIs(t, err, errSDES)
			return
		}
		again, err := parseCrypto(c.value())
		require.NoError(t, err)
		require.Equal(t, c, again)
	})
}
