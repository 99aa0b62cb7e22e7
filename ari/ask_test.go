package ari_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/callward/callward/ari"
)

// after waits in the bubble's time.
func after(d time.Duration) { <-time.After(d) }

func TestAsk(t *testing.T) {
	prompt := []string{"sound:prompt"} // plays for two seconds
	type press struct {
		at   time.Duration
		keys string
	}
	tests := map[string]struct {
		ask     ari.Ask
		ahead   string // pressed before the Ask
		presses []press
		keys    string
		end     ari.AskEnd
		took    time.Duration
		played  bool
		rest    int // keys left for the next Ask
	}{
		"nothing": {ask: ari.Ask{Media: prompt, MaxDigits: 1, FirstDigit: 3 * time.Second},
			end: ari.EndNothing, took: 5 * time.Second, played: true},
		"barge-in with one key": {ask: ari.Ask{Media: prompt, MaxDigits: 1},
			presses: []press{{time.Second, "1"}}, keys: "1", end: ari.EndFull, took: time.Second, played: true},
		"full after the prompt": {ask: ari.Ask{Media: prompt, MaxDigits: 2},
			presses: []press{{3 * time.Second, "1"}, {4 * time.Second, "2"}}, keys: "12", end: ari.EndFull, took: 4 * time.Second, played: true},
		"terminator": {ask: ari.Ask{Media: prompt, Terminator: "#*"},
			presses: []press{{time.Second, "12*"}}, keys: "12", end: ari.EndTerminator, took: time.Second, played: true},
		"terminator alone": {ask: ari.Ask{Media: prompt, MaxDigits: 4, Terminator: "#"},
			presses: []press{{time.Second, "#"}}, end: ari.EndTerminator, took: time.Second, played: true},
		"inter-digit timeout": {ask: ari.Ask{Media: prompt, MaxDigits: 8, InterDigit: 2 * time.Second},
			presses: []press{{time.Second, "1"}, {2500 * time.Millisecond, "2"}}, keys: "12", end: ari.EndTimeout, took: 4500 * time.Millisecond, played: true},
		"first-digit time counts from the end of the prompt": {ask: ari.Ask{Media: prompt, MaxDigits: 1, FirstDigit: time.Second},
			presses: []press{{2900 * time.Millisecond, "5"}}, keys: "5", end: ari.EndFull, took: 2900 * time.Millisecond, played: true},
		"no barge-in keeps the keys": {ask: ari.Ask{Media: prompt, MaxDigits: 2, NoBargeIn: true},
			presses: []press{{time.Second, "12"}}, keys: "12", end: ari.EndFull, took: 2 * time.Second, played: true},
		"type-ahead answers without a prompt": {ask: ari.Ask{Media: prompt, MaxDigits: 2},
			ahead: "123", keys: "12", end: ari.EndFull, rest: 1},
		"type-ahead that is not enough skips the prompt": {ask: ari.Ask{Media: prompt, MaxDigits: 3, InterDigit: 2 * time.Second},
			ahead: "1", presses: []press{{time.Second, "23"}}, keys: "123", end: ari.EndFull, took: time.Second},
		"type-ahead dropped": {ask: ari.Ask{Media: prompt, MaxDigits: 1, FirstDigit: time.Second, DropTypeAhead: true},
			ahead: "9", end: ari.EndNothing, took: 3 * time.Second, played: true},
		"no prompt": {ask: ari.Ask{MaxDigits: 1, FirstDigit: time.Second}, end: ari.EndNothing, took: time.Second},
		"default times": {ask: ari.Ask{MaxDigits: 2},
			presses: []press{{4900 * time.Millisecond, "1"}}, keys: "1", end: ari.EndTimeout, took: 4900*time.Millisecond + ari.DefaultInterDigit},
		"keys beyond the answer stay": {ask: ari.Ask{Media: prompt, MaxDigits: 1},
			presses: []press{{time.Second, "123"}}, keys: "1", end: ari.EndFull, took: time.Second, played: true, rest: 2},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var ask chan struct{}
			var got ari.Answer
			var took time.Duration
			var rest int
			var ended chan struct{}
			play(t, func(ctx context.Context, c *ari.Call) {
				defer close(ended)
				require.NoError(t, c.Answer(ctx))
				<-ask
				began := time.Now()
				var err error
				got, err = c.Ask(ctx, tt.ask)
				require.NoError(t, err)
				took = time.Since(began)
				rest = c.DropKeys()
			}, func(s *scene) {
				ask = make(chan struct{})
				ended = make(chan struct{})
				s.PlayTime(func(string) time.Duration { return 2 * time.Second })
				s.Incoming("c1")
				synctest.Wait()
				s.Press("c1", tt.ahead)
				synctest.Wait()
				close(ask)
				began := time.Now()
				for _, p := range tt.presses {
					s.after(p.at - time.Since(began))
					s.Press("c1", p.keys)
				}
				<-ended
				assert.Equal(t, tt.keys, got.Digits.Reveal())
				assert.Equal(t, tt.end, got.End, "end is %s", got.End)
				assert.Equal(t, tt.took, took)
				assert.Equal(t, tt.played, len(s.Played("c1")) > 0, "played")
				assert.Equal(t, tt.rest, rest, "keys left")
				assert.False(t, got.Gap)
			})
		})
	}
}

func TestKeyBeforeHangUpCounts(t *testing.T) {
	var got ari.Answer
	var err, partialErr error
	var partial ari.Answer
	var key ari.Key
	play(t, func(ctx context.Context, c *ari.Call) {
		got, err = c.Ask(ctx, ari.Ask{Media: []string{"sound:consent"}, MaxDigits: 1})
		key, _ = c.SayUntilKey(ctx, "sound:more")
		partial, partialErr = c.Ask(ctx, ari.Ask{Media: []string{"sound:more"}, MaxDigits: 8})
	}, func(s *scene) {
		s.OnPlay(func(ch, _ string) {
			s.Press(ch, "1234")
			s.HangUp(ch, ari.CauseNormal)
		})
		s.Incoming("c1")
		synctest.Wait()
		require.NoError(t, err)
		assert.Equal(t, "1", got.Digits.Reveal())
		assert.Equal(t, ari.Key('2'), key)
		var hung *ari.HungUp
		require.ErrorAs(t, partialErr, &hung)
		assert.Equal(t, "34", partial.Digits.Reveal(), "what was keyed is not lost")
	})
}

func TestSayKeepsKeysForTheNextAsk(t *testing.T) {
	var got ari.Answer
	var said time.Duration
	play(t, func(ctx context.Context, c *ari.Call) {
		began := time.Now()
		require.NoError(t, c.Say(ctx, "sound:greeting"))
		said = time.Since(began)
		var err error
		got, err = c.Ask(ctx, ari.Ask{Media: []string{"sound:menu"}, MaxDigits: 1})
		require.NoError(t, err)
	}, func(s *scene) {
		s.OnPlay(func(ch, _ string) { s.Press(ch, "3") })
		s.Incoming("c1")
		s.after(5 * time.Second)
		assert.Equal(t, time.Second, said, "a key does not stop Say")
		assert.Equal(t, "3", got.Digits.Reveal())
		assert.Equal(t, []string{"sound:greeting"}, s.Played("c1"))
	})
}

func TestSayUntilKeyStopsThePrompt(t *testing.T) {
	var key, none ari.Key
	var took time.Duration
	play(t, func(ctx context.Context, c *ari.Call) {
		began := time.Now()
		key, _ = c.SayUntilKey(ctx, "sound:long")
		took = time.Since(began)
		none, _ = c.SayUntilKey(ctx, "sound:short")
	}, func(s *scene) {
		s.PlayTime(func(m string) time.Duration {
			if m == "sound:long" {
				return time.Hour
			}
			return time.Second
		})
		s.Incoming("c1")
		s.after(3 * time.Second)
		s.Press("c1", "5")
		s.after(5 * time.Second)
		assert.Equal(t, ari.Key('5'), key)
		assert.Equal(t, 3*time.Second, took)
		assert.Zero(t, none)
	})
}

func TestWatchKeys(t *testing.T) {
	var seen []byte
	var late ari.Answer
	play(t, func(ctx context.Context, c *ari.Call) {
		stop := c.WatchKeys(func(key byte, _ time.Time) { seen = append(seen, key) })
		after(time.Second)
		stop()
		after(time.Second)
		late, _ = c.Ask(ctx, ari.Ask{MaxDigits: 1})
	}, func(s *scene) {
		s.Incoming("c1")
		synctest.Wait()
		s.Press("c1", "12")
		s.after(1500 * time.Millisecond)
		s.Press("c1", "3")
		s.after(5 * time.Second)
		assert.Equal(t, "12", string(seen))
		assert.Equal(t, "3", late.Digits.Reveal(), "watched keys are not type-ahead")
	})
}

func TestTypeAheadIsBounded(t *testing.T) {
	var kept int
	play(t, func(ctx context.Context, c *ari.Call) {
		after(time.Second)
		kept = c.DropKeys()
	}, func(s *scene) {
		s.Incoming("c1")
		synctest.Wait()
		for range 30 {
			s.Press("c1", "12345")
		}
		s.after(2 * time.Second)
		assert.Equal(t, 64, kept)
	})
}
