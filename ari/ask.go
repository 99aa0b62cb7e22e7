package ari

import (
	"context"
	"errors"
	"time"
)

// Default times of an Ask.
const (
	DefaultFirstDigit = 5 * time.Second
	DefaultInterDigit = 3 * time.Second
)

// Ask is a prompt that gathers keys.
//
//	stateDiagram-v2
//	    [*] --> Full: type-ahead is enough
//	    [*] --> Prompting: no key typed ahead
//	    [*] --> Gathering: some keys typed ahead (no prompt is played)
//	    Prompting --> Gathering: first key (stops the prompt, unless NoBargeIn)
//	    Prompting --> Waiting: prompt ended, no key
//	    Prompting --> Gathering: prompt ended, keys came (NoBargeIn)
//	    Waiting --> Gathering: first key
//	    Waiting --> Nothing: FirstDigit ran out
//	    Gathering --> Gathering: key (InterDigit starts again)
//	    Gathering --> Full: MaxDigits keys
//	    Gathering --> Terminator: a terminator
//	    Gathering --> Timeout: InterDigit ran out
//	    Prompting --> Error: leg or context ended
//	    Waiting --> Error: leg or context ended
//	    Gathering --> Error: leg or context ended
//
// Keys beyond the answer stay typed ahead for the next Ask.
type Ask struct {
	Media         []string
	MaxDigits     int           // 0: until a terminator or a timeout
	Terminator    string        // any of these keys ends the input and is not part of it
	FirstDigit    time.Duration // from the end of the prompt to the first key; 0 is DefaultFirstDigit
	InterDigit    time.Duration // from key to key; 0 is DefaultInterDigit
	NoBargeIn     bool          // play the prompt to its end whatever is keyed
	DropTypeAhead bool          // forget keys pressed before
}

// AskEnd is why an Ask ended.
type AskEnd uint8

// Ends of an Ask.
const (
	EndNothing    AskEnd = iota // no key at all
	EndFull                     // MaxDigits keys
	EndTerminator               // a terminator was pressed; there may be no keys before it
	EndTimeout                  // some keys, then none for InterDigit
)

// String names the end.
func (e AskEnd) String() string {
	switch e {
	case EndFull:
		return "full"
	case EndTerminator:
		return "terminator"
	case EndTimeout:
		return "timeout"
	}
	return "nothing"
}

// Answer is what was keyed.
type Answer struct {
	Digits Digits
	End    AskEnd
	Gap    bool // events were missed meanwhile: keys may be missing
}

// Ask plays a prompt and gathers keys. With an error the answer holds the keys
// that came before it; an answer that was complete by then is returned without
// the error, so that a key pressed just before the hang-up counts.
func (l *Leg) Ask(ctx context.Context, a Ask) (Answer, error) {
	g := gather{leg: l, ask: a}
	if g.ask.FirstDigit <= 0 {
		g.ask.FirstDigit = DefaultFirstDigit
	}
	if g.ask.InterDigit <= 0 {
		g.ask.InterDigit = DefaultInterDigit
	}
	if a.DropTypeAhead {
		l.DropKeys()
	}
	l.call.mu.Lock()
	gaps := l.call.gapN
	l.call.mu.Unlock()
	err := g.run(ctx)
	l.call.mu.Lock()
	gap := l.call.gapN != gaps
	l.call.mu.Unlock()
	return Answer{Digits: NewDigits(string(g.got)), End: g.end, Gap: gap}, err
}

type gather struct {
	leg *Leg
	ask Ask
	got []byte
	end AskEnd
}

func (g *gather) run(ctx context.Context) error {
	if g.take() {
		return nil
	}
	if len(g.got) == 0 || g.ask.NoBargeIn {
		var stop func() bool
		if !g.ask.NoBargeIn {
			stop = func() bool { return len(g.leg.keys) > 0 }
		}
		err := g.leg.say(ctx, g.ask.Media, stop)
		if g.take() {
			return nil
		}
		if err != nil {
			return err
		}
	}
	for {
		limit := g.ask.InterDigit
		if len(g.got) == 0 {
			limit = g.ask.FirstDigit
		}
		var ended error
		err := g.leg.call.wait(ctx, limit, func() bool {
			ended = g.leg.err
			return len(g.leg.keys) > 0 || ended != nil
		})
		before := len(g.got)
		switch done := g.take(); {
		case done:
			return nil
		case len(g.got) > before:
			continue
		case errors.Is(err, errLate):
			return nil
		case err != nil:
			return err
		case ended != nil:
			return ended
		}
	}
}

// take moves keys from the type-ahead to the answer and reports whether it is
// complete.
func (g *gather) take() bool {
	g.leg.call.mu.Lock()
	defer g.leg.call.mu.Unlock()
	for len(g.leg.keys) > 0 {
		key := g.leg.keys[0]
		g.leg.keys = g.leg.keys[1:]
		for i := range len(g.ask.Terminator) {
			if g.ask.Terminator[i] == key {
				g.end = EndTerminator
				return true
			}
		}
		g.got, g.end = append(g.got, key), EndTimeout
		if g.ask.MaxDigits > 0 && len(g.got) >= g.ask.MaxDigits {
			g.end = EndFull
			return true
		}
	}
	return false
}
