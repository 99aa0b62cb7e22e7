package softphone

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestKeyPackets writes down what RFC 4733 asks of two keys: constant
// timestamp, growing duration, marker on the first, three end packets, a gap.
func TestKeyPackets(t *testing.T) {
	k, err := newKeyer("9#")
	require.NoError(t, err)
	type sent struct {
		code, flags byte
		duration    uint16
		marker      bool
		ts          uint32
	}
	var got []sent
	gaps := 0
	ts := uint32(5000)
	for done := false; !done; ts += 160 {
		var p keyPacket
		var ok bool
		p, ok, _, _, done = k.next(ts)
		if !ok {
			gaps++
			continue
		}
		got = append(got, sent{p.payload[0], p.payload[1], binary.BigEndian.Uint16(p.payload[2:]), p.marker, p.ts})
	}
	var want []sent
	for i, code := range []byte{9, 11} {
		start := uint32(5000 + i*8*160)
		for tick := range 7 {
			flags := byte(10)
			if tick >= 4 {
				flags |= 0x80
			}
			want = append(want, sent{code, flags, uint16(min(tick+1, 5) * 160), tick == 0, start})
		}
	}
	assert.Equal(t, want, got)
	assert.Equal(t, 2, gaps)
	_, ok, _, _, done := k.next(ts)
	assert.False(t, ok)
	assert.True(t, done)
}

func TestKeyerRefuses(t *testing.T) {
	for _, keys := range []string{"12a", "1 2", "+1", "é"} {
		_, err := newKeyer(keys)
		require.ErrorIs(t, err, ErrKey)
		assert.NotContains(t, err.Error(), keys, "a key in an error")
	}
}

func TestLetGo(t *testing.T) {
	k, err := newKeyer("123")
	require.NoError(t, err)
	k.next(0)
	k.letGo()
	n := 1
	for done := false; !done; n++ {
		_, _, _, _, done = k.next(0)
	}
	assert.Equal(t, digitTick, n, "the key that is down is finished, no other begins")
}

func TestKeyEar(t *testing.T) {
	var ear keyEar
	at := time.Unix(100, 0)
	k, err := newKeyer("44*")
	require.NoError(t, err)
	var late keyPacket
	for tick := uint32(0); ; tick++ {
		p, ok, _, _, done := k.next(1000 + tick*160)
		if ok {
			ear.put(1, p.ts, p.payload[:], at.Add(time.Duration(tick+1)*frame))
		}
		if tick == 2 {
			late = p
		}
		if done {
			break
		}
	}
	ear.put(1, late.ts, late.payload[:], at.Add(time.Second)) // out of order
	ear.put(1, 9000, []byte{1, 2}, at)                        // too short
	ear.put(1, 9000, []byte{16, 10, 0, 160}, at)              // no key: flash
	var keys string
	for _, p := range ear.heard {
		keys += string(p.Key)
		assert.Equal(t, 100*time.Millisecond, p.End.Sub(p.Start))
	}
	assert.Equal(t, "44*", keys, "the same key twice is two keys")
	assert.Equal(t, at, ear.heard[0].Start)
	assert.Equal(t, at.Add(160*time.Millisecond), ear.heard[1].Start)
}
