package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"time"

	"github.com/mattn/go-sqlite3"

	"github.com/callward/callward/storage"
)

// AuditReader reads the audit log of a database file, or of a copy of one,
// without keys and without changing it. A copy of a running database is
// complete with its -wal file beside it, or when made with sqlite3's .backup.
type AuditReader struct {
	db   *sql.DB
	c    *conn
	last int64
}

// AuditRow is one row of the log as it stands in the file, unchecked.
type AuditRow struct {
	Number int64
	Leaf   string
	Hashes []byte
}

// OpenAudit opens a database file for reading. Errors: storage.ErrUnavailable,
// storage.ErrNewer, storage.ErrNotFound if the file is not there.
func OpenAudit(ctx context.Context, path string) (*AuditReader, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("%w: database: %w", storage.ErrNotFound, err)
	}
	query := url.Values{"mode": {"ro"}}
	if _, err := os.Stat(path + "-wal"); errors.Is(err, fs.ErrNotExist) {
		query.Set("immutable", "1") // nobody has it open, so nothing need be locked or made beside it
	}
	db, err := openPool(path, 5*time.Second, query)
	if err != nil {
		return nil, err
	}
	r := &AuditReader{db: db}
	if err := r.start(); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

func (r *AuditReader) start() (err error) {
	if r.c, err = connect(r.db, "query_only=ON", "temp_store=MEMORY", "mmap_size=268435456"); err != nil {
		return err
	}
	have, err := schemaVersion(r.c)
	switch {
	case err != nil:
		return err
	case have == 0:
		return fmt.Errorf("%w: the file is not a Callward database", storage.ErrUnavailable)
	case have > schemaKnown():
		return fmt.Errorf("%w: the database is of schema %d, this callward knows %d: run the newer callward",
			storage.ErrNewer, have, schemaKnown())
	}
	if err := r.c.exec("BEGIN"); err != nil { // one snapshot for everything read
		return err
	}
	_, err = r.c.one("SELECT coalesce(max(n), 0) FROM audit", nil, &r.last)
	return err
}

// Last is the highest entry number.
func (r *AuditReader) Last() int64 { return r.last }

// Rows calls fn for every row in order of number. The slices are fn's to keep.
// Errors: fn's, storage.ErrUnavailable, ctx's cause.
func (r *AuditReader) Rows(ctx context.Context, fn func(AuditRow) error) error {
	return r.scan(ctx, 3, "SELECT n, leaf, hashes FROM audit NOT INDEXED ORDER BY n", nil, func(v []driver.Value) error {
		row := AuditRow{}
		row.Number, _ = v[0].(int64)
		row.Leaf, _ = v[1].(string)
		row.Hashes, _ = v[2].([]byte)
		return fn(row)
	})
}

// AuditIndex names an index through which entries are listed.
type AuditIndex string

// The indexes. Entries without the field are not in them.
const (
	ByCall    AuditIndex = "call"
	ByPatient AuditIndex = "patient"
)

// Index calls fn with what an index holds for the entries up to last, in no
// order that matters. A list through an index that does not hold what the
// leaves say would leave entries out. Errors: as Rows.
func (r *AuditReader) Index(ctx context.Context, index AuditIndex, last int64, fn func(n int64, value string)) error {
	field := string(index)
	q := "SELECT n, " + field + " FROM audit INDEXED BY audit_" + field + " WHERE " + field + " <> '' AND n <= ?"
	return r.scan(ctx, 2, q, []driver.Value{last}, func(v []driver.Value) error {
		n, _ := v[0].(int64)
		value, _ := v[1].(string)
		fn(n, value)
		return nil
	})
}

// scan goes past database/sql: a million rows a second is worth the detour.
func (r *AuditReader) scan(ctx context.Context, columns int, q string, args []driver.Value, fn func([]driver.Value) error) error {
	var fnErr error
	err := r.c.c.Raw(func(d any) error {
		c, ok := d.(*sqlite3.SQLiteConn)
		if !ok {
			return fmt.Errorf("sqlite: driver is %T", d)
		}
		rows, err := c.Query(q, args)
		if err != nil {
			return classify(err)
		}
		defer func() { _ = rows.Close() }()
		v := make([]driver.Value, columns)
		for i := 0; ; i++ {
			if i%4096 == 0 && ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if err := rows.Next(v); err == io.EOF {
				return nil
			} else if err != nil {
				return classify(err)
			}
			if fnErr = fn(v); fnErr != nil {
				return nil
			}
		}
	})
	if fnErr != nil {
		return fnErr
	}
	return err
}

// Checkpoints lists those kept beside the log, smallest tree first, unchecked.
func (r *AuditReader) Checkpoints() ([]storage.Checkpoint, error) { return checkpoints(r.c) }

// Entries lists entries; see storage.AuditTx.
func (r *AuditReader) Entries(f storage.EntryFilter) ([]storage.StoredEntry, error) {
	return entries(r.c, f)
}

// Close closes the file. It may be called twice.
func (r *AuditReader) Close() error {
	if r.c != nil {
		_ = r.c.exec("ROLLBACK")
		_ = r.c.close()
		r.c = nil
	}
	return r.db.Close()
}
