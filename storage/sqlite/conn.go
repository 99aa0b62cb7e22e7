package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strconv"
	"time"

	"github.com/mattn/go-sqlite3"
)

// conn is one connection of ours for its whole life. Statements run without
// the caller's context on purpose: to interrupt one inside a transaction makes
// SQLite roll the whole transaction back, other callers' part included.
type conn struct {
	c *sql.Conn
}

var background = context.Background()

// dsn is the data source name of a database file.
func dsn(path string, query url.Values) string {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	u := url.URL{Scheme: "file", Path: path, RawQuery: query.Encode()}
	return u.String()
}

func openPool(path string, busy time.Duration, query url.Values) (*sql.DB, error) {
	query.Set("_busy_timeout", strconv.FormatInt(busy.Milliseconds(), 10))
	query.Set("_stmt_cache_size", "128")
	db, err := sql.Open("sqlite3", dsn(path, query))
	if err != nil {
		return nil, classify(err)
	}
	return db, nil
}

func connect(db *sql.DB, pragmas ...string) (*conn, error) {
	c, err := db.Conn(background)
	if err != nil {
		return nil, classify(err)
	}
	k := &conn{c: c}
	for _, p := range pragmas {
		if err := k.exec("PRAGMA " + p); err != nil {
			return nil, errors.Join(err, c.Close())
		}
	}
	return k, nil
}

func (k *conn) exec(q string, args ...any) error {
	_, err := k.c.ExecContext(background, q, args...)
	return classify(err)
}

// affected is exec that tells how many rows it wrote.
func (k *conn) affected(q string, args ...any) (int64, error) {
	r, err := k.c.ExecContext(background, q, args...)
	if err != nil {
		return 0, classify(err)
	}
	n, err := r.RowsAffected()
	return n, classify(err)
}

// one scans the only row of a query; found is false if there is none.
func (k *conn) one(q string, args []any, dest ...any) (found bool, err error) {
	err = k.c.QueryRowContext(background, q, args...).Scan(dest...)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, classify(err)
}

// each runs scan over every row of a query.
func (k *conn) each(q string, args []any, scan func(*sql.Rows) error) error {
	rows, err := k.c.QueryContext(background, q, args...)
	if err != nil {
		return classify(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return classify(rows.Err())
}

// rolledBack tells whether SQLite has ended the transaction by itself, as it
// does after a full disk or an I/O error.
func (k *conn) rolledBack() bool {
	auto := true
	err := k.c.Raw(func(driver any) error {
		c, ok := driver.(*sqlite3.SQLiteConn)
		if !ok {
			return fmt.Errorf("sqlite: driver is %T", driver)
		}
		auto = c.AutoCommit()
		return nil
	})
	return err != nil || auto
}

func (k *conn) close() error { return k.c.Close() }
