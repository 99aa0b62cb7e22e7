package g711_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/callward/callward/internal/g711"
)

// TestKnownValues holds rows of tables 2a and 2b of ITU-T G.711, the 14-bit
// values scaled by four.
func TestKnownValues(t *testing.T) {
	for _, row := range []struct {
		ulaw   byte
		sample int16
	}{
		{0x80, 32124}, {0x00, -32124},
		{0x8F, 16764}, {0x0F, -16764},
		{0x9F, 8316}, {0x1F, -8316},
		{0xAF, 4092}, {0xBF, 1980}, {0xCF, 924}, {0xDF, 396}, {0xEF, 132},
		{0xFE, 8}, {0x7E, -8}, {0xFF, 0}, {0x7F, 0},
	} {
		assert.Equalf(t, row.sample, g711.Decode(row.ulaw), "decode %#02x", row.ulaw)
		if row.sample != 0 {
			assert.Equalf(t, row.ulaw, g711.Encode(row.sample), "encode %d", row.sample)
		}
	}
	assert.Equal(t, g711.Silence, g711.Encode(0))
}

// TestDecisionValues checks every 16-bit sample against the recommendation's
// own construction: decision values 0, 1, 3 ... 31, then sixteen steps of 4,
// of 8, ... of 256, on the 14-bit scale; each output value lies midway between
// its two decision values.
func TestDecisionValues(t *testing.T) {
	decision := []int{0, 1}
	for segment := range 8 {
		for len(decision) < 16*(segment+1)+1 {
			decision = append(decision, decision[len(decision)-1]+2<<segment)
		}
	}
	require.Equal(t, 8159, decision[len(decision)-1])
	for s := math.MinInt16; s <= math.MaxInt16; s++ {
		level := 0
		for level < 127 && abs(s) >= 4*decision[level+1] {
			level++
		}
		want := 0
		if level > 0 {
			want = 2 * (decision[level] + decision[level+1])
		}
		require.Equalf(t, want, abs(int(g711.Decode(g711.Encode(int16(s))))), "sample %d", s)
	}
}

func TestEveryByteSurvives(t *testing.T) {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	all[0x7F] = g711.Silence // both decode to zero
	assert.Equal(t, all, g711.EncodeAll(g711.DecodeAll(all)))
}

func abs(n int) int { return max(n, -n) }

func BenchmarkEncode(b *testing.B) {
	pcm := make([]int16, g711.FrameSamples)
	dst := make([]byte, 0, len(pcm))
	b.SetBytes(int64(2 * len(pcm)))
	for b.Loop() {
		dst = g711.AppendEncode(dst[:0], pcm)
	}
}
