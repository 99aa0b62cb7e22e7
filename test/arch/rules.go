// Package arch holds what the tree must look like: which package may import which, and which words may
// not stand in a tracked file. It has tests only; nothing imports it. The rules are data, so that the
// tests can also show each of them failing on a planted fault.
package arch

import (
	"fmt"
	"slices"
	"strings"
)

// Module is the prefix of our own packages.
const Module = "github.com/callward/callward"

// Imports maps a package, as a path inside the module, to what it imports.
type Imports map[string][]string

// room is one rule: packages at or under path may import, of ours, only those at or under may.
type room struct {
	path   string
	may    []string
	never  []string // even when may says so
	stdlib bool     // nothing from outside the standard library either
}

// rooms are read from the top; the first whose path fits holds.
var rooms = []room{
	{path: "policy", may: []string{"policy"}, never: []string{"net", "os", "log", "io/fs", "syscall", "math/rand", "crypto/rand", "unsafe", "sync"}, stdlib: true},
	{path: "ari", may: []string{"ari"}},
	{path: "agi", may: []string{"agi"}},
	{path: "storage", may: []string{"storage", "policy"}},
	{path: "asterisk-config", may: []string{"asterisk-config"}},
	{path: "internal/recording", may: inner, never: []string{Module + "/ari", Module + "/agi", Module + "/internal/lab", Module + "/internal/config"}},
	{path: "internal/audit", may: inner, never: []string{Module + "/ari", Module + "/agi", Module + "/internal/lab", Module + "/internal/config"}},
	{path: "internal/callflow", may: inner, never: []string{Module + "/internal/lab", Module + "/internal/config", Module + "/storage/sqlite"}},
	{path: "internal/queue", may: []string{"internal/queue"}},
	{path: "internal/lab", may: inner},
	{path: "internal/config", may: []string{"internal/config", "policy"}},
	{path: "internal", may: inner, never: []string{Module + "/internal/lab", Module + "/internal/config"}},
	{path: "cmd", may: []string{"cmd", "internal", "ari", "agi", "storage", "policy", "asterisk-config"}},
	{path: "test", may: []string{"cmd", "internal", "ari", "agi", "storage", "policy", "asterisk-config", "test"}},
}

var inner = []string{"internal", "ari", "agi", "storage", "policy", "asterisk-config"}

// Violations lists each import that the rules forbid, sorted.
func Violations(all Imports) []string {
	var out []string
	for pkg, imports := range all {
		i := slices.IndexFunc(rooms, func(r room) bool { return under(pkg, r.path) })
		if i < 0 {
			out = append(out, fmt.Sprintf("%s is in no room: give it one in test/arch", pkg))
			continue
		}
		for _, imp := range imports {
			if why := rooms[i].refuses(imp); why != "" {
				out = append(out, fmt.Sprintf("%s imports %s: %s", pkg, imp, why))
			}
		}
	}
	slices.Sort(out)
	return out
}

func (r room) refuses(imp string) string {
	for _, n := range r.never {
		if under(imp, n) {
			return r.path + " never may"
		}
	}
	ours, isOurs := strings.CutPrefix(imp, Module+"/")
	if !isOurs {
		first, _, _ := strings.Cut(imp, "/")
		if r.stdlib && strings.Contains(first, ".") {
			return r.path + " imports the standard library only"
		}
		return ""
	}
	if !slices.ContainsFunc(r.may, func(m string) bool { return under(ours, m) }) {
		return r.path + " may import only " + strings.Join(r.may, ", ")
	}
	return ""
}

func under(path, dir string) bool { return path == dir || strings.HasPrefix(path, dir+"/") }
