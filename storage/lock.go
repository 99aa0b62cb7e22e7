package storage

import "time"

// The numbers of identity.attempts.limit for one record.
const (
	LockFailures = 5
	LockWindow   = 24 * time.Hour
)

// Lock follows the failures against one record, oldest first, and tells when
// it was last locked. The fifth failure within 24 h locks; those in the 24 h
// after it neither lengthen the lock nor count towards the next, so that a
// stranger who keeps trying cannot lock a patient out for good.
type Lock struct {
	recent   []time.Time
	lockedAt time.Time
}

// Failure adds a failed attempt.
func (l *Lock) Failure(at time.Time) {
	if !l.lockedAt.IsZero() && at.Before(l.lockedAt.Add(LockWindow)) {
		return
	}
	l.recent = append(l.recent, at)
	for len(l.recent) > 0 && !l.recent[0].Add(LockWindow).After(at) {
		l.recent = l.recent[1:]
	}
	if len(l.recent) >= LockFailures {
		l.lockedAt, l.recent = at, nil
	}
}

// LockedAt is when the record was last locked; zero if never.
func (l *Lock) LockedAt() time.Time { return l.lockedAt }
