package bench

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callward/callward/internal/lab/scene"
	"github.com/callward/callward/internal/lab/softphone"
)

// limit bounds what a busy machine may take; a hang is a failure.
const limit = 2 * time.Minute

// cast is the phones of a scene: one outside that makes all the calls, and one
// for each agent, which answers whatever rings.
type cast struct {
	s       *scene.Scene
	patient *softphone.Phone
}

func phones(ctx context.Context, b *testing.B, s *scene.Scene) *cast {
	b.Helper()
	p, err := s.PatientPhone(ctx, number)
	require.NoError(b, err)
	b.Cleanup(func() { _ = p.Close() })
	for _, a := range s.Options.Agents {
		phone, err := s.AgentPhone(ctx, a.ID)
		require.NoError(b, err)
		b.Cleanup(func() { _ = phone.Close() })
		go func() {
			for {
				_, err := phone.Accept(ctx)
				if ctx.Err() != nil || errors.Is(err, softphone.ErrClosed) || phone.Lost() != nil {
					return
				}
				// Any other error: the caller gave up first.
			}
		}()
	}
	return &cast{s: s, patient: p}
}

// caller is one call to the clinic.
type caller struct {
	*softphone.Call
	id   string // as callward knows it
	s    *scene.Scene
	mark int
}

// dial makes one call to the clinic. Calls are made one after the other: the
// next call callward reports is then this one.
func (c *cast) dial(ctx context.Context, b *testing.B) *caller {
	b.Helper()
	mark := c.s.Events.Mark()
	call, err := c.patient.Dial(ctx, "clinic")
	require.NoError(b, err)
	ev, err := c.s.Events.Step(ctx, mark, "call.received")
	require.NoError(b, err)
	return &caller{Call: call, id: ev.Call, s: c.s, mark: mark}
}

// step waits for a step of this call after mark.
func (c *caller) step(ctx context.Context, mark int, names ...string) (scene.Event, error) {
	return c.s.Events.Wait(ctx, mark, func(e scene.Event) bool {
		if e.Msg != "call" || e.Call != c.id {
			return false
		}
		for _, n := range names {
			if e.Step == n {
				return true
			}
		}
		return false
	})
}

// goTo takes the call past language, menu, identification and the consent
// question, and waits for a step. Keys are pressed ahead, but for the answer:
// what is keyed before the question is none.
func (c *caller) goTo(ctx context.Context, consent, step string) error {
	if err := c.Press(ctx, "11"+birth+number); err != nil {
		return err
	}
	if _, err := c.step(ctx, c.mark, "call.identified"); err != nil {
		return err
	}
	for {
		if err := c.Wait(ctx, c.Samples()+4000); err != nil { // into the question
			return err
		}
		if err := c.Press(ctx, consent); err != nil {
			return err
		}
		turn, cancel := context.WithTimeout(ctx, 2*time.Second)
		_, err := c.step(turn, c.mark, "consent.yes", "consent.no", "consent.unclear")
		cancel()
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			return err
		}
	}
	_, err := c.step(ctx, c.mark, step)
	return err
}

// all makes n calls and takes each to a step.
func (c *cast) all(ctx context.Context, b *testing.B, n int, consent, step string) []*caller {
	b.Helper()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	list := make([]*caller, n)
	errs := make([]error, n)
	var group sync.WaitGroup
	for i := range list {
		list[i] = c.dial(ctx, b)
		group.Go(func() { errs[i] = list[i].goTo(ctx, consent, step) })
	}
	group.Wait()
	for _, err := range errs {
		require.NoError(b, err)
	}
	return list
}

// end hangs up and waits until callward has settled each call.
func end(ctx context.Context, b *testing.B, list []*caller) {
	b.Helper()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for _, c := range list {
		require.NoError(b, c.Hangup(ctx))
	}
	for _, c := range list {
		_, err := c.step(ctx, c.mark, "call.ended")
		require.NoError(b, err)
	}
}

// plain makes n calls to extensions of the dialplan.
func (c *cast) plain(ctx context.Context, b *testing.B, n int, extension func(i int) string) []*softphone.Call {
	b.Helper()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	list := make([]*softphone.Call, n)
	for i := range list {
		var err error
		list[i], err = c.patient.Dial(ctx, extension(i))
		require.NoError(b, err)
	}
	return list
}

func hangUp(ctx context.Context, b *testing.B, list []*softphone.Call) {
	b.Helper()
	for _, c := range list {
		require.NoError(b, c.Hangup(ctx))
	}
}
