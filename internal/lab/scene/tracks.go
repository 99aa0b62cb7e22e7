package scene

import (
	"bytes"

	"github.com/callward/callward/internal/g711"
)

// Tracks splits an opened recording (a WAV stream of two mu-law channels) into
// its tracks: 0 the patient, 1 what the patient heard. What is no such stream
// gives two empty tracks.
func Tracks(wav []byte) (tracks [2][]int16) {
	i := bytes.Index(wav, []byte("data"))
	if i < 0 || len(wav) < i+8 {
		return tracks
	}
	data := wav[i+8:]
	for n := 0; n+1 < len(data); n += 2 {
		tracks[0] = append(tracks[0], g711.Decode(data[n]))
		tracks[1] = append(tracks[1], g711.Decode(data[n+1]))
	}
	return tracks
}
