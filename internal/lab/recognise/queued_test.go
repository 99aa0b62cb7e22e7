package recognise

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callward/callward/internal/lab/softphone"
)

// A busy machine hands over seconds of sound at once: prompts that were cut
// and followed by others in them must all be found, in order.
func TestPromptsInARowFoundInOnePiece(t *testing.T) {
	ids := []string{"a", "b", "c", "d", "e"}
	var list []Prompt
	for i, id := range ids {
		list = append(list, Prompt{ID: id, PCM: softphone.Speech(700+i, 2*time.Second)})
	}
	c, err := NewCatalogue(list)
	require.NoError(t, err)
	for _, cut := range []int{rate * 7 / 10, rate * 9 / 10, rate * 13 / 10, 2 * rate} {
		heard := make([]int16, rate/2)
		for _, p := range list {
			heard = append(heard, p.PCM[:min(cut, len(p.PCM))]...)
		}
		for _, piece := range []int{rate / 50, rate / 10, rate, len(heard)} {
			s := c.scanner()
			for i := 0; i < len(heard); i += piece {
				s.push(heard[i:min(i+piece, len(heard))], false)
			}
			s.push(nil, true)
			var got []string
			for _, m := range s.matches {
				got = append(got, m.ID)
			}
			require.Equal(t, ids, got, "cut after %d samples, in pieces of %d", cut, piece)
		}
	}
}
