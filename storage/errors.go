package storage

import (
	"errors"
	"fmt"
)

// Sentinels. Drivers wrap them with %w; compare with errors.Is. No message
// built on them holds a patient's data.
var (
	// ErrNotFound: no row has this id.
	ErrNotFound = errors.New("storage: not found")

	// ErrUnavailable: the store cannot be read or written now: unreachable,
	// locked by another process, disk full, damaged. The rule
	// audit.every_decision denies whatever needed the write; the call stays up.
	ErrUnavailable = errors.New("storage: unavailable")

	// ErrSealed: the PHI keys are missing, are other than those the data was
	// sealed with, or the sealed bytes do not authenticate.
	ErrSealed = errors.New("storage: sealed data cannot be opened")

	// ErrConflict: somebody else changed the row since it was read, or a
	// unique thing (such as a visit's id) already belongs to another patient.
	ErrConflict = errors.New("storage: conflict")

	// ErrInvalid: a value the contract refuses. The message names the field,
	// never the value.
	ErrInvalid = errors.New("storage: invalid value")

	// ErrReadOnly: a write inside View.
	ErrReadOnly = errors.New("storage: write in a read-only transaction")

	// ErrTxDone: a Tx was used after its function had returned.
	ErrTxDone = errors.New("storage: transaction is over")

	// ErrNewer: the data was written by a newer Callward; the message names
	// both versions. Run that version, or restore the backup made before it.
	ErrNewer = errors.New("storage: data is of a newer version")

	// ErrClosed: the store was closed. It is also ErrUnavailable.
	ErrClosed = fmt.Errorf("storage: closed: %w", ErrUnavailable)
)
