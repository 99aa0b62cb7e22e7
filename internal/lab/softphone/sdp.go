package softphone

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/pion/sdp/v3"
)

const (
	payloadULaw  = 0   // PCMU, static (RFC 3551)
	payloadEvent = 101 // telephone-event as offered here (RFC 4733)

	profileSecure = "RTP/SAVP"
	profilePlain  = "RTP/AVP"
)

var errSDP = errors.New("softphone: SDP")

// direction is the media direction seen from the side that wrote the SDP.
type direction string

const (
	sendRecv direction = "sendrecv"
	sendOnly direction = "sendonly"
	recvOnly direction = "recvonly"
	inactive direction = "inactive"
)

// mirror returns what the other side answers to d while it wants to send and
// receive all it may (RFC 3264, 6.1).
func (d direction) mirror() direction {
	switch d {
	case sendOnly:
		return recvOnly
	case recvOnly:
		return sendOnly
	}
	return d
}

// description is the audio stream of an SDP offer or answer.
type description struct {
	addr    netip.AddrPort
	secure  bool     // RTP/SAVP
	crypto  []crypto // attributes of our suite, best first
	ulaw    bool
	event   uint8 // payload type of telephone-event at 8 kHz; 0 when absent
	dir     direction
	session uint64 // o= session id and version
	version uint64
	streams []sdp.MediaName // every m= line in order, for the answer
	audio   int             // which of them is this one
}

// parseSDP reads the first live audio stream of an offer or answer.
func parseSDP(body []byte) (description, error) {
	var s sdp.SessionDescription
	if err := s.Unmarshal(body); err != nil {
		return description{}, fmt.Errorf("%w: %w", errSDP, err)
	}
	d := description{audio: -1, dir: sendRecv, session: s.Origin.SessionID, version: s.Origin.SessionVersion}
	for i, m := range s.MediaDescriptions {
		d.streams = append(d.streams, m.MediaName)
		if d.audio < 0 && m.MediaName.Media == "audio" && m.MediaName.Port.Value != 0 {
			d.audio = i
		}
	}
	if d.audio < 0 {
		return description{}, fmt.Errorf("%w: no live audio stream", errSDP)
	}
	m := s.MediaDescriptions[d.audio]
	switch strings.Join(m.MediaName.Protos, "/") {
	case profileSecure:
		d.secure = true
	case profilePlain:
	default:
		return description{}, fmt.Errorf("%w: profile is neither RTP/SAVP nor RTP/AVP", errSDP)
	}
	where := m.ConnectionInformation
	if where == nil {
		where = s.ConnectionInformation
	}
	if where == nil || where.Address == nil {
		return description{}, fmt.Errorf("%w: no connection address", errSDP)
	}
	ip, err := netip.ParseAddr(where.Address.Address)
	if err != nil {
		return description{}, fmt.Errorf("%w: connection address is not an IP address", errSDP)
	}
	if m.MediaName.Port.Value < 0 || m.MediaName.Port.Value > 65535 {
		return description{}, fmt.Errorf("%w: port is out of range", errSDP)
	}
	d.addr = netip.AddrPortFrom(ip, uint16(m.MediaName.Port.Value))
	d.readFormats(m.MediaName.Formats)
	for _, a := range append(s.Attributes[:len(s.Attributes):len(s.Attributes)], m.Attributes...) {
		if err := d.readAttribute(a); err != nil {
			return description{}, err
		}
	}
	if d.secure && len(d.crypto) == 0 {
		return description{}, fmt.Errorf("%w: RTP/SAVP without a key of %s", errSDP, suite)
	}
	return d, nil
}

func (d *description) readFormats(formats []string) {
	for _, f := range formats {
		if f == strconv.Itoa(payloadULaw) {
			d.ulaw = true
		}
	}
}

func (d *description) readAttribute(a sdp.Attribute) error {
	switch a.Key {
	case "sendrecv", "sendonly", "recvonly", "inactive":
		d.dir = direction(a.Key)
	case "rtpmap":
		pt, name, _ := strings.Cut(a.Value, " ")
		n, err := strconv.ParseUint(pt, 10, 7)
		if err == nil && strings.EqualFold(strings.TrimSpace(name), "telephone-event/8000") {
			d.event = uint8(n)
		}
	case "crypto":
		c, err := parseCrypto(a.Value)
		switch {
		case errors.Is(err, errOtherSuite):
		case err != nil:
			return fmt.Errorf("%w: %w", errSDP, err)
		default:
			d.crypto = append(d.crypto, c)
		}
	}
	return nil
}

// marshal writes d as SDP. Streams other than the audio one are written with
// port 0, which refuses them (RFC 3264, 6).
func (d description) marshal() []byte {
	address := &sdp.Address{Address: d.addr.Addr().String()}
	kind := "IP4"
	if d.addr.Addr().Is6() {
		kind = "IP6"
	}
	s := sdp.SessionDescription{
		Origin: sdp.Origin{
			Username: "-", SessionID: d.session, SessionVersion: d.version,
			NetworkType: "IN", AddressType: kind, UnicastAddress: d.addr.Addr().String(),
		},
		SessionName:           "-",
		ConnectionInformation: &sdp.ConnectionInformation{NetworkType: "IN", AddressType: kind, Address: address},
		TimeDescriptions:      []sdp.TimeDescription{{}},
	}
	streams := d.streams
	if len(streams) == 0 {
		streams = []sdp.MediaName{{Media: "audio"}}
	}
	for i, name := range streams {
		if i == d.audio {
			s.MediaDescriptions = append(s.MediaDescriptions, d.audioStream())
			continue
		}
		name.Port = sdp.RangedPort{}
		s.MediaDescriptions = append(s.MediaDescriptions, &sdp.MediaDescription{MediaName: name})
	}
	body, err := s.Marshal()
	if err != nil {
		panic("softphone: SDP of our own making: " + err.Error())
	}
	return body
}

func (d description) audioStream() *sdp.MediaDescription {
	profile := profilePlain
	if d.secure {
		profile = profileSecure
	}
	m := &sdp.MediaDescription{MediaName: sdp.MediaName{
		Media: "audio", Port: sdp.RangedPort{Value: int(d.addr.Port())},
		Protos: strings.Split(profile, "/"), Formats: []string{strconv.Itoa(payloadULaw)},
	}}
	m.WithValueAttribute("rtpmap", fmt.Sprintf("%d PCMU/8000", payloadULaw))
	if d.event != 0 {
		m.MediaName.Formats = append(m.MediaName.Formats, strconv.Itoa(int(d.event)))
		m.WithValueAttribute("rtpmap", fmt.Sprintf("%d telephone-event/8000", d.event))
		m.WithValueAttribute("fmtp", fmt.Sprintf("%d 0-16", d.event))
	}
	for _, c := range d.crypto {
		m.WithValueAttribute("crypto", c.value())
	}
	m.WithValueAttribute("ptime", "20")
	m.WithPropertyAttribute(string(d.dir))
	return m
}
