// Package g711 converts between linear PCM and G.711 mu-law (PCMU), the
// sound format of every leg Callward handles: 8 kHz, one byte a sample.
//
// Only the codec lives here. Resampling, A-law, RTP and files never do.
//
// Source: ITU-T Recommendation G.711, tables 2a and 2b (mu-law).
package g711

const (
	// Rate is the number of samples in a second.
	Rate = 8000
	// FrameSamples is the number of samples, and bytes, in a 20 ms frame.
	FrameSamples = 160
	// Silence is the mu-law byte of a zero sample.
	Silence byte = 0xFF
)

const (
	bias = 33 << 2 // G.711's offset of 33 on the 14-bit scale, at 16 bits
	clip = 8158 << 2
)

var (
	decoded = decodeTable()
	encoded = encodeTable()
)

// Decode returns the sample of one mu-law byte. The 14-bit value of G.711 is
// scaled to 16 bits, so the loudest sample is 32124.
func Decode(b byte) int16 { return decoded[b] }

// Encode returns the mu-law byte nearest to a sample. Both bytes for zero
// decode to 0; Encode gives [Silence].
func Encode(s int16) byte { return encoded[uint16(s)] }

// AppendDecode decodes ulaw onto dst and returns it.
func AppendDecode(dst []int16, ulaw []byte) []int16 {
	for _, b := range ulaw {
		dst = append(dst, decoded[b])
	}
	return dst
}

// AppendEncode encodes pcm onto dst and returns it.
func AppendEncode(dst []byte, pcm []int16) []byte {
	for _, s := range pcm {
		dst = append(dst, encoded[uint16(s)])
	}
	return dst
}

// DecodeAll returns the samples of ulaw.
func DecodeAll(ulaw []byte) []int16 { return AppendDecode(make([]int16, 0, len(ulaw)), ulaw) }

// EncodeAll returns the mu-law bytes of pcm.
func EncodeAll(pcm []int16) []byte { return AppendEncode(make([]byte, 0, len(pcm)), pcm) }

func decodeTable() (t [256]int16) {
	for i := range t {
		b := ^byte(i)
		segment, step := int(b>>4&7), int(b&15)
		magnitude := ((2*step+33)<<segment - 33) << 2
		if b&0x80 != 0 {
			magnitude = -magnitude
		}
		t[i] = int16(magnitude)
	}
	return t
}

func encodeTable() (t [1 << 16]byte) {
	for i := range t {
		magnitude, sign := int(int16(i)), byte(0)
		if magnitude < 0 {
			magnitude, sign = -magnitude, 0x80
		}
		magnitude = min(magnitude, clip) + bias
		segment := 0
		for magnitude>>(segment+8) != 0 {
			segment++
		}
		t[i] = ^(sign | byte(segment)<<4 | byte(magnitude>>(segment+3))&15)
	}
	return t
}
