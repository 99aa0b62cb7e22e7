package audit_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "github.com/mattn/go-sqlite3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/mod/sumdb/note"

	"github.com/callward/callward/internal/audit"
	"github.com/callward/callward/storage"
	"github.com/callward/callward/storage/sqlite"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	ctx = context.Background()
	now = time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
)

func clock() time.Time { return now }

// site is a database with a log, and the keys to sign and verify it.
type site struct {
	dir, db, pub string
	store        *sqlite.Store
	log          *audit.Log
}

func newSite(t testing.TB) *site {
	t.Helper()
	dir := t.TempDir()
	s := &site{dir: dir, db: filepath.Join(dir, "callward.db")}
	key := filepath.Join(dir, "audit.key")
	_, err := audit.CreateKey(rand.Reader, key, "callward.example")
	require.NoError(t, err)
	signer, err := audit.LoadSigner(key)
	require.NoError(t, err)
	s.pub, err = audit.LoadVerifierKey(key + ".pub")
	require.NoError(t, err)
	s.store, err = sqlite.Open(ctx, sqlite.Config{Path: s.db, Clock: clock})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.store.Close()) })
	s.log = audit.NewLog(s.store, signer, clock)
	return s
}

func (s *site) add(t testing.TB, n int) {
	t.Helper()
	require.NoError(t, s.store.Update(ctx, func(tx storage.Tx) error {
		for i := range n {
			e := storage.Entry{Actor: "callward", Call: fmt.Sprintf("call-%d", i%10), Patient: "p-1", Action: "StartRecording",
				Outcome: storage.OutcomeAllow, Rules: []string{"recording.consent.required", "recording.consent.all_parties"},
				Profile: "default", Detail: map[string]string{"prompt": "ask_consent"}}
			if _, err := tx.Audit(e); err != nil {
				return err
			}
		}
		return nil
	}))
}

func (s *site) checkpoint(t testing.TB) audit.Checkpoint {
	t.Helper()
	c, err := s.log.Checkpoint(ctx)
	require.NoError(t, err)
	return c
}

// tamper changes the file as somebody with write access to it could.
func (s *site) tamper(t *testing.T, statements ...string) {
	t.Helper()
	require.NoError(t, s.store.Close())
	db, err := sql.Open("sqlite3", s.db)
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	for _, q := range append([]string{"DROP TRIGGER audit_no_update", "DROP TRIGGER audit_no_delete"}, statements...) {
		_, err := db.Exec(q)
		require.NoError(t, err, q)
	}
}

func (s *site) verify(t *testing.T, checkpointFile string) audit.Report {
	t.Helper()
	r, err := audit.Verify(ctx, s.db, checkpointFile, s.pub)
	require.NoError(t, err)
	return r
}

func TestVerifyGoodLog(t *testing.T) {
	s := newSite(t)
	r := s.verify(t, "")
	assert.True(t, r.OK(), "an empty log is a good one")
	for _, n := range []int{1, 6, 30, 2100} {
		s.checkpoint(t)
		s.add(t, n)
		r = s.verify(t, "") // beside the running store
		require.True(t, r.OK(), "%v", r.Problems)
	}
	c := s.checkpoint(t)
	file := filepath.Join(s.dir, "checkpoint")
	require.NoError(t, c.WriteFile(file))
	s.add(t, 3)
	require.NoError(t, s.store.Close())
	r = s.verify(t, file)
	require.True(t, r.OK(), "%v", r.Problems)
	assert.EqualValues(t, 2140, r.Entries)
	assert.EqualValues(t, 2140, r.Last)
	assert.EqualValues(t, 2137, r.Anchored)
	assert.Equal(t, now, r.AnchoredAt)
	assert.Len(t, r.Checkpoints, 5)
}

// A copy made while the store runs, -wal file beside it, in a place where
// nothing else is: neither keys nor a server.
func TestVerifyCopy(t *testing.T) {
	s := newSite(t)
	s.add(t, 50)
	s.checkpoint(t)
	copyTo := filepath.Join(t.TempDir(), "copy.db")
	for _, suffix := range []string{"", "-wal"} {
		b, err := os.ReadFile(s.db + suffix)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(copyTo+suffix, b, 0o600))
	}
	r, err := audit.Verify(ctx, copyTo, "", s.pub)
	require.NoError(t, err)
	assert.True(t, r.OK(), "%v", r.Problems)
	assert.EqualValues(t, 50, r.Anchored)

	list, err := audit.ListFile(ctx, copyTo, storage.EntryFilter{Call: "call-3", Limit: 2})
	require.NoError(t, err)
	require.Len(t, list, 2)
	assert.EqualValues(t, 4, list[0].Number)
	same, err := audit.List(ctx, s.store, storage.EntryFilter{Call: "call-3", Limit: 2})
	require.NoError(t, err)
	assert.Equal(t, same, list)
}

const copyRow = "UPDATE audit SET leaf = (SELECT leaf FROM audit WHERE n = %[2]d), hashes = (SELECT hashes FROM audit WHERE n = %[2]d) WHERE n = %[1]d"

func TestVerifyFindsTampering(t *testing.T) {
	type problems = []audit.Problem
	type span struct {
		kind     audit.Kind
		from, to int64
	}
	// 100 entries; signed at 40 and 90.
	for _, c := range []struct {
		name string
		do   []string
		want []span // From 0: only the kind must be there
	}{
		{"an entry changed",
			[]string{`UPDATE audit SET leaf = replace(leaf, '"allow"', '"deny"') WHERE n = 17`},
			[]span{{audit.Changed, 17, 17}}},
		{"an entry not yet signed changed",
			[]string{`UPDATE audit SET leaf = replace(leaf, '"allow"', '"deny"') WHERE n = 97`},
			[]span{{audit.Changed, 97, 97}}},
		{"a hash changed",
			[]string{`UPDATE audit SET hashes = zeroblob(32) WHERE n = 17`},
			[]span{{audit.Changed, 17, 17}}},
		{"an upper hash changed",
			[]string{`UPDATE audit SET hashes = unhex(hex(substr(hashes, 1, 64)) || hex(zeroblob(32))) WHERE n = 20`},
			[]span{{audit.Changed, 17, 20}}},
		{"hashes cut off",
			[]string{`UPDATE audit SET hashes = substr(hashes, 1, 32) WHERE n = 20`},
			[]span{{audit.Changed, 20, 20}}},
		{"an entry removed",
			[]string{`DELETE FROM audit WHERE n = 17`},
			[]span{{audit.Missing, 17, 17}}},
		{"the first entries removed",
			[]string{`DELETE FROM audit WHERE n <= 3`},
			[]span{{audit.Missing, 1, 3}}},
		{"entries around a checkpoint removed",
			[]string{`DELETE FROM audit WHERE n BETWEEN 38 AND 41`},
			[]span{{audit.Missing, 38, 41}}},
		{"all but the last removed",
			[]string{`DELETE FROM audit WHERE n < 100`},
			[]span{{audit.Missing, 1, 99}}},
		{"two entries swapped, their hashes too",
			[]string{"CREATE TABLE was AS SELECT * FROM audit WHERE n = 18", fmt.Sprintf(copyRow, 18, 20),
				"UPDATE audit SET leaf = (SELECT leaf FROM was), hashes = (SELECT hashes FROM was) WHERE n = 20", "DROP TABLE was"},
			[]span{{audit.Moved, 18, 18}, {audit.Moved, 20, 20}}},
		{"removed and the rest moved up",
			[]string{`DELETE FROM audit WHERE n = 98`, `UPDATE audit SET n = n - 1 WHERE n > 98`},
			[]span{{audit.Moved, 98, 98}, {audit.Moved, 99, 99}}},
		{"not an entry",
			[]string{`UPDATE audit SET leaf = '{}' WHERE n = 5`},
			[]span{{audit.Malformed, 5, 5}}},
		{"white space added",
			[]string{`UPDATE audit SET leaf = replace(leaf, ',', ', ') WHERE n = 5`},
			[]span{{audit.Malformed, 5, 5}}},
		{"the end cut off",
			[]string{`DELETE FROM audit WHERE n > 80`},
			[]span{{audit.Truncated, 81, 90}}},
		{"everything removed",
			[]string{`DELETE FROM audit`},
			[]span{{audit.Truncated, 1, 90}}},
		{"a number far away",
			[]string{`UPDATE audit SET n = 9223372036854775807 WHERE n = 100`},
			[]span{{audit.Missing, 100, 9223372036854775806}, {audit.Moved, 9223372036854775807, 9223372036854775807}}},
		{"a negative number",
			[]string{`UPDATE audit SET n = -1 WHERE n = 100`},
			[]span{{audit.Malformed, 1, 1}}},
		{"a checkpoint changed",
			[]string{`UPDATE checkpoint SET note = replace(note, '40', '41') WHERE size = 40`},
			[]span{{audit.BadCheckpoint, 0, 0}}},
		{"a checkpoint kept under another size",
			[]string{`UPDATE checkpoint SET size = 41 WHERE size = 40`},
			[]span{{audit.BadCheckpoint, 0, 0}}},
		{"an index that puts an entry elsewhere",
			[]string{`DROP INDEX audit_call`,
				`CREATE INDEX audit_call ON audit (CASE n WHEN 17 THEN 'other' ELSE call END) WHERE call <> ''`,
				`PRAGMA writable_schema = ON`,
				`UPDATE sqlite_schema SET sql = replace(sql, 'CASE n WHEN 17 THEN ''other'' ELSE call END', 'call') WHERE name = 'audit_call'`},
			[]span{{audit.Damaged, 0, 0}}},
		{"an index that leaves entries out",
			[]string{`DROP INDEX audit_call`,
				`CREATE INDEX audit_call ON audit (call) WHERE call <> '' AND n <> 17`,
				`PRAGMA writable_schema = ON`,
				`UPDATE sqlite_schema SET sql = replace(sql, ' AND n <> 17', '') WHERE name = 'audit_call'`},
			[]span{{audit.Damaged, 0, 0}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSite(t)
			s.add(t, 40)
			s.checkpoint(t)
			s.add(t, 50)
			s.checkpoint(t)
			s.add(t, 10)
			s.tamper(t, c.do...)
			r := s.verify(t, "")
			require.False(t, r.OK())
			var got []span
			for _, p := range r.Problems {
				if p.Kind == audit.Damaged && c.want[0].kind != audit.Damaged {
					continue // what is not an entry is in no index
				}
				if c.want[0].from == 0 {
					p.From, p.To = 0, 0
				}
				got = append(got, span{p.Kind, p.From, p.To})
				assert.NotEmpty(t, p.String())
			}
			if c.want[0].from == 0 {
				assert.Contains(t, got, c.want[0], "%v", problems(r.Problems))
				return
			}
			assert.Equal(t, c.want, got, "%v", problems(r.Problems))
		})
	}
}

// Somebody who changes an entry and computes every hash anew is found by the
// next checkpoint, which also bounds where the change is.
func TestVerifyFindsRewriting(t *testing.T) {
	s := newSite(t)
	s.add(t, 40)
	s.checkpoint(t)
	s.add(t, 50)
	s.checkpoint(t)

	other := newSite(t) // the same entries but for one, with hashes that fit
	other.add(t, 40)
	other.add(t, 20)
	require.NoError(t, other.store.Update(ctx, func(tx storage.Tx) error {
		_, err := tx.Audit(storage.Entry{Actor: "intruder", Action: "x", Outcome: storage.OutcomeEvent})
		return err
	}))
	other.add(t, 29)
	require.NoError(t, other.store.Close())

	s.tamper(t, "DELETE FROM audit WHERE n > 40", fmt.Sprintf("ATTACH '%s' AS other", other.db),
		"INSERT INTO audit (n, leaf, hashes) SELECT n, leaf, hashes FROM other.audit WHERE n > 40")
	r := s.verify(t, "")
	require.Len(t, r.Problems, 1)
	assert.Equal(t, audit.Rewritten, r.Problems[0].Kind)
	assert.EqualValues(t, 41, r.Problems[0].From)
	assert.EqualValues(t, 90, r.Problems[0].To)
	assert.EqualValues(t, 40, r.Anchored)
}

// With the checkpoints inside removed as well, the one kept elsewhere tells.
func TestVerifyAgainstCheckpointFile(t *testing.T) {
	s := newSite(t)
	s.add(t, 40)
	early := s.checkpoint(t)
	s.add(t, 50)
	late := s.checkpoint(t)
	for name, c := range map[string]audit.Checkpoint{"early": early, "late": late} {
		require.NoError(t, c.WriteFile(filepath.Join(s.dir, name)))
	}
	s.tamper(t, "DELETE FROM audit WHERE n > 60", "DELETE FROM checkpoint")
	assert.True(t, s.verify(t, "").OK(), "by itself the file is consistent")
	assert.True(t, s.verify(t, filepath.Join(s.dir, "early")).OK())
	r := s.verify(t, filepath.Join(s.dir, "late"))
	require.Len(t, r.Problems, 1)
	assert.Equal(t, "truncated: entries 61 to 90: signed on 2026-11-23T10:00:00.000Z", r.Problems[0].String())
}

func TestVerifyErrors(t *testing.T) {
	s := newSite(t)
	s.add(t, 1)
	file := filepath.Join(s.dir, "checkpoint")
	require.NoError(t, s.checkpoint(t).WriteFile(file))
	stranger := newSite(t)
	text := filepath.Join(s.dir, "text")
	require.NoError(t, os.WriteFile(text, []byte("not a database, but long enough to look"), 0o600))
	for _, c := range []struct {
		name, db, checkpoint, key string
		want                      error
	}{
		{"no key", s.db, "", "", audit.ErrKey},
		{"not a key", s.db, "", "x", audit.ErrKey},
		{"no database", s.db + "x", "", s.pub, storage.ErrNotFound},
		{"not a database", text, "", s.pub, storage.ErrUnavailable},
		{"no checkpoint", s.db, file + "x", s.pub, fs.ErrNotExist},
		{"not a checkpoint", s.db, text, s.pub, audit.ErrCheckpoint},
		{"a checkpoint of somebody else", s.db, file, stranger.pub, audit.ErrCheckpoint},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := audit.Verify(ctx, c.db, c.checkpoint, c.key)
			assert.ErrorIs(t, err, c.want)
		})
	}
	r, err := audit.Verify(ctx, s.db, "", stranger.pub)
	require.NoError(t, err)
	require.Len(t, r.Problems, 1)
	assert.Equal(t, audit.BadCheckpoint, r.Problems[0].Kind)
	r, err = audit.Verify(ctx, s.db, file, stranger.pub+s.pub) // after a change of key
	require.NoError(t, err)
	assert.True(t, r.OK(), "%v", r.Problems)

	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	_, err = audit.Verify(cancelled, s.db, "", s.pub)
	assert.ErrorIs(t, err, context.Canceled)
}

// A log that was changed is not signed again.
func TestCheckpointRefusesFork(t *testing.T) {
	for name, statement := range map[string]string{
		"cut off":   "DELETE FROM audit WHERE n > 15",
		"rewritten": "UPDATE audit SET hashes = zeroblob(length(hashes)) WHERE n <= 20",
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			s.add(t, 20)
			s.checkpoint(t)
			s.tamper(t, statement)
			store, err := sqlite.Open(ctx, sqlite.Config{Path: s.db})
			require.NoError(t, err)
			defer func() { require.NoError(t, store.Close()) }()
			signer, err := audit.LoadSigner(filepath.Join(s.dir, "audit.key"))
			require.NoError(t, err)
			_, err = audit.NewLog(store, signer, clock).Checkpoint(ctx)
			assert.ErrorIs(t, err, audit.ErrForked)
		})
	}
}

func TestCheckpointForm(t *testing.T) {
	s := newSite(t)
	s.add(t, 3)
	c := s.checkpoint(t)
	lines := strings.Split(string(c.Note), "\n")
	assert.Equal(t, []string{"callward.example", "3", c.Root.String(), "time 2026-11-23T10:00:00.000Z", ""}, lines[:5])
	back, err := audit.ParseCheckpoint(c.Note, nil)
	require.NoError(t, err)
	assert.Equal(t, c, back)
	again := s.checkpoint(t)
	assert.Equal(t, c, again, "nothing new, the same note")
	for _, text := range []string{"", "a\n", "a\n1\nx\ntime 2026-11-23T10:00:00.000Z\n", "a\n01\n" + c.Root.String() + "\ntime 2026-11-23T10:00:00.000Z\n",
		"a\n-1\n" + c.Root.String() + "\ntime 2026-11-23T10:00:00.000Z\n", "a\n1\n" + c.Root.String() + "\nyesterday\n"} {
		signer, err := audit.LoadSigner(filepath.Join(s.dir, "audit.key"))
		require.NoError(t, err)
		b, err := note.Sign(&note.Note{Text: text + "\n"}, signer)
		require.NoError(t, err)
		_, err = audit.ParseCheckpoint(b, nil)
		assert.ErrorIs(t, err, audit.ErrCheckpoint, "%q", text)
	}
}

func TestKeyFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.key")
	vkey, err := audit.CreateKey(rand.Reader, path, "clinic")
	require.NoError(t, err)
	fi, err := os.Stat(path)
	require.NoError(t, err)
	assert.EqualValues(t, 0o600, fi.Mode().Perm())
	pub, err := audit.LoadVerifierKey(path + ".pub")
	require.NoError(t, err)
	assert.Equal(t, vkey+"\n", pub)

	_, err = audit.CreateKey(rand.Reader, path, "clinic")
	require.ErrorIs(t, err, audit.ErrKeyExists)
	_, err = audit.CreateKey(rand.Reader, path+"2", "two words")
	require.ErrorIs(t, err, audit.ErrKey)
	_, err = audit.LoadSigner(path + "2")
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, err = audit.LoadVerifierKey(path)
	require.ErrorIs(t, err, audit.ErrKey, "a signing key is no public key")

	require.NoError(t, os.Chmod(path, 0o640))
	_, err = audit.LoadSigner(path)
	require.ErrorIs(t, err, audit.ErrKeyPermissions)
	assert.ErrorContains(t, err, "chmod 600 "+path)
	require.NoError(t, os.Chmod(path, 0o600))
	require.NoError(t, os.WriteFile(path, []byte("x"), 0o600))
	_, err = audit.LoadSigner(path)
	require.ErrorIs(t, err, audit.ErrKey)
}
