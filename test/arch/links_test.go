package arch

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	markdownLink = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading      = regexp.MustCompile(`(?m)^#+ (.+)$`)
	notAnchor    = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// broken lists the relative links of a document that lead nowhere.
func broken(path string, content []byte) []string {
	var out []string
	for _, m := range markdownLink.FindAllSubmatch(content, -1) {
		target, anchor, _ := strings.Cut(string(m[1]), "#")
		if strings.Contains(target, ":") {
			continue
		}
		to := filepath.Join(filepath.Dir(path), target)
		if target == "" {
			to = path
		}
		text, err := os.ReadFile(filepath.Join(root, to))
		if _, statErr := os.Stat(filepath.Join(root, to)); statErr != nil || anchor != "" && err != nil {
			out = append(out, path+" links to "+string(m[1])+", which is not there")
			continue
		}
		if anchor != "" && !anchors(text)[anchor] {
			out = append(out, path+" links to "+string(m[1])+", which has no such heading")
		}
	}
	return out
}

func anchors(text []byte) map[string]bool {
	all := map[string]bool{}
	for _, m := range heading.FindAllSubmatch(text, -1) {
		plain := notAnchor.ReplaceAllString(strings.ToLower(string(m[1])), "")
		all[strings.ReplaceAll(plain, " ", "-")] = true
	}
	return all
}

func TestLinks(t *testing.T) {
	for _, path := range tracked(t) {
		if !strings.HasSuffix(path, ".md") {
			continue
		}
		content, err := os.ReadFile(filepath.Join(root, path))
		if os.IsNotExist(err) {
			continue
		}
		require.NoError(t, err)
		for _, b := range broken(path, content) {
			t.Error(b)
		}
	}
}

func TestLinksSeeAFault(t *testing.T) {
	got := broken("docs/planted.md", []byte("[a](nowhere.md) [b](architecture.md) [c](architecture.md#no-such) [d](https://example.org/x)"))
	assert.Len(t, got, 2)
}
