package softphone

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/callward/callward/internal/g711"
)

// A key is 100 ms long and followed by 60 ms without one, as eight 20 ms
// ticks: five that grow the duration (the fifth is also the first end
// packet), two more end packets, one tick of nothing (RFC 4733, 2.5.1).
const (
	keyTicks  = 5
	endTicks  = 3
	digitTick = 8

	keyVolume = 10 // -10 dBm0

	keyNames = "0123456789*#ABCD"
)

// Press is one key: pressed here, or heard from the other side.
type Press struct {
	Key        byte
	Start, End time.Time
}

var (
	// ErrKey is returned for a character that no telephone key has.
	ErrKey = errors.New("softphone: keys are 0-9, *, #, A-D")
	// ErrNoKeys is returned when the other side takes no telephone-events;
	// allow dtmf_mode=rfc4733 on the endpoint.
	ErrNoKeys = errors.New("softphone: the other side takes no telephone-events (dtmf_mode=rfc4733)")
)

// keyer turns keys into RFC 4733 packets, one tick at a time.
type keyer struct {
	codes []byte
	tick  int
	start uint32 // RTP timestamp of the key now down
}

func newKeyer(keys string) (*keyer, error) {
	k := &keyer{}
	for i := range len(keys) {
		code := strings.IndexByte(keyNames, keys[i])
		if code < 0 {
			return nil, fmt.Errorf("%w, and number %d is none of them", ErrKey, i+1)
		}
		k.codes = append(k.codes, byte(code))
	}
	return k, nil
}

// keyPacket is what one tick sends.
type keyPacket struct {
	payload [4]byte
	marker  bool
	ts      uint32
}

// next returns what the tick that begins at RTP timestamp ts sends; ok is
// false in the gap after a key. down and up tell that a key's time begins and
// has ended with this tick; done that no key is left after it.
func (k *keyer) next(ts uint32) (p keyPacket, ok, down, up, done bool) {
	if len(k.codes) == 0 {
		return p, false, false, false, true
	}
	if k.tick == 0 {
		k.start = ts
	}
	down, up = k.tick == 0, k.tick == keyTicks-1
	ok = k.tick < keyTicks+endTicks-1
	if ok {
		p = keyPacket{ts: k.start, marker: down}
		p.payload[0] = k.codes[0]
		p.payload[1] = keyVolume
		if k.tick >= keyTicks-1 {
			p.payload[1] |= 0x80
		}
		ticks := min(k.tick+1, keyTicks)
		binary.BigEndian.PutUint16(p.payload[2:], uint16(ticks*g711.FrameSamples))
	}
	if k.tick++; k.tick == digitTick {
		k.tick = 0
		k.codes = k.codes[1:]
	}
	return p, ok, down, up, len(k.codes) == 0
}

// letGo drops the keys that are not down yet.
func (k *keyer) letGo() {
	if k.tick == 0 {
		k.codes = nil
		return
	}
	k.codes = k.codes[:1]
}

// keyEar puts received telephone-event packets together into keys.
type keyEar struct {
	heard []Press
	open  bool
	ssrc  uint32
	ts    uint32
	known bool
}

// put takes one event packet. A key is told by SSRC and timestamp, so end
// packets that repeat and packets out of order add nothing.
func (e *keyEar) put(ssrc, ts uint32, payload []byte, at time.Time) {
	if len(payload) < 4 || int(payload[0]) >= len(keyNames) {
		return
	}
	length := time.Duration(binary.BigEndian.Uint16(payload[2:])) * time.Second / g711.Rate
	if e.known && ssrc == e.ssrc && int32(ts-e.ts) < 0 {
		return
	}
	if !e.known || ssrc != e.ssrc || ts != e.ts {
		e.known, e.ssrc, e.ts, e.open = true, ssrc, ts, true
		e.heard = append(e.heard, Press{Key: keyNames[payload[0]], Start: at.Add(-length)})
	}
	last := &e.heard[len(e.heard)-1]
	if e.open {
		last.End = last.Start.Add(max(length, last.End.Sub(last.Start)))
	}
	if payload[1]&0x80 != 0 {
		e.open = false
	}
}
