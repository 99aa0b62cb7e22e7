package arch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const root = "../.."

// source is every Go file of the module that is not a test, parsed, by package path.
func source(t *testing.T, wanted func(path string) bool) map[string][]*ast.File {
	t.Helper()
	files := map[string][]*ast.File{}
	fset := token.NewFileSet()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() && path != root && (strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") || slices.Contains([]string{"testdata", "vendor", "bin", "run"}, name)) {
			return fs.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(name, ".go") || !wanted(path) {
			return nil
		}
		f, err := parser.ParseFile(fset, path, nil, parser.SkipObjectResolution|parser.ParseComments)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, filepath.Dir(path))
		files[filepath.ToSlash(rel)] = append(files[filepath.ToSlash(rel)], f)
		return err
	})
	require.NoError(t, err)
	require.NotEmpty(t, files)
	return files
}

func notTest(path string) bool { return !strings.HasSuffix(path, "_test.go") }

func TestArrows(t *testing.T) {
	all := Imports{}
	for pkg, files := range source(t, notTest) {
		for _, f := range files {
			for _, spec := range f.Imports {
				path, err := strconv.Unquote(spec.Path.Value)
				require.NoError(t, err)
				all[pkg] = append(all[pkg], path)
			}
		}
	}
	for _, v := range Violations(all) {
		t.Error(v)
	}
}

// TestArrowsSeeAFault plants one fault for each rule.
func TestArrowsSeeAFault(t *testing.T) {
	tests := []struct{ pkg, imports, want string }{
		{"policy", "os", "policy never may"},
		{"policy", "net/http", "policy never may"},
		{"policy", "log/slog", "policy never may"},
		{"policy", "golang.org/x/mod/semver", "the standard library only"},
		{"policy", Module + "/storage", "may import only policy"},
		{"policy/profile", "os/exec", "policy never may"},
		{"ari", Module + "/policy", "may import only ari"},
		{"ari/aritest", Module + "/internal/lab", "may import only ari"},
		{"agi", Module + "/ari", "may import only agi"},
		{"storage/sqlite", Module + "/internal/audit", "may import only storage, policy"},
		{"storage", Module + "/ari", "may import only storage, policy"},
		{"internal/recording", Module + "/ari", "internal/recording never may"},
		{"internal/recording", Module + "/cmd/callward", "may import only"},
		{"internal/callflow", Module + "/internal/lab/softphone", "internal/callflow never may"},
		{"internal/callflow", Module + "/storage/sqlite", "internal/callflow never may"},
		{"internal/importer", Module + "/internal/config", "internal never may"},
		{"internal/prompts", Module + "/test/e2e", "may import only"},
		{"asterisk-config", Module + "/internal/prompts", "may import only asterisk-config"},
		{"somewhere", "fmt", "is in no room"},
	}
	for _, tt := range tests {
		t.Run(tt.pkg+" "+tt.imports, func(t *testing.T) {
			got := Violations(Imports{tt.pkg: {tt.imports}})
			require.Len(t, got, 1)
			assert.Contains(t, got[0], tt.want)
		})
	}
	assert.Empty(t, Violations(Imports{
		"policy":            {"time", "encoding/json", Module + "/policy/internal/x"},
		"policyish":         nil,
		"cmd/callward":      {Module + "/internal/callflow", "os"},
		"internal/callflow": {Module + "/ari", Module + "/storage", Module + "/internal/queue"},
	})[1:])
}

// impure lists what a pure package may not do: read a clock, wait, or start a goroutine.
func impure(f *ast.File) []string {
	var out []string
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			out = append(out, "starts a goroutine")
		case *ast.SelectorExpr:
			pkg, ok := n.X.(*ast.Ident)
			if ok && pkg.Name == "time" && slices.Contains([]string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"}, n.Sel.Name) {
				out = append(out, "uses time."+n.Sel.Name)
			}
		}
		return true
	})
	return out
}

func TestPolicyIsPure(t *testing.T) {
	for pkg, files := range source(t, notTest) {
		if !under(pkg, "policy") {
			continue
		}
		for _, f := range files {
			for _, what := range impure(f) {
				t.Errorf("%s %s: facts, the instant among them, are handed in", pkg, what)
			}
		}
	}
}

func TestPolicyIsPureSeesAFault(t *testing.T) {
	f, err := parser.ParseFile(token.NewFileSet(), "planted.go", `package policy
func f() { go g(); _ = time.Now(); time.Tick(1); _ = time.Unix(1, 0) }`, parser.SkipObjectResolution)
	require.NoError(t, err)
	assert.Equal(t, []string{"starts a goroutine", "uses time.Now", "uses time.Tick"}, impure(f))
}

// TestFirstFileSaysWhatLivesThere holds habit 1: each package has a package comment.
func TestFirstFileSaysWhatLivesThere(t *testing.T) {
	for pkg, files := range source(t, notTest) {
		if !slices.ContainsFunc(files, func(f *ast.File) bool { return f.Doc != nil }) {
			t.Errorf("%s has no package comment: say what lives there and what never may", pkg)
		}
	}
}

func TestRootIsTheModule(t *testing.T) {
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	require.NoError(t, err)
	assert.True(t, strings.HasPrefix(string(mod), "module "+Module+"\n"))
}
