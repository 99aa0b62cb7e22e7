// Package sqlite keeps Callward's data in one SQLite file.
//
// What lives here: the SQL, the migrations, the transactions and their group
// commit, re-sealing after a key rotation, and a reader of the audit log that
// needs neither keys nor a server. What never may: a decision, a key in a row,
// PHI in a column that is not sealed.
//
// The file is in WAL mode with synchronous=FULL, so a transaction that Update
// reported as done survives power loss; foreign keys are enforced, tables are
// STRICT, deleted content is overwritten (secure_delete), temporary tables stay
// in memory, and the file has mode 0600. One connection writes, a few read.
//
// # Group commit
//
// A disk sync costs far more than the rows of one Update. Callers queue for
// the write connection; each runs its function inside a savepoint of one open
// transaction and, if another caller is already waiting, leaves the commit to
// it and waits for that. The last one in the queue commits for all. A caller
// alone therefore commits at once, and under load one sync serves many.
//
//	stateDiagram-v2
//	    Idle --> Open: BEGIN, first caller
//	    Open --> Open: SAVEPOINT, fn, RELEASE (somebody waits)
//	    Open --> Open: fn failed, ROLLBACK TO its savepoint
//	    Open --> Idle: COMMIT (nobody waits, or the batch is full)
//	    Open --> Idle: SQLite gave up, every caller of the batch gets ErrUnavailable
package sqlite

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"sync"
	"time"

	"github.com/callward/callward/storage"
	"github.com/callward/callward/storage/seal"
)

// Config says which database and how.
type Config struct {
	Path  string           // the database file; made with mode 0600 if it is not there
	Keys  *seal.Keys       // nil: all but PHI can be used
	Clock func() time.Time // default time.Now
	Rand  io.Reader        // default crypto/rand.Reader
	Busy  time.Duration    // how long to wait for a lock of another process; default 5 s
}

// Store is a storage.Store on SQLite.
type Store struct {
	cfg     Config
	file    fs.FileInfo // the file that was opened
	db      *sql.DB
	writer  *writer
	readers chan *conn // idle ones; a nil is leave to open one more

	mu       sync.Mutex
	closed   bool
	closeErr error
	running  sync.WaitGroup
}

const maxReaders = 4

var _ storage.Store = (*Store)(nil)

// Open opens or makes the database and brings its schema up to date. Errors:
// storage.ErrUnavailable, storage.ErrNewer, storage.ErrSealed when the keys are
// not those the data was sealed with, and one that names the mend when others
// may read the file.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Rand == nil {
		cfg.Rand = rand.Reader
	}
	if cfg.Busy == 0 {
		cfg.Busy = 5 * time.Second
	}
	if err := prepareFile(cfg.Path); err != nil {
		return nil, err
	}
	db, err := openPool(cfg.Path, cfg.Busy, url.Values{
		"mode":           {"rw"}, // never make another in place of one that was taken away
		"_journal_mode":  {"WAL"},
		"_synchronous":   {"FULL"},
		"_foreign_keys":  {"on"},
		"_secure_delete": {"on"},
	})
	if err != nil {
		return nil, err
	}
	s := &Store{cfg: cfg, db: db, readers: make(chan *conn, maxReaders)}
	for range maxReaders {
		s.readers <- nil
	}
	if err := s.start(); err != nil {
		return nil, errors.Join(err, s.disconnect())
	}
	return s, nil
}

func (s *Store) start() error {
	c, err := connect(s.db, "temp_store=MEMORY")
	if err != nil {
		return err
	}
	if s.file, err = os.Stat(s.cfg.Path); err != nil {
		return errors.Join(fmt.Errorf("%w: database: %w", storage.ErrUnavailable, err), c.close())
	}
	var mode string
	_, err = c.one("PRAGMA journal_mode", nil, &mode)
	if err == nil && mode != "wal" {
		err = fmt.Errorf("%w: the file system cannot share memory for write-ahead logging: put the database on a local disk", storage.ErrUnavailable)
	}
	if err == nil {
		err = migrate(c, s.cfg.Clock())
	}
	if err != nil {
		return errors.Join(err, c.close())
	}
	s.writer = newWriter(s, c)
	return s.checkKeys()
}

// disconnect closes all connections; nobody may be using one.
func (s *Store) disconnect() error {
	var errs []error
	if s.writer != nil {
		errs = append(errs, s.writer.c.close())
	}
	for range maxReaders {
		if c := <-s.readers; c != nil {
			errs = append(errs, c.close())
		}
	}
	return errors.Join(append(errs, s.db.Close())...)
}

// prepareFile makes the file before SQLite does, for the mode, and refuses one
// that others may read.
func prepareFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err == nil {
		return f.Close()
	}
	if !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%w: database: %w", storage.ErrUnavailable, err)
	}
	fi, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("%w: database: %w", storage.ErrUnavailable, err)
	}
	if fi.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("sqlite: database can be read by others: run chmod 600 %s", path)
	}
	return nil
}

// inPlace refuses to go on with a file that was removed or replaced: SQLite
// would keep writing to it, and nobody would ever read that.
func (s *Store) inPlace() error {
	there, err := os.Stat(s.cfg.Path)
	if err != nil {
		return fmt.Errorf("%w: database: %w", storage.ErrUnavailable, err)
	}
	if !os.SameFile(there, s.file) {
		return fmt.Errorf("%w: database %s was replaced while open: restart callward", storage.ErrUnavailable, s.cfg.Path)
	}
	return nil
}

// enter counts a running transaction, unless the store is closed.
func (s *Store) enter() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return storage.ErrClosed
	}
	s.running.Add(1)
	return nil
}

// Close waits for running transactions and closes the database.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		s.running.Wait()
		return s.closeErr
	}
	s.closed = true
	s.mu.Unlock()
	s.running.Wait()

	s.closeErr = s.disconnect()
	return s.closeErr
}

// View runs fn over one snapshot.
func (s *Store) View(ctx context.Context, fn func(storage.Tx) error) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.running.Done()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var c *conn
	select {
	case c = <-s.readers:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { s.readers <- c }()
	err := s.inPlace()
	if err != nil {
		return err
	}
	if c == nil {
		if c, err = connect(s.db, "temp_store=MEMORY", "query_only=ON"); err != nil {
			return err
		}
	}
	return s.view(c, fn)
}

func (s *Store) view(c *conn, fn func(storage.Tx) error) error {
	if err := c.exec("BEGIN"); err != nil {
		return err
	}
	t := &tx{s: s, c: c}
	defer func() {
		t.done = true
		_ = c.exec("ROLLBACK")
	}()
	if err := fn(t); err != nil {
		return err
	}
	return t.broken
}
