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

// Something that resembles a short prompt to its end, but not enough to be it,
// must not stand in the way of what is heard after it.
func TestResemblanceDoesNotBlockWhatFollows(t *testing.T) {
	short, long := softphone.Speech(800, 800*time.Millisecond), softphone.Speech(801, 2*time.Second)
	other := softphone.Speech(802, 800*time.Millisecond)
	c, err := NewCatalogue([]Prompt{{ID: "short", PCM: short}, {ID: "long", PCM: long}})
	require.NoError(t, err)
	for share := 30; share <= 70; share += 2 {
		heard := make([]int16, rate/2)
		for i := range short {
			heard = append(heard, int16((int(short[i])*share+int(other[i])*(100-share))/100))
		}
		heard = append(append(append(heard, make([]int16, rate/4)...), long...), make([]int16, rate)...)
		s := c.scanner()
		for i := 0; i < len(heard); i += rate / 10 {
			s.push(heard[i:min(i+rate/10, len(heard))], false)
		}
		s.push(nil, true)
		require.NotEmpty(t, s.matches, "short heard with a share of %d %%", share)
		require.Equal(t, "long", s.matches[len(s.matches)-1].ID, "short heard with a share of %d %%", share)
	}
}
