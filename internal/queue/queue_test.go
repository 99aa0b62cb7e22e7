package queue

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func agents(t0 time.Time, ids ...string) []Agent {
	var out []Agent
	for i, id := range ids {
		out = append(out, Agent{ID: id, IdleSince: t0.Add(time.Duration(i) * time.Minute)})
	}
	return out
}

func TestLongestIdleFirstAndNextOnNoAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New(Options{})
		q.Sync(agents(time.Now().Add(-time.Hour), "ann", "bob", "cid"))
		c := q.Join("c1")
		o, err := c.Next(t.Context())
		require.NoError(t, err)
		require.Equal(t, "ann", o.AgentID)
		o.NoAnswer()
		o, err = c.Next(t.Context())
		require.NoError(t, err)
		require.Equal(t, "bob", o.AgentID)
		o.Answered()
		require.Zero(t, c.Position())
		_, err = c.Next(t.Context())
		require.ErrorIs(t, err, ErrLeft)
	})
}

func TestACallerWhoMissedEverybodyIsRungAgainAfterTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New(Options{Rest: 10 * time.Second})
		q.Sync(agents(time.Now(), "ann"))
		c := q.Join("c1")
		o, err := c.Next(t.Context())
		require.NoError(t, err)
		o.NoAnswer()
		start := time.Now()
		o, err = c.Next(t.Context())
		require.NoError(t, err)
		require.Equal(t, "ann", o.AgentID)
		require.Equal(t, 10*time.Second, time.Since(start))
	})
}

func TestFirstComeFirstServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New(Options{WrapUp: 30 * time.Second})
		first, second := q.Join("c1"), q.Join("c2")
		got := make(chan string, 2)
		for _, c := range []*Caller{second, first} {
			go func() {
				o, err := c.Next(t.Context())
				if err != nil {
					got <- err.Error()
					return
				}
				o.Answered()
				got <- c.ID
				<-time.After(time.Minute) // the conversation
				o.Done()
			}()
		}
		synctest.Wait()
		start := time.Now()
		q.Sync(agents(start, "ann"))
		require.Equal(t, "c1", <-got)
		require.Equal(t, "c2", <-got)
		require.Equal(t, 90*time.Second, time.Since(start), "conversation and wrap-up come before the next caller")
		synctest.Wait()
		<-time.After(time.Minute)
	})
}

func TestTwoCallersTwoAgentsAreRungAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New(Options{})
		q.Sync(agents(time.Now(), "ann", "bob"))
		a, b := q.Join("c1"), q.Join("c2")
		o1, err := a.Next(t.Context())
		require.NoError(t, err)
		o2, err := b.Next(t.Context())
		require.NoError(t, err)
		require.NotEqual(t, o1.AgentID, o2.AgentID)
	})
}

func TestIneligibleAgentIsBarredUntilTheRecordChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New(Options{})
		q.Sync([]Agent{{ID: "ann", Revision: "untrained"}})
		c := q.Join("c1")
		o, err := c.Next(t.Context())
		require.NoError(t, err)
		o.Ineligible()
		_, onDuty, _ := q.Counts()
		require.Zero(t, onDuty)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		_, err = c.Next(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		q.Sync([]Agent{{ID: "ann", Revision: "trained"}})
		o, err = c.Next(t.Context())
		require.NoError(t, err)
		require.Equal(t, "ann", o.AgentID)
	})
}

func TestLeaveWakesTheNextCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New(Options{})
		a, b := q.Join("c1"), q.Join("c2")
		require.Equal(t, 2, b.Position())
		a.Leave()
		a.Leave()
		require.Equal(t, 1, b.Position())
		q.Sync(agents(time.Now(), "ann"))
		o, err := b.Next(t.Context())
		require.NoError(t, err)
		o.Release()
		_, _, idle := q.Counts()
		require.Equal(t, 1, idle)
	})
}

func TestACallerListeningToAPromptHoldsNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New(Options{})
		q.Join("c1") // first, but not in Next
		b := q.Join("c2")
		q.Sync(agents(time.Now(), "ann"))
		o, err := b.Next(t.Context())
		require.NoError(t, err)
		o.Answered()
	})
}

func TestAnAgentOffDutyFinishesTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New(Options{})
		o := q.Busy("ann")
		q.Sync(nil)
		o.Done()
		_, onDuty, _ := q.Counts()
		require.Zero(t, onDuty)
	})
}
