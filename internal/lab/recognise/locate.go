package recognise

import (
	"math"
	"math/bits"
)

const (
	piece      = rate / 4
	pieceFound = 0.7
)

// Share returns how much of a known signal is in a track, 0 to 1, as the share
// of its pieces of 0.25 s that are found there, in whatever order. Unlike
// Locate it does not mind sound torn apart by a busy machine: above 0.5 the
// signal is there, and below 0.1 it is not.
func Share(track, pattern []int16) float64 {
	pieces, found := 0, 0
	for ; len(pattern) >= piece; pattern = pattern[piece:] {
		pieces++
		if _, score := Locate(track, pattern[:piece]); score >= pieceFound {
			found++
		}
	}
	if pieces == 0 {
		return 0
	}
	return float64(found) / float64(pieces)
}

// Locate returns where a known signal lies best in a track, and the normalised
// correlation there, 0 to 1. It is for tracks of a recording: above 0.5 the
// signal is there, below 0.2 it is not. A pattern longer than the track is not
// found.
func Locate(track, pattern []int16) (offset int, score float64) {
	if len(pattern) == 0 || len(pattern) > len(track) {
		return 0, 0
	}
	n := max(1<<bits.Len(uint(2*len(pattern)-1)), 8192)
	fft, valid := newTransform(n), n-len(pattern)+1
	want := make([]complex128, n)
	energy := 0.0
	for i, v := range pattern {
		want[i] = complex(float64(v), 0)
		energy += float64(v) * float64(v)
	}
	fft.forward(want)
	squares := make([]float64, len(track)+1)
	for i, v := range track {
		squares[i+1] = squares[i] + float64(v)*float64(v)
	}
	x := make([]complex128, n)
	for from := 0; from+len(pattern) <= len(track); from += valid {
		clear(x)
		for i, v := range track[from:min(from+n, len(track))] {
			x[i] = complex(float64(v), 0)
		}
		fft.forward(x)
		for i, v := range want {
			x[i] *= complex(real(v), -imag(v))
		}
		fft.inverse(x)
		for i := 0; i < valid && from+i+len(pattern) <= len(track); i++ {
			at := from + i
			local := squares[at+len(pattern)] - squares[at]
			if local*energy == 0 || local < energy*1e-6 {
				continue
			}
			if s := real(x[i]) / math.Sqrt(local*energy); s > score {
				offset, score = at, s
			}
		}
	}
	return offset, score
}
