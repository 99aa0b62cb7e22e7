package recognise

import (
	"math"
	"math/bits"
)

// transform is a radix-2 FFT of one size, a power of two.
type transform struct {
	n       int
	twiddle []complex128 // e^(-2 pi i k/n), k < n/2
	reverse []int
}

func newTransform(n int) *transform {
	t := &transform{n: n, twiddle: make([]complex128, n/2), reverse: make([]int, n)}
	for k := range t.twiddle {
		sin, cos := math.Sincos(-2 * math.Pi * float64(k) / float64(n))
		t.twiddle[k] = complex(cos, sin)
	}
	shift := 64 - bits.Len(uint(n-1))
	for i := range t.reverse {
		t.reverse[i] = int(bits.Reverse64(uint64(i)) >> shift)
	}
	return t
}

// forward transforms x in place.
func (t *transform) forward(x []complex128) {
	for i, j := range t.reverse {
		if i < j {
			x[i], x[j] = x[j], x[i]
		}
	}
	for half, step := 1, t.n/2; half < t.n; half, step = half*2, step/2 {
		for start := 0; start < t.n; start += 2 * half {
			low, high := x[start:start+half], x[start+half:start+2*half]
			for k := range low {
				v := high[k] * t.twiddle[k*step]
				low[k], high[k] = low[k]+v, low[k]-v
			}
		}
	}
}

// inverse transforms x back in place.
func (t *transform) inverse(x []complex128) {
	t.forward(x)
	scale := complex(1/float64(t.n), 0)
	x[0] *= scale
	if t.n > 1 {
		x[t.n/2] *= scale
	}
	for i, j := 1, t.n-1; i < j; i, j = i+1, j-1 {
		x[i], x[j] = x[j]*scale, x[i]*scale
	}
}
