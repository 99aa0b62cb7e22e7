package sqlite

import (
	"errors"
	"fmt"

	"github.com/mattn/go-sqlite3"

	"github.com/callward/callward/storage"
)

// classify turns what SQLite says into the contract's errors. SQLite's message
// names tables and columns, never values.
func classify(err error) error {
	if err == nil {
		return nil
	}
	var e sqlite3.Error
	if !errors.As(err, &e) {
		return fmt.Errorf("%w: %w", storage.ErrUnavailable, err)
	}
	if e.Code == sqlite3.ErrConstraint {
		switch e.ExtendedCode {
		case sqlite3.ErrConstraintForeignKey:
			return fmt.Errorf("%w: the row refers to one that is not there", storage.ErrNotFound)
		case sqlite3.ErrConstraintUnique, sqlite3.ErrConstraintPrimaryKey, sqlite3.ErrConstraintRowID:
			return fmt.Errorf("%w: %w", storage.ErrConflict, err)
		}
		return fmt.Errorf("%w: %w", storage.ErrInvalid, err)
	}
	switch e.Code {
	case sqlite3.ErrFull:
		return fmt.Errorf("%w: %w: free space on the database's disk", storage.ErrUnavailable, err)
	case sqlite3.ErrBusy, sqlite3.ErrLocked:
		return fmt.Errorf("%w: %w: another process holds the database; find it with fuser", storage.ErrUnavailable, err)
	case sqlite3.ErrCorrupt, sqlite3.ErrNotADB:
		return fmt.Errorf("%w: %w: restore the database from a backup", storage.ErrUnavailable, err)
	}
	return fmt.Errorf("%w: %w", storage.ErrUnavailable, err)
}
