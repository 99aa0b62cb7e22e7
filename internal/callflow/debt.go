package callflow

import (
	"context"
	"errors"
	"time"

	"github.com/callward/callward/storage"
)

// debt is what happened while the store was away and has to be on the log and
// in the tables all the same: that a recording stopped, that the patient took
// the yes back, that the call ended. It goes with the next write that succeeds.
// Nothing is ever done on the strength of a debt.
type debt struct {
	entry storage.Entry
	with  []func(storage.Tx, int64) error
}

// must is event for what is owed to the log when it cannot be written now.
func (k *contact) must(ctx context.Context, action string, detail map[string]string, with ...func(storage.Tx, int64) error) error {
	d := debt{k.entry(action), with}
	d.entry.Detail = detail
	err := k.note(ctx, d)
	if away(err) {
		k.debts = append(k.debts, d)
	}
	return err
}

// away tells an error of a store that may come back from one that writing again
// does not mend.
func away(err error) bool {
	return errors.Is(err, storage.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded)
}

// pay writes what is owed, within a transaction, and tells which debt failed;
// -1 for none.
func (k *contact) pay(tx storage.Tx) (bad int, err error) {
	for i, d := range k.debts {
		if _, err := d.write(tx); err != nil {
			return i, err
		}
	}
	return -1, nil
}

func (d debt) write(tx storage.Tx) (int64, error) {
	n, err := tx.Audit(d.entry)
	for _, fn := range d.with {
		if err == nil {
			err = fn(tx, n)
		}
	}
	return n, err
}

// leave hands the debts of an ended call to the flow.
func (f *Flow) leave(k *contact) {
	if len(k.debts) == 0 {
		return
	}
	f.late.Lock()
	defer f.late.Unlock()
	f.debtors = append(f.debtors, k)
}

// payLate writes what ended calls owe, when the store is back.
func (f *Flow) payLate(ctx context.Context) {
	f.late.Lock()
	debtors := f.debtors
	f.debtors = nil
	f.late.Unlock()
	for i, k := range debtors {
		err := k.write(ctx, func(storage.Tx) error { return nil })
		if away(err) {
			f.late.Lock()
			f.debtors = append(debtors[i:], f.debtors...)
			f.late.Unlock()
			return
		}
		if err != nil {
			k.log.Error("the end of a call could not be written", "error", err)
			continue
		}
		k.log.Info("the store is back: the end of a call was written")
	}
}

// CloseUnseen ends, in the store, the calls that began before and of which
// Asterisk has no channel: they ended while no controller watched.
func (f *Flow) CloseUnseen(ctx context.Context, before time.Time, present func(id string) bool) error {
	ctx, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	return f.Store.Update(ctx, func(tx storage.Tx) error {
		open, err := tx.OpenCalls()
		if err != nil {
			return err
		}
		for _, row := range open {
			if present(row.ID) || !row.StartedAt.Before(before) {
				continue
			}
			row.EndedAt, row.Disposition, row.Reason = f.Clock(), string(Abandoned), "ended_unseen"
			if stepOrder[row.Step] >= stepOrder[stepConnected] {
				row.Disposition = string(Completed)
			}
			row.Step = stepEnded
			if err := tx.PutCall(row); err != nil {
				return err
			}
			n, err := tx.Audit(storage.Entry{
				At: row.EndedAt, Actor: "callward", Call: row.ID, Patient: row.VerifiedPatient, Action: "call.ended",
				Outcome: storage.OutcomeEvent, Profile: f.Policy.Name(),
				Detail: map[string]string{"disposition": row.Disposition, "reason": row.Reason},
			})
			if err != nil {
				return err
			}
			if err := tx.AddStep(row.ID, storage.Step{Name: stepEnded, At: row.EndedAt, Entry: n}); err != nil {
				return err
			}
		}
		return nil
	})
}
