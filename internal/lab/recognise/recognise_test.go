package recognise_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/callward/callward/internal/lab/recognise"
	"github.com/callward/callward/internal/lab/softphone"
)

// word is one word of a synthetic voice: harmonics of a pitch that glides from
// 105 to 120 Hz or back, weighed by two formants that only the word decides.
// All words of a voice so narrow are hard to tell apart.
func word(seed int) []int16 {
	rng := rand.New(rand.NewPCG(uint64(seed), 7))
	low, high := 350+500*rng.Float64(), 1000+1600*rng.Float64()
	pcm := make([]int16, 1600+rng.IntN(1600))
	from, glide := 105.0, 15.0
	if rng.IntN(2) == 0 {
		from, glide = 120, -15
	}
	for k := 3.0; k*110 < 3400; k++ {
		f := k * 110
		weight := math.Exp(-math.Pow((f-low)/150, 2)) + 0.4*math.Exp(-math.Pow((f-high)/200, 2))
		phase := 2 * math.Pi * rng.Float64()
		for i := range pcm {
			envelope := math.Sin(math.Pi * float64(i) / float64(len(pcm)))
			pcm[i] += int16(5000 * weight * envelope * math.Sin(phase))
			phase += 2 * math.Pi * k * (from + glide*float64(i)/float64(len(pcm))) / 8000
		}
	}
	return append(pcm, make([]int16, 160)...)
}

func sentence(words ...int) (pcm []int16) {
	for _, w := range words {
		pcm = append(pcm, word(w)...)
	}
	return pcm
}

// book is a catalogue whose prompts share beginnings, endings and words.
func book(t *testing.T) (*recognise.Catalogue, map[string][]int16) {
	t.Helper()
	prompts := map[string][]int16{
		"enter date":   sentence(1, 2, 3, 4, 5, 6, 7),
		"enter phone":  sentence(1, 2, 3, 8, 9, 10),
		"enter record": sentence(1, 2, 3, 4, 5, 11, 12),
		"short":        sentence(1, 2, 3),
		"other order":  sentence(5, 4, 3, 2, 1, 6),
		"end alike":    sentence(20, 21, 6, 7),
		"beep":         sentence(30),
		"own":          sentence(40, 41, 42, 43, 44, 45, 46, 47),
	}
	var list []recognise.Prompt
	for id, pcm := range prompts {
		list = append(list, recognise.Prompt{ID: id, PCM: pcm})
	}
	c, err := recognise.NewCatalogue(list)
	require.NoError(t, err)
	return c, prompts
}

func ids(matches []recognise.Match) (out []string) {
	for _, m := range matches {
		out = append(out, m.ID)
	}
	return out
}

func TestFindTellsApart(t *testing.T) {
	c, prompts := book(t)
	for id, pcm := range prompts {
		got := c.Find(join(silence(4321), line(pcm, 0.5), silence(4000)))
		if !assert.Lenf(t, got, 1, "%s became %v", id, ids(got)) {
			continue
		}
		assert.Equal(t, id, got[0].ID)
		assert.Truef(t, got[0].Whole(), "%s whole", id)
		assert.InDeltaf(t, 4321, got[0].Start, 1, "%s start", id)
		assert.Greaterf(t, got[0].Score, 0.99, "%s score", id)
	}
}

func TestFindInSequence(t *testing.T) {
	c, prompts := book(t)
	order := []string{"short", "enter date", "beep", "enter phone", "enter phone", "own", "other order", "end alike", "short", "enter record"}
	var heard []int16
	for _, id := range order {
		heard = join(heard, line(prompts[id], 0.3))
	}
	assert.Equal(t, order, ids(c.Find(heard)), "prompts played one right after the other")
}

func TestFindWhatWasCut(t *testing.T) {
	c, prompts := book(t)
	own := line(prompts["own"], 0.5)
	for _, cut := range []int{8000, 9000, 11111, 13000} {
		// Barge-in: the next prompt begins at once.
		got := c.Find(join(own[:cut], line(prompts["enter phone"], 0.5), silence(3000)))
		require.Equalf(t, []string{"own", "enter phone"}, ids(got), "cut at %d", cut)
		assert.InDelta(t, cut, got[0].End, 900)
		assert.InDelta(t, float64(cut)/float64(len(own)), got[0].Fraction, 0.08)
		assert.False(t, got[0].Whole())
		assert.True(t, got[1].Whole())
	}
}

func TestFindSaysWhenItCannotTell(t *testing.T) {
	c, prompts := book(t)
	shared := line(sentence(1, 2, 3), 0.5)
	got := c.Find(join(shared[:len(shared)-1600], silence(8000)))
	require.Len(t, got, 1)
	for _, id := range []string{"short", "enter date", "enter phone", "enter record"} {
		assert.Truef(t, got[0].Is(id), "%s fits as well", id)
	}
	assert.False(t, got[0].Is("own", "beep"))
	_ = prompts
}

func TestFindAmongSpeech(t *testing.T) {
	c, prompts := book(t)
	pcm := prompts["own"]
	heard := softphone.Speech(9, 6*time.Second)
	for i := range heard {
		heard[i] /= 8
	}
	for i, s := range pcm {
		heard[8000+i] = int16(max(min(int(heard[8000+i])+int(s), math.MaxInt16), math.MinInt16))
	}
	got := c.Find(heard)
	require.Equal(t, []string{"own"}, ids(got))
	assert.InDelta(t, 8000, got[0].Start, 1)
	assert.Greater(t, got[0].Fraction, 0.9)
}

func TestFindNothing(t *testing.T) {
	c, _ := book(t)
	assert.Empty(t, c.Find(nil))
	assert.Empty(t, c.Find(silence(80000)))
	assert.Empty(t, c.Find(softphone.Speech(3, 20*time.Second)))
}

func TestMissedBeginning(t *testing.T) {
	c, prompts := book(t)
	got := c.Find(join(line(prompts["own"][800:], 0.5), silence(3000)))
	require.Equal(t, []string{"own"}, ids(got))
	assert.InDelta(t, -800, got[0].Start, 1)
}

// tape is a Source that is fed by the test.
type tape struct {
	pcm  []int16
	more chan []int16
}

var errTapeOver = errors.New("tape is over")

func (s *tape) Samples() int { return len(s.pcm) }
func (s *tape) HeardSince(n int) []int16 {
	return append([]int16(nil), s.pcm[min(n, len(s.pcm)):]...)
}

func (s *tape) Wait(ctx context.Context, n int) error {
	for len(s.pcm) < n {
		select {
		case pcm, ok := <-s.more:
			if !ok {
				return errTapeOver
			}
			s.pcm = append(s.pcm, pcm...)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// play feeds a tape in frames of 20 ms.
func play(pcm []int16) *tape {
	s := &tape{more: make(chan []int16)}
	go func() {
		defer close(s.more)
		for len(pcm) > 0 {
			n := min(160, len(pcm))
			s.more <- pcm[:n]
			pcm = pcm[n:]
		}
	}()
	return s
}

func TestListener(t *testing.T) {
	c, prompts := book(t)
	tape := play(join(silence(2000), line(prompts["own"], 0.5), silence(3000), line(prompts["enter date"], 0.5), silence(1000),
		line(prompts["own"], 0.5)[:9000], silence(6000)))
	l := c.Listen(tape)
	m, err := l.WaitFor(t.Context(), "own", "beep")
	require.NoError(t, err)
	assert.Equal(t, "own", m.ID)
	assert.False(t, m.Ended)
	assert.LessOrEqual(t, tape.Samples(), 2000+5600+1200, "known 0.7 s after its beginning, and a little")

	ended, err := l.WaitEnd(t.Context(), "own")
	require.NoError(t, err)
	assert.Equal(t, m.Start, ended.Start, "the same one")
	assert.True(t, ended.Whole())

	again, err := l.WaitEnd(t.Context(), "own")
	require.NoError(t, err, "passes over another prompt")
	assert.Greater(t, again.Start, ended.End)
	assert.False(t, again.Whole(), "cut")
	assert.Equal(t, []string{"own", "enter date", "own"}, ids(l.Matches()))

	_, err = l.WaitFor(t.Context(), "enter date")
	var missing *recognise.NotHeardError
	require.ErrorAs(t, err, &missing, "it came before the last one returned")
	require.ErrorIs(t, err, errTapeOver)
	assert.Equal(t, []string{"enter date"}, missing.Wanted)
	assert.ErrorContains(t, err, "own at")
}

func TestListenerStopsWithContext(t *testing.T) {
	c, _ := book(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("enough")
	cancel(why)
	_, err := c.Listen(&tape{more: make(chan []int16)}).WaitFor(ctx)
	require.ErrorIs(t, err, why)
}

func TestCatalogueRefuses(t *testing.T) {
	good := sentence(1, 2)
	for name, list := range map[string][]recognise.Prompt{
		"no id":     {{ID: "", PCM: good}},
		"twice":     {{ID: "a", PCM: good}, {ID: "a", PCM: good}},
		"silent":    {{ID: "a", PCM: silence(8000)}},
		"too short": {{ID: "a", PCM: good[:800]}},
	} {
		_, err := recognise.NewCatalogue(list)
		assert.ErrorIsf(t, err, recognise.ErrPrompt, "%s", name)
	}
}

func TestLocate(t *testing.T) {
	patient, agent := softphone.Speech(1, 3*time.Second), softphone.Speech(2, 3*time.Second)
	track := join(silence(12345), line(patient, 0.2), silence(5000), line(agent, 0.6), silence(70000))
	offset, score := recognise.Locate(track, patient)
	assert.Equal(t, 12345, offset)
	assert.Greater(t, score, 0.99)
	offset, score = recognise.Locate(track, agent)
	assert.Equal(t, 12345+24000+5000, offset)
	assert.Greater(t, score, 0.99)
	_, score = recognise.Locate(track, softphone.Speech(3, 3*time.Second))
	assert.Less(t, score, 0.2)
	_, score = recognise.Locate(patient, track)
	assert.Zero(t, score)
}

func TestShare(t *testing.T) {
	one, two := softphone.Speech(1, 3*time.Second), softphone.Speech(2, 3*time.Second)
	torn := silence(3000)
	for at := 0; at < len(one); at += 5000 {
		torn = join(torn, line(one[at:min(at+5000, len(one))], 0.3), silence(777))
	}
	assert.GreaterOrEqual(t, recognise.Share(torn, one), 0.5)
	assert.Less(t, recognise.Share(torn, two), 0.1)
	assert.InDelta(t, 1, recognise.Share(join(silence(999), line(one, 0.1)), one), 0.001)
	assert.Zero(t, recognise.Share(one, silence(10)))
}

func BenchmarkFindMinute(b *testing.B) {
	var list []recognise.Prompt
	for i := range 120 {
		list = append(list, recognise.Prompt{ID: string(rune('A' + i)), PCM: sentence(i, i+1, i+2, i+3, i+4, i+5, i+6)})
	}
	c, err := recognise.NewCatalogue(list)
	require.NoError(b, err)
	heard := softphone.Speech(5, time.Minute)
	b.ResetTimer()
	for b.Loop() {
		c.Find(heard)
	}
}
