package ari

import (
	"errors"
	"fmt"
	"time"
)

// Sentinels, to be asked for with errors.Is.
var (
	// ErrGone: the channel, bridge or playback does not exist any more (404).
	ErrGone = errors.New("gone")
	// ErrNotInStasis: the channel is not under an application's control (409, 422).
	ErrNotInStasis = errors.New("not in Stasis")
	// ErrState: the thing cannot be done in the channel's or bridge's present state (409, 412).
	ErrState = errors.New("wrong state")
	// ErrEmptyID: an id or other required value was empty; nothing was sent.
	ErrEmptyID = errors.New("empty id")
	// ErrNoReply: Asterisk did not answer a request in Config.RequestTimeout.
	ErrNoReply = errors.New("no reply in time")
	// ErrNotDone: Asterisk acknowledged a request but the event that proves it did not come.
	ErrNotDone = errors.New("acknowledged but not done")
	// ErrInterrupted: the socket closed before the reply; whether it was done is not known.
	ErrInterrupted = errors.New("connection closed before the reply")
	// ErrUnauthorized: Asterisk refused the user, the password or the permission (401, 403).
	ErrUnauthorized = errors.New("not allowed: look at user, password, read_only and permit in Asterisk's ari.conf")
	// ErrOldAsterisk: the Asterisk is older than 22.10.
	ErrOldAsterisk = errors.New("this Asterisk is too old")
	// ErrReplaced: another process connected with the same application name.
	ErrReplaced = errors.New("application replaced")
	// ErrStopping: the cause of a call's context when Serve was asked to end.
	ErrStopping = errors.New("controller is stopping")
	// ErrLeft: the cause of a call's context when its channel left the
	// application alive (Continue, or a redirect from outside).
	ErrLeft = errors.New("channel left the application")
	// ErrOverflow: the cause of a call's context when its mailbox was full.
	ErrOverflow = errors.New("call mailbox full")
	// ErrPlayback: Asterisk could not play a media URI.
	ErrPlayback = errors.New("playback failed")
)

// Error is a request that Asterisk refused, or that had no usable answer.
// errors.Is finds ErrGone, ErrNotInStasis, ErrState, ErrNoReply, ErrNotDone
// and the others above where they apply.
type Error struct {
	Op      string // operation, "channels.answer"
	Status  int    // HTTP status; 0 when there was no answer
	Message string // Asterisk's own words, or ours when there was no answer
	Err     error  // sentinel or cause; may be nil

	unreachable bool // no connection could be made: asking again later may help
}

// Error names the operation, the status and the message. It never holds an
// argument of the request.
func (e *Error) Error() string {
	s := "ari: " + e.Op
	if e.Status != 0 {
		s += fmt.Sprintf(": %d", e.Status)
	}
	if e.Message != "" {
		s += ": " + e.Message
	}
	if e.Err != nil && e.Err.Error() != e.Message {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the sentinel or cause.
func (e *Error) Unwrap() error { return e.Err }

// refusedAs tells whether Asterisk itself answered with target. The cause of a
// context is no answer, though that of a hung-up call is ErrGone too.
func refusedAs(err, target error) bool {
	var e *Error
	return errors.As(err, &e) && errors.Is(e, target)
}

// HungUp is why a leg ended: the cause of the call's context when it is the
// patient's leg, and what the verbs of an ended leg return. errors.Is(err,
// ErrGone) holds. A cause is what the network said (Q.850) and often not what
// happened (asterisk issues 963, 1124, 1660): never derive a disposition.
type HungUp struct {
	Cause int    // Q.850; 0 when Asterisk told none
	Text  string // Asterisk's words for it
}

// Error names cause and text.
func (h *HungUp) Error() string {
	if h.Text == "" {
		return fmt.Sprintf("hung up (cause %d)", h.Cause)
	}
	return fmt.Sprintf("hung up (cause %d: %s)", h.Cause, h.Text)
}

// Is makes errors.Is(h, ErrGone) true.
func (h *HungUp) Is(target error) bool { return target == ErrGone }

// Lost is the cause of a call's context when its channel died with an Asterisk
// that restarted, or when Asterisk could not be reached for
// Config.GiveUpAfter. errors.Is(err, ErrGone) holds.
type Lost struct {
	From, To  time.Time // when the events stopped, when the loss was seen
	Restarted bool
}

// Error tells since when the call is lost.
func (l *Lost) Error() string {
	what := "could not be reached"
	if l.Restarted {
		what = "restarted"
	}
	return "call lost: Asterisk " + what + " between " + l.From.UTC().Format(time.RFC3339Nano) +
		" and " + l.To.UTC().Format(time.RFC3339Nano)
}

// Is makes errors.Is(l, ErrGone) true.
func (l *Lost) Is(target error) bool { return target == ErrGone }

// Gap is a time in which events may have been missed. States were read back
// afterwards; keys pressed in it cannot be.
type Gap struct {
	From, To time.Time
}

// NotAnswered is why an originated leg was not answered.
type NotAnswered struct {
	Cause  int // Q.850 as Asterisk told it; 0 is common on a timeout
	Reason Reason
	Err    error // Asterisk's refusal, or why we gave up; may be nil
}

// Error names reason and cause.
func (n *NotAnswered) Error() string {
	s := fmt.Sprintf("not answered: %s (cause %d)", n.Reason, n.Cause)
	if n.Err != nil {
		s += ": " + n.Err.Error()
	}
	return s
}

// Unwrap returns Err.
func (n *NotAnswered) Unwrap() error { return n.Err }

// Reason is why a dialled party did not answer.
type Reason string

// Reasons of [NotAnswered].
const (
	NoAnswer    Reason = "no_answer"   // rang until the timeout
	Busy        Reason = "busy"        // engaged
	Rejected    Reason = "rejected"    // declined the call
	Unreachable Reason = "unreachable" // not registered, no route
	Congestion  Reason = "congestion"  // network or Asterisk could not
	Cancelled   Reason = "cancelled"   // we gave up: ctx ended or the patient hung up
)

// Cause is a Q.850 hang-up cause for Leg.Hangup.
type Cause int

// Causes that Asterisk's ARI takes by number.
const (
	CauseNormal        Cause = 16
	CauseBusy          Cause = 17
	CauseNoAnswer      Cause = 19
	CauseRejected      Cause = 21
	CauseUnallocated   Cause = 1
	CauseCongestion    Cause = 34
	CauseFailure       Cause = 38
	CauseInterworking  Cause = 127
	CauseAnsweredElse  Cause = 26
	CauseNotAcceptable Cause = 58 // bearer capability not available
)
