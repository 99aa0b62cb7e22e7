package sqlite_test

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/callward/callward/storage"
	"github.com/callward/callward/storage/seal"
	"github.com/callward/callward/storage/sqlite"
	"github.com/callward/callward/storage/storagetest"
)

var ctx = context.Background()

func audit(action string) func(storage.Tx) error {
	return func(tx storage.Tx) error {
		_, err := tx.Audit(storagetest.Entry(action))
		return err
	}
}

func size(t *testing.T, s *sqlite.Store) (n int64) {
	t.Helper()
	require.NoError(t, s.View(ctx, func(tx storage.Tx) error {
		tree, err := tx.AuditTree()
		n = tree.Size
		return err
	}))
	return n
}

func TestLockedByAnotherProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "callward.db")
	s := open(t, sqlite.Config{Path: path, Busy: time.Millisecond})
	other, err := sql.Open("sqlite3", "file:"+path+"?_txlock=immediate")
	require.NoError(t, err)
	defer func() { require.NoError(t, other.Close()) }()
	tx, err := other.Begin()
	require.NoError(t, err)
	require.ErrorIs(t, s.Update(ctx, audit("x")), storage.ErrUnavailable)
	assert.Zero(t, size(t, s), "reading goes on")
	require.NoError(t, tx.Rollback())
	require.NoError(t, s.Update(ctx, audit("x")))
}

// Somebody else appended: the next entry takes the next number.
func TestAppendedByAnotherProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "callward.db")
	a, b := open(t, sqlite.Config{Path: path}), open(t, sqlite.Config{Path: path})
	for range 3 {
		require.NoError(t, a.Update(ctx, audit("a")))
		require.NoError(t, b.Update(ctx, audit("b")))
	}
	require.EqualValues(t, 6, size(t, a))
	checkLog(t, a)
}

func TestDiskFull(t *testing.T) {
	s := open(t, sqlite.Config{Path: filepath.Join(t.TempDir(), "callward.db")})
	require.NoError(t, s.Update(ctx, audit("before")))
	require.NoError(t, s.Exec("PRAGMA max_page_count = 1")) // as few as are there
	var full error
	for range 200 {
		if full = s.Update(ctx, audit("fill")); full != nil {
			break
		}
	}
	require.ErrorIs(t, full, storage.ErrUnavailable)
	before := size(t, s)

	// One that hides the error still fails, and so does nothing by halves.
	err := s.Update(ctx, func(tx storage.Tx) error {
		for range 200 {
			_ = tx.PutCall(storage.Call{ID: "hidden"})
			_, _ = tx.Audit(storagetest.Entry("hidden"))
		}
		return nil
	})
	require.ErrorIs(t, err, storage.ErrUnavailable)

	// Each of those who shared a transaction learns what became of his part.
	inside, release := make(chan struct{}), make(chan struct{})
	results := make(chan error, 2)
	go func() {
		results <- s.Update(ctx, func(storage.Tx) error { close(inside); <-release; return nil })
	}()
	<-inside
	go func() {
		results <- s.Update(ctx, func(tx storage.Tx) error {
			for range 200 {
				if _, err := tx.Audit(storagetest.Entry("more")); err != nil {
					return err
				}
			}
			return nil
		})
	}()
	for s.Waiting() == 0 {
		runtime.Gosched()
	}
	close(release)
	failed := 0
	for range 2 {
		if err := <-results; err != nil {
			require.ErrorIs(t, err, storage.ErrUnavailable)
			failed++
		}
	}
	assert.Positive(t, failed)
	assert.Equal(t, before, size(t, s))

	require.NoError(t, s.Exec("PRAGMA max_page_count = 100000"))
	require.NoError(t, s.Update(ctx, audit("after")))
	require.Equal(t, before+1, size(t, s))
	checkLog(t, s)
}

func TestCorrupt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "callward.db")
	s := open(t, sqlite.Config{Path: path})
	for range 50 {
		require.NoError(t, s.Update(ctx, audit("x")))
	}
	require.NoError(t, s.Close())
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	write := func(from int) {
		b := append([]byte(nil), whole...)
		for i := from; i < len(b); i++ {
			b[i] = 0xa5
		}
		require.NoError(t, os.WriteFile(path, b, 0o600))
	}
	write(0)
	_, err = sqlite.Open(ctx, sqlite.Config{Path: path})
	require.ErrorIs(t, err, storage.ErrUnavailable)
	assert.ErrorContains(t, err, "restore the database from a backup")

	write(4096) // all but the schema
	s, err = sqlite.Open(ctx, sqlite.Config{Path: path})
	if err == nil {
		err = s.Update(ctx, audit("x"))
		require.NoError(t, s.Close())
	}
	require.ErrorIs(t, err, storage.ErrUnavailable)
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "callward.db")
	s := open(t, sqlite.Config{Path: path, Keys: newKeys(t)})
	require.NoError(t, s.Close())
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if fi, err := os.Stat(path + suffix); err == nil {
			assert.EqualValues(t, 0o600, fi.Mode().Perm(), suffix)
		}
	}

	_, err := sqlite.Open(ctx, sqlite.Config{Path: path, Keys: newKeys(t)})
	require.ErrorIs(t, err, storage.ErrSealed, "another keyset")
	descriptors, err := filepath.Glob("/proc/self/fd/*")
	require.NoError(t, err)
	for _, fd := range descriptors {
		if to, err := os.Readlink(fd); err == nil {
			assert.False(t, strings.HasPrefix(to, path), "a refused database is still open")
		}
	}

	require.NoError(t, os.Chmod(path, 0o640))
	_, err = sqlite.Open(ctx, sqlite.Config{Path: path})
	assert.ErrorContains(t, err, "chmod 600 "+path)
	require.NoError(t, os.Chmod(path, 0o600))

	_, err = sqlite.Open(ctx, sqlite.Config{Path: filepath.Join(dir, "none", "callward.db")})
	require.ErrorIs(t, err, storage.ErrUnavailable)
	require.ErrorIs(t, err, fs.ErrNotExist)

	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	_, err = sqlite.Open(cancelled, sqlite.Config{Path: path})
	require.ErrorIs(t, err, context.Canceled)

	s = open(t, sqlite.Config{Path: path})
	require.NoError(t, s.Exec("INSERT INTO schema_version VALUES (99, 0)"))
	require.NoError(t, s.Close())
	_, err = sqlite.Open(ctx, sqlite.Config{Path: path})
	require.ErrorIs(t, err, storage.ErrNewer)
	_, err = sqlite.OpenAudit(ctx, path)
	require.ErrorIs(t, err, storage.ErrNewer)

	strange := filepath.Join(dir, "strange.db")
	s = open(t, sqlite.Config{Path: strange})
	require.NoError(t, s.Exec(sqlite.SetApplicationID))
	require.NoError(t, s.Close())
	_, err = sqlite.Open(ctx, sqlite.Config{Path: strange})
	require.ErrorIs(t, err, storage.ErrUnavailable)
	assert.ErrorContains(t, err, "another program's")
}

// Signs that mean something in a data source name are only signs in a path.
func TestOddPath(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a?b=c#d%20 é.db")
	s := open(t, sqlite.Config{Path: path})
	require.NoError(t, s.Update(ctx, audit("x")))
	require.NoError(t, s.Close())
	fi, err := os.Stat(path)
	require.NoError(t, err)
	assert.Positive(t, fi.Size())
	r, err := sqlite.OpenAudit(ctx, path)
	require.NoError(t, err)
	assert.EqualValues(t, 1, r.Last())
	require.NoError(t, r.Close())
}

// A database that is taken away is unavailable, and is used again when it is
// back; one that was put in its place is not written to by half.
func TestFileTakenAway(t *testing.T) {
	dir := t.TempDir()
	path, away := filepath.Join(dir, "callward.db"), filepath.Join(dir, "away.db")
	s := open(t, sqlite.Config{Path: path})
	require.NoError(t, s.Update(ctx, audit("x")))
	require.NoError(t, os.Rename(path, away))
	nothing := func(storage.Tx) error { return nil }
	require.ErrorIs(t, s.Update(ctx, audit("x")), storage.ErrUnavailable)
	require.ErrorIs(t, s.View(ctx, nothing), storage.ErrUnavailable)
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	require.ErrorIs(t, s.Update(ctx, audit("x")), storage.ErrUnavailable)
	require.NoError(t, os.Rename(away, path))
	require.NoError(t, s.Update(ctx, audit("x")))
	assert.EqualValues(t, 2, size(t, s))
}

// Without keys everything but PHI works.
func TestWithoutKeys(t *testing.T) {
	s := open(t, sqlite.Config{Path: filepath.Join(t.TempDir(), "callward.db")})
	require.NoError(t, s.Update(ctx, func(tx storage.Tx) error {
		_, err := tx.Audit(storagetest.Entry("x"))
		return errors.Join(err, tx.PutCall(storage.Call{ID: "c1"}))
	}))
	for name, fn := range map[string]func(storage.Tx) error{
		"patient": func(tx storage.Tx) error { _, err := tx.PutPatient(storagetest.Jane(t)); return err },
		"match":   func(tx storage.Tx) error { _, err := tx.MatchPatients(storagetest.Jane(t).Identifiers); return err },
		"callback": func(tx storage.Tx) error {
			_, err := tx.AddCallback(storage.Callback{Phone: "+13105550142"})
			return err
		},
		"facts": func(tx storage.Tx) error {
			e := storagetest.Entry("x")
			e.Facts = storage.Facts("{}")
			_, err := tx.Audit(e)
			return err
		},
	} {
		assert.ErrorIs(t, s.Update(ctx, fn), storage.ErrSealed, name)
	}
	assert.ErrorIs(t, s.Reseal(ctx, nil), storage.ErrSealed)
}

// Callers that wait while another is inside share his commit.
func TestGroupCommit(t *testing.T) {
	s := open(t, sqlite.Config{Path: filepath.Join(t.TempDir(), "callward.db")})
	const callers = 20
	inside, release := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		assert.NoError(t, s.Update(ctx, func(tx storage.Tx) error {
			close(inside)
			<-release
			return audit("first")(tx)
		}))
	})
	<-inside
	for range callers {
		wg.Go(func() { assert.NoError(t, s.Update(ctx, audit("waiting"))) })
	}
	for s.Waiting() < callers {
		runtime.Gosched()
	}
	close(release)
	wg.Wait()
	assert.Equal(t, callers+1, s.LastBatch())
	require.NoError(t, s.Update(ctx, audit("alone")))
	assert.Equal(t, 1, s.LastBatch())
	checkLog(t, s)
}

// checkLog checks numbers and tree through the contract.
func checkLog(t *testing.T, s *sqlite.Store) []storage.StoredEntry {
	t.Helper()
	var entries []storage.StoredEntry
	require.NoError(t, s.View(ctx, func(tx storage.Tx) error {
		tree, err := tx.AuditTree()
		require.NoError(t, err)
		entries, err = tx.Entries(storage.EntryFilter{})
		require.NoError(t, err)
		require.Len(t, entries, int(tree.Size))
		hashes := []tlog.Hash{}
		reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
			out := make([]tlog.Hash, len(indexes))
			for i, x := range indexes {
				out[i] = hashes[x]
			}
			return out, nil
		})
		for i, e := range entries {
			require.EqualValues(t, i+1, e.Number)
			more, err := tlog.StoredHashes(int64(i), []byte(e.Leaf), reader)
			require.NoError(t, err)
			hashes = append(hashes, more...)
		}
		root, err := tlog.TreeHash(tree.Size, reader)
		require.NoError(t, err)
		require.EqualValues(t, root, tree.Root)
		return nil
	}))
	return entries
}

const crashEnv = "CALLWARD_TEST_CRASH_DB"

// TestCrash kills a process in the midst of many writers, again and again.
// Every number it had reported is there afterwards, none is missing, and what
// an entry reports is there if and only if the entry is.
func TestCrash(t *testing.T) {
	path := filepath.Join(t.TempDir(), "callward.db")
	acknowledged := map[int64]bool{}
	for round := range 4 {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestCrashChild$")
		cmd.Env = append(os.Environ(), crashEnv+"="+path)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		lines := bufio.NewScanner(out)
		seen := 0
		for lines.Scan() {
			text, ok := strings.CutPrefix(lines.Text(), "committed ")
			n, err := strconv.ParseInt(text, 10, 64)
			if !ok || err != nil {
				continue
			}
			acknowledged[n] = true
			if seen++; seen == 100+30*round {
				require.NoError(t, cmd.Process.Kill())
			}
		}
		require.Error(t, cmd.Wait())
		require.GreaterOrEqual(t, seen, 100)

		s, err := sqlite.Open(ctx, sqlite.Config{Path: path})
		require.NoError(t, err)
		entries := checkLog(t, s)
		for n := range acknowledged {
			require.LessOrEqual(t, n, int64(len(entries)), "a number that was reported is gone")
		}
		require.NoError(t, s.View(ctx, func(tx storage.Tx) error {
			calls, err := tx.OpenCalls()
			require.NoError(t, err)
			require.Len(t, calls, len(entries))
			for _, e := range entries {
				_, err := tx.Call(e.Entry.Action)
				require.NoError(t, err)
			}
			return nil
		}))
		require.NoError(t, s.Close())
	}
}

// TestCrashChild is the process that TestCrash kills.
func TestCrashChild(t *testing.T) {
	path := os.Getenv(crashEnv)
	if path == "" {
		return // run by itself it has nothing to do
	}
	s, err := sqlite.Open(ctx, sqlite.Config{Path: path})
	require.NoError(t, err)
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := 0; ; i++ {
				var n int64
				name := fmt.Sprintf("p%d.w%d.%d", os.Getpid(), w, i)
				err := s.Update(ctx, func(tx storage.Tx) (err error) {
					if n, err = tx.Audit(storagetest.Entry(name)); err != nil {
						return err
					}
					return tx.PutCall(storage.Call{ID: name})
				})
				if err != nil {
					fmt.Println("failed", err)
					return
				}
				fmt.Println("committed", n)
			}
		})
	}
	wg.Wait()
}

func newKeyset(t *testing.T) (*seal.Keys, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keyset.json")
	k, err := seal.Create(path)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, k.Close()) })
	return k, path
}
