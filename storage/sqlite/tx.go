package sqlite

import (
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/callward/callward/storage"
	"github.com/callward/callward/storage/auditlog"
	"github.com/callward/callward/storage/seal"
)

// tx is one transaction, or one caller's part of a shared one.
type tx struct {
	s      *Store
	c      *conn
	w      *writer // nil in View
	done   bool
	broken error // the first ErrUnavailable: SQLite may have rolled back, so nothing may follow
}

var _ storage.Tx = (*tx)(nil)

// live refuses a statement in a transaction that is over or broken.
func (t *tx) live() error {
	if t.done {
		return storage.ErrTxDone
	}
	return t.broken
}

func (t *tx) writable() error {
	if err := t.live(); err != nil {
		return err
	}
	if t.w == nil {
		return storage.ErrReadOnly
	}
	return nil
}

// note remembers an error after which the transaction must not go on.
func (t *tx) note(err error) error {
	if err != nil && t.broken == nil && errors.Is(err, storage.ErrUnavailable) {
		t.broken = err
	}
	return err
}

func (t *tx) exec(q string, args ...any) error {
	if err := t.writable(); err != nil {
		return err
	}
	return t.note(t.c.exec(q, args...))
}

func (t *tx) affected(q string, args ...any) (int64, error) {
	if err := t.writable(); err != nil {
		return 0, err
	}
	n, err := t.c.affected(q, args...)
	return n, t.note(err)
}

func (t *tx) one(q string, args []any, dest ...any) (bool, error) {
	if err := t.live(); err != nil {
		return false, err
	}
	found, err := t.c.one(q, args, dest...)
	return found, t.note(err)
}

func (t *tx) each(q string, args []any, scan func(*sql.Rows) error) error {
	if err := t.live(); err != nil {
		return err
	}
	return t.note(t.c.each(q, args, scan))
}

// sealJSON seals a value's JSON for a place.
func (t *tx) sealJSON(at seal.Place, v any) (plain, sealed []byte, err error) {
	if plain, err = json.Marshal(v); err != nil {
		return nil, nil, fmt.Errorf("%w: %s.%s", storage.ErrInvalid, at.Table, at.Column)
	}
	sealed, err = t.s.cfg.Keys.Seal(at, plain)
	return plain, sealed, err
}

// openJSON opens what sealJSON sealed.
func (t *tx) openJSON(at seal.Place, sealed []byte, v any) error {
	plain, err := t.s.cfg.Keys.Open(at, sealed)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(plain, v); err != nil {
		return fmt.Errorf("%w: %s.%s holds another form", storage.ErrSealed, at.Table, at.Column)
	}
	return nil
}

// rowID draws an id for a row whose own key is PHI.
func (t *tx) rowID() (string, error) {
	var b [12]byte
	if _, err := io.ReadFull(t.s.cfg.Rand, b[:]); err != nil {
		return "", fmt.Errorf("sqlite: draw a row id: %w", err)
	}
	return hex.EncodeToString(b[:]), nil
}

// in is an SQL list of as many parameters as there are hashes.
func in(hashes [][]byte) (string, []any) {
	args := make([]any, len(hashes))
	for i, h := range hashes {
		args[i] = h
	}
	return "(?" + strings.Repeat(",?", len(hashes)-1) + ")", args
}

// required refuses an id that is empty or could not stand in the audit log.
func required(field, id string) error {
	if id == "" || !auditlog.Plain(id) {
		return fmt.Errorf("%w: %s", storage.ErrInvalid, field)
	}
	return nil
}

func notFound(what string) error { return fmt.Errorf("%w: %s", storage.ErrNotFound, what) }

// ms is a time as a column holds it.
func ms(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMilli()
}

// cut is a time as it will be read back.
func cut(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return time.UnixMilli(t.UnixMilli()).UTC()
}

// msTo scans a column that ms wrote.
type msTo struct{ t *time.Time }

func (m msTo) Scan(v any) error {
	switch v := v.(type) {
	case nil:
		*m.t = time.Time{}
	case int64:
		*m.t = time.UnixMilli(v).UTC()
	default:
		return errors.New("sqlite: a time is not a number")
	}
	return nil
}

// list is a list of words of ours in one column.
func list[S ~string](words []S) string {
	parts := make([]string, len(words))
	for i, w := range words {
		parts[i] = string(w)
	}
	return strings.Join(parts, ",")
}

// listTo scans a column that list wrote.
type listTo[S ~string] struct{ words *[]S }

func (l listTo[S]) Scan(v any) error {
	s, ok := v.(string)
	if !ok {
		return errors.New("sqlite: a list is not text")
	}
	*l.words = nil
	if s == "" {
		return nil
	}
	for p := range strings.SplitSeq(s, ",") {
		*l.words = append(*l.words, S(p))
	}
	return nil
}

// noCommas refuses words that list could not keep apart.
func noCommas[S ~string](field string, words []S) error {
	if slices.ContainsFunc(words, func(w S) bool { return w == "" || strings.Contains(string(w), ",") }) {
		return fmt.Errorf("%w: %s", storage.ErrInvalid, field)
	}
	return nil
}

// filter builds a WHERE clause out of the fields that choose.
type filter struct {
	where []string
	args  []any
}

func (f *filter) add(cond string, arg any) {
	f.where = append(f.where, cond)
	f.args = append(f.args, arg)
}

func (f *filter) eq(column, v string) {
	if v != "" {
		f.add(column+" = ?", v)
	}
}

func (f *filter) between(column string, from, to time.Time) {
	if !from.IsZero() {
		f.add(column+" >= ?", from.UnixMilli())
	}
	if !to.IsZero() {
		f.add(column+" < ?", to.UnixMilli())
	}
}

func (f *filter) sql() string {
	if len(f.where) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(f.where, " AND ")
}

func limit(n int) string {
	if n <= 0 {
		return ""
	}
	return fmt.Sprintf(" LIMIT %d", n)
}
