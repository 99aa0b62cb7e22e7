package arch

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// word is something no tracked file may hold. The expressions are written so that this file does not hold
// them itself.
type word struct {
	what  string
	re    *regexp.Regexp
	files *regexp.Regexp // nil: all
	but   string         // a file that holds this may
}

var words = []word{
	{"an unfinished note", regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X|HA` + `CK)\b`), nil, ""},
	{"a skipped test", regexp.MustCompile(`\.Sk` + `ip(f|Now)?\(|testing\.Sh` + `ort\(`), regexp.MustCompile(`_test\.go$`), ""},
	{"a sleep in a test that has no fake clock", regexp.MustCompile(`\btime\.Sle` + `ep\(`), regexp.MustCompile(`_test\.go$`), `"testing/synctest"`},
	{"a path of one machine", regexp.MustCompile(`(^|[\s"'=(:` + "`" + `])/(wo` + `rk|ro` + `ot|ho` + `me)/[A-Za-z0-9._-]`), nil, ""},
	{"a temporary path", regexp.MustCompile(`(^|[\s"'=(:` + "`" + `])/tm` + `p/[A-Za-z0-9._-]`), regexp.MustCompile(`\.(go|sh|md|yaml|yml)$|^Makefile$|^\.ci/`), ""},
	{"a host of packages", regexp.MustCompile(`(?i)deb\.deb` + `ian\.org|(proxy|sum)\.gol` + `ang\.org|registry\.np` + `mjs|docker\.i` + `o/|gh` + `cr\.io|qu` + `ay\.io|archive\.ub` + `untu`), nil, ""},
	{"a private key", regexp.MustCompile(`AGE-SEC` + `RET-KEY-(PQ-)?1[0-9A-Z]{20}|BEGIN [A-Z ]*PRIV` + `ATE KEY|PRIVATE\+KE` + `Y\+`), nil, ""},
}

// faults lists the words found in a file's content, with their lines.
func faults(path string, content []byte) []string {
	var out []string
	for i, line := range bytes.Split(content, []byte("\n")) {
		for _, w := range words {
			if (w.files == nil || w.files.MatchString(path)) && w.re.Match(line) && (w.but == "" || !bytes.Contains(content, []byte(w.but))) {
				out = append(out, fmt.Sprintf("%s:%d: %s: %s", path, i+1, w.what, bytes.TrimSpace(line)))
			}
		}
	}
	return out
}

// tracked lists the files git knows, or, in a tree without git, all but what the Makefile makes.
func tracked(t *testing.T) []string {
	t.Helper()
	var files []string
	if _, err := os.Stat(filepath.Join(root, ".git")); err == nil {
		cmd := exec.CommandContext(t.Context(), "git", "ls-files", "-z")
		cmd.Dir = root
		out, err := cmd.Output()
		require.NoError(t, err, "git ls-files: is git installed?")
		files = strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
	} else {
		require.NoError(t, fs.WalkDir(os.DirFS(root), ".", func(path string, d fs.DirEntry, err error) error {
			if d.IsDir() && (path == "bin" || path == "run" || path == "vendor") {
				return fs.SkipDir
			}
			if !d.IsDir() {
				files = append(files, path)
			}
			return err
		}))
	}
	require.Greater(t, len(files), 10)
	return files
}

func TestWords(t *testing.T) {
	for _, path := range tracked(t) {
		content, err := os.ReadFile(filepath.Join(root, path))
		if os.IsNotExist(err) {
			continue // removed, not committed yet
		}
		require.NoError(t, err)
		for _, f := range faults(path, content) {
			t.Error(f)
		}
	}
}

// TestWordsSeeAFault plants one of each.
func TestWordsSeeAFault(t *testing.T) {
	for _, planted := range []string{
		"// TO" + "DO: later",
		"t." + "Skip(\"not here\")",
		"time." + "Sleep(time.Second)",
		"dir := \"/wo" + "rk/main\"",
		"see /ho" + "me/someone/x",
		"f, _ := os.Create(\"/tm" + "p/x\")",
		"https://proxy.gol" + "ang.org/",
		"AGE-SEC" + "RET-KEY-1QQQQQQQQQQQQQQQQQQQQQ",
	} {
		assert.Len(t, faults("a_test.go", []byte("first\n"+planted+"\n")), 1, planted)
	}
	assert.Empty(t, faults("a_test.go", []byte("import \"testing/synctest\"\ntime."+"Sleep(time.Second)\n")))
	assert.Empty(t, faults("a.go", []byte("time.Sleep is for a program; hackneyed, frameworks, /var/tmp\n")))
}

// TestFileLength keeps a file to what one can read in a sitting.
func TestFileLength(t *testing.T) {
	const most = 700
	for _, path := range tracked(t) {
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_gen.go") {
			continue
		}
		content, err := os.ReadFile(filepath.Join(root, path))
		if os.IsNotExist(err) || bytes.Contains(content, []byte("DO NOT EDIT")) {
			continue
		}
		require.NoError(t, err)
		if n := bytes.Count(content, []byte("\n")); n > most {
			t.Errorf("%s has %d lines: split it by idea (at most %d)", path, n, most)
		}
	}
}
