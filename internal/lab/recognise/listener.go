package recognise

import (
	"context"
	"fmt"
	"strings"
	"sync"
)

// Source is what is listened to; *softphone.Call is one.
type Source interface {
	// HeardSince returns the samples from number n on.
	HeardSince(n int) []int16
	// Samples returns how many there are.
	Samples() int
	// Wait returns when there are n samples, or with an error when the
	// context ended or there will never be that many.
	Wait(ctx context.Context, n int) error
}

// Listener follows one source. Its methods may be called from several
// goroutines; one listens at a time.
type Listener struct {
	turn chan struct{} // held by who listens
	src  Source

	mu      sync.Mutex
	s       *scanner
	over    error // why the source gives no more
	begun   int   // matches before this one were returned as begun ...
	settled int   // ... and as ended
}

// Listen begins to follow a source from its first sample.
func (c *Catalogue) Listen(src Source) *Listener {
	return &Listener{turn: make(chan struct{}, 1), src: src, s: c.scanner()}
}

// NotHeardError is returned when the source or the context ended before a
// prompt was heard.
type NotHeardError struct {
	Wanted []string
	Heard  []Match // all matches so far
	Cause  error
}

// Error names what was wanted and what was heard instead.
func (e *NotHeardError) Error() string {
	var heard []string
	for _, m := range e.Heard {
		heard = append(heard, fmt.Sprintf("%s at %.2f s (%.0f%%)", m.ID, float64(m.Start)/rate, 100*m.Fraction))
	}
	if len(heard) == 0 {
		heard = []string{"no prompt"}
	}
	return fmt.Sprintf("recognise: %s not heard, but %s: %v",
		strings.Join(e.Wanted, " or "), strings.Join(heard, ", "), e.Cause)
}

// Unwrap returns why the listening ended.
func (e *NotHeardError) Unwrap() error { return e.Cause }

// WaitFor returns the next match of one of the ids (of any prompt when there
// are none) as soon as it is known, about 0.7 s after its beginning. Next is
// after the last match that WaitFor or WaitEnd returned; others in between are
// passed over. The error is *NotHeardError.
func (l *Listener) WaitFor(ctx context.Context, ids ...string) (Match, error) {
	return l.wait(ctx, ids, false)
}

// WaitEnd is like WaitFor, but returns the match when it has ended, wholly
// heard or cut. After a WaitFor it may return the same match.
func (l *Listener) WaitEnd(ctx context.Context, ids ...string) (Match, error) {
	return l.wait(ctx, ids, true)
}

func (l *Listener) wait(ctx context.Context, ids []string, ended bool) (Match, error) {
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
	case <-ctx.Done():
		return Match{}, l.notHeard(ids, context.Cause(ctx))
	}
	for {
		if m, ok := l.take(ids, ended); ok {
			return m, nil
		}
		if err := l.listen(ctx); err != nil {
			if m, ok := l.take(ids, ended); ok {
				return m, nil
			}
			return Match{}, l.notHeard(ids, err)
		}
	}
}

// take returns the next fitting match, if it is there.
func (l *Listener) take(ids []string, ended bool) (Match, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	from := l.begun
	if ended {
		from = max(l.settled, l.begun-1)
	}
	for i := from; i < len(l.s.matches); i++ {
		m := l.s.matches[i]
		if len(ids) > 0 && !m.Is(ids...) {
			continue
		}
		if ended && !m.Ended {
			return Match{}, false
		}
		l.begun = i + 1
		if ended {
			l.settled = i + 1
		}
		return m, true
	}
	return Match{}, false
}

// listen waits for more sound and scans it. The error tells that there will
// be none.
func (l *Listener) listen(ctx context.Context) error {
	l.mu.Lock()
	have, over := l.s.samples(), l.over
	l.mu.Unlock()
	if over != nil {
		return over
	}
	err := l.src.Wait(ctx, have+quantum)
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	pcm := l.src.HeardSince(have)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = err
	l.s.push(pcm, err != nil)
	return err
}

func (l *Listener) notHeard(ids []string, cause error) error {
	if len(ids) == 0 {
		ids = []string{"any prompt"}
	}
	return &NotHeardError{Wanted: ids, Heard: l.Matches(), Cause: cause}
}

// Matches returns all matches so far, in order.
func (l *Listener) Matches() []Match {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]Match(nil), l.s.matches...)
}
