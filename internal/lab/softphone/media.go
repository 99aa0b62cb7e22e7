package softphone

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/srtp/v3"

	"github.com/callward/callward/internal/g711"
)

const frame = 20 * time.Millisecond

// Stats counts a call's RTP.
type Stats struct {
	Sent, Received int
	Lost           int // sequence numbers that never came, as far as is known
	Refused        int // not authentic, replayed, or not RTP
	Jitter         time.Duration
	LatestSend     time.Duration // the frame that left furthest behind its time
}

// media is one call's RTP session: a goroutine that sends a frame every 20 ms
// and one that receives.
type media struct {
	rtp, rtcp *net.UDPConn
	key       masterKey // ours, for all the session
	secure    bool
	tl        timeline
	out       *srtp.Context // used by the sender only

	mu      sync.Mutex
	in      *srtp.Context
	theirs  masterKey
	remote  netip.AddrPort
	event   uint8 // payload type the other side takes keys on
	dir     direction
	muted   bool
	talks   []*talk
	presses []*pressing
	spoken  []Utterance
	pressed []Press
	ear     keyEar
	stats   Stats
	seen    sequence

	once    sync.Once
	stopped chan struct{}
	running sync.WaitGroup
}

// newMedia opens the sockets of a session on a local address: an even port
// for RTP and the next for RTCP, which is read by nobody.
func newMedia(local netip.Addr, secure bool) (*media, error) {
	var lc net.ListenConfig
	open := func(port uint16) (*net.UDPConn, error) {
		c, err := lc.ListenPacket(context.Background(), "udp", netip.AddrPortFrom(local, port).String())
		if err != nil {
			return nil, err
		}
		return c.(*net.UDPConn), nil
	}
	for range 64 {
		first, err := open(0)
		if err != nil {
			return nil, fmt.Errorf("softphone: RTP socket: %w", err)
		}
		port := first.LocalAddr().(*net.UDPAddr).AddrPort().Port()
		second, err := open(port ^ 1)
		if err != nil {
			first.Close()
			continue
		}
		if port&1 == 1 {
			first, second = second, first
		}
		m := &media{rtp: first, rtcp: second, secure: secure, dir: sendRecv, stopped: make(chan struct{})}
		if err := stampArrivals(first); err != nil {
			m.close()
			return nil, fmt.Errorf("softphone: RTP socket: %w", err)
		}
		if !secure {
			return m, nil
		}
		m.key = newMasterKey()
		if m.out, err = m.key.context(); err != nil {
			m.close()
			return nil, fmt.Errorf("softphone: SRTP: %w", err)
		}
		return m, nil
	}
	return nil, errors.New("softphone: no pair of free UDP ports")
}

func (m *media) local() netip.AddrPort { return m.rtp.LocalAddr().(*net.UDPAddr).AddrPort() }

// connect takes the other side's description, at the answer or at any later
// offer. The receiving state is renewed only when the key has changed.
func (m *media) connect(d description, theirs masterKey) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.secure && (m.in == nil || theirs != m.theirs) {
		in, err := theirs.context()
		if err != nil {
			return fmt.Errorf("softphone: SRTP: %w", err)
		}
		m.in, m.theirs = in, theirs
	}
	m.remote, m.event, m.dir = d.addr, d.event, d.dir.mirror()
	return nil
}

// drain throws away what came before the answer.
func (m *media) drain() {
	var wire [2048]byte
	_ = m.rtp.SetReadDeadline(time.Now())
	for {
		if _, _, err := m.rtp.ReadFromUDPAddrPort(wire[:]); errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
	}
	_ = m.rtp.SetReadDeadline(time.Time{})
}

// start begins to receive and to send; sample 0 is at the time of the answer.
func (m *media) start(answered time.Time) {
	m.tl.start(answered)
	m.running.Add(2)
	go m.receive()
	go m.send()
}

// stop ends both goroutines and closes the sockets.
func (m *media) stop() {
	m.once.Do(func() {
		close(m.stopped)
		m.close()
		m.running.Wait()
		m.tl.end()
		m.mu.Lock()
		defer m.mu.Unlock()
		for _, t := range m.talks {
			m.finishTalk(t, time.Now())
		}
		m.talks = nil
		for _, p := range m.presses {
			close(p.done)
		}
		m.presses = nil
	})
}

func (m *media) close() {
	m.rtp.Close()
	m.rtcp.Close()
}

// send paces frames by a schedule fixed at its start: frame n leaves at
// start + n*20 ms, and frames that are late leave at once.
func (m *media) send() {
	defer m.running.Done()
	start := time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	s := sender{ssrc: rand.Uint32(), seq: uint16(rand.Uint32() & 0x7FFF), ts: rand.Uint32()}
	for n := time.Duration(0); ; n++ {
		due := start.Add(n * frame)
		timer.Reset(time.Until(due))
		select {
		case <-m.stopped:
			return
		case <-timer.C:
		}
		now := time.Now()
		m.tl.advance(now)
		m.sendFrame(&s, now, now.Sub(due))
	}
}

// sender is the outgoing stream's numbering, and buffers used again.
type sender struct {
	ssrc uint32
	seq  uint16
	ts   uint32

	pcm    [g711.FrameSamples]int16
	sound  []byte
	packet []byte
	cipher []byte
}

// sendFrame sends the one packet of a tick: a key's, else sound, else none.
func (m *media) sendFrame(s *sender, now time.Time, late time.Duration) {
	m.mu.Lock()
	key, isKey := m.tickKeys(s.ts, now)
	m.tickTalk(&s.pcm, now)
	header := rtp.Header{Version: 2, SSRC: s.ssrc, SequenceNumber: s.seq, Timestamp: s.ts}
	payload := key.payload[:]
	send := isKey
	if isKey {
		header.PayloadType, header.Timestamp, header.Marker = m.event, key.ts, key.marker
	} else if !m.muted && len(m.presses) == 0 && (m.dir == sendRecv || m.dir == sendOnly) {
		s.sound = g711.AppendEncode(s.sound[:0], s.pcm[:])
		payload, send = s.sound, true
	}
	remote := m.remote
	if send {
		m.stats.Sent++
		m.stats.LatestSend = max(m.stats.LatestSend, late)
	}
	m.mu.Unlock()
	s.ts += g711.FrameSamples
	if !send {
		return
	}
	s.seq++
	m.write(s, header, payload, remote)
}

// write sends one packet. What the network refuses is lost, as sound is.
func (m *media) write(s *sender, header rtp.Header, payload []byte, remote netip.AddrPort) {
	s.packet = append(s.packet[:0], make([]byte, header.MarshalSize())...)
	if _, err := header.MarshalTo(s.packet); err != nil {
		return
	}
	s.packet = append(s.packet, payload...)
	wire := s.packet
	if m.secure {
		sealed, err := m.out.EncryptRTP(s.cipher[:0], s.packet, &header)
		if err != nil {
			return
		}
		s.cipher, wire = sealed, sealed
	}
	_, _ = m.rtp.WriteToUDPAddrPort(wire, remote)
}

// receive reads until the socket is closed.
func (m *media) receive() {
	defer m.running.Done()
	wire := make([]byte, 2048)
	clear := make([]byte, 0, 2048)
	pcm := make([]int16, 0, 2048)
	oob := make([]byte, 128)
	for {
		n, noted, _, _, err := m.rtp.ReadMsgUDPAddrPort(wire, oob)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // an ICMP error of something sent earlier
		}
		m.accept(wire[:n], clear, pcm, arrival(oob[:noted], time.Now()))
	}
}

// accept takes one datagram.
func (m *media) accept(wire, clear []byte, pcm []int16, at time.Time) {
	m.mu.Lock()
	var header rtp.Header
	size, err := header.Unmarshal(wire)
	packet := wire
	if err == nil && m.secure {
		packet, err = m.in.DecryptRTP(clear, wire, &header)
	}
	if err != nil || size > len(packet) {
		m.stats.Refused++
		m.mu.Unlock()
		return
	}
	payload := packet[size:]
	m.stats.Received++
	m.stats.Lost += m.seen.put(header.SSRC, header.SequenceNumber)
	switch {
	case header.PayloadType == payloadULaw:
		m.stats.Jitter = m.seen.jitter(header.SSRC, header.Timestamp, at)
		deaf := m.dir == sendOnly || m.dir == inactive
		m.mu.Unlock()
		if deaf {
			return // a telephone that holds does not play what still comes
		}
		m.tl.put(header.SSRC, header.Timestamp, header.Marker, g711.AppendDecode(pcm, payload), at)
		return
	case header.PayloadType == payloadEvent:
		m.ear.put(header.SSRC, header.Timestamp, payload, at)
	}
	m.mu.Unlock()
}

// sequence counts lost packets and jitter of the stream now heard.
type sequence struct {
	known   bool
	ssrc    uint32
	highest uint16

	transit     time.Duration
	transitSSRC uint32
	timed       bool
	smoothed    float64 // RFC 3550, 6.4.1, in seconds
	base        time.Time
}

// put returns by how much the number of lost packets changes.
func (s *sequence) put(ssrc uint32, seq uint16) int {
	if !s.known || ssrc != s.ssrc {
		s.known, s.ssrc, s.highest = true, ssrc, seq
		return 0
	}
	step := int(int16(seq - s.highest))
	if step <= 0 {
		return -1 // one that had been counted as lost
	}
	s.highest = seq
	return step - 1
}

func (s *sequence) jitter(ssrc, ts uint32, at time.Time) time.Duration {
	if !s.timed || ssrc != s.transitSSRC {
		s.base = at
	}
	transit := at.Sub(s.base) - duration(int(ts))
	if s.timed && ssrc == s.transitSSRC {
		if d := (transit - s.transit).Abs().Seconds(); d < 1 {
			s.smoothed += (d - s.smoothed) / 16
		}
	}
	s.timed, s.transitSSRC, s.transit = true, ssrc, transit
	return time.Duration(s.smoothed * float64(time.Second))
}
