package policy_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/callward/callward/policy"
)

// A case is one document of testdata/cases: the usual facts of an action, what
// differs from them, and what each profile then says.
type testCase struct {
	ID     string         `yaml:"id"`
	When   string         `yaml:"when"`
	Given  string         `yaml:"given"`
	But    map[string]any `yaml:"but"`
	Then   map[string]say `yaml:"then"`
	Why    string         `yaml:"why"`
	Source string         `yaml:"source"`
	Edge   string         `yaml:"edge"` // the edge case of the catalogue, in its words
}

// say is what a profile says. Deny lists every failing rule; Must and Cure,
// where given, are all obligations and remedies.
type say struct {
	Allow bool     `yaml:"allow"`
	By    []string `yaml:"by"` // rules that must be among the satisfied ones
	Deny  []string `yaml:"deny"`
	Must  []string `yaml:"must"`
	Cure  []string `yaml:"cure"`
}

func readCases(t testing.TB) []testCase {
	t.Helper()
	files, err := filepath.Glob("testdata/cases/*.yaml")
	require.NoError(t, err)
	var out []testCase
	seen := map[string]bool{}
	for _, file := range files {
		b, err := os.ReadFile(file)
		require.NoError(t, err)
		dec := yaml.NewDecoder(bytes.NewReader(b))
		dec.KnownFields(true)
		for {
			var c testCase
			err := dec.Decode(&c)
			if errors.Is(err, io.EOF) {
				break
			}
			require.NoError(t, err, file)
			require.NotEmpty(t, c.ID, file)
			require.False(t, seen[c.ID], "%s: case %s comes twice", file, c.ID)
			require.NotEmpty(t, c.Why, c.ID)
			require.NotEmpty(t, c.Source, c.ID)
			require.NotEmpty(t, c.Then, c.ID)
			seen[c.ID] = true
			out = append(out, c)
		}
	}
	return out
}

var usualFacts = sync.OnceValues(func() (map[string]map[string]any, error) {
	var all map[string]map[string]any
	b, err := os.ReadFile("testdata/usual.yaml")
	if err != nil {
		return nil, err
	}
	return all, yaml.Unmarshal(b, &all)
})

// usual returns a fresh copy of an action's usual facts.
func usual(t testing.TB, action string) map[string]any {
	t.Helper()
	all, err := usualFacts()
	require.NoError(t, err)
	require.Contains(t, all, action)
	return clone(t, all[action]).(map[string]any)
}

func clone(t testing.TB, v any) any {
	b, err := json.Marshal(v)
	require.NoError(t, err)
	var out any
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	require.NoError(t, dec.Decode(&out))
	return out
}

// set puts a value at a path such as parties.0.answers; null removes it, and
// "+" appends to a list. False: there is no such place.
func set(at any, path string, v any) (any, bool) {
	head, rest, more := strings.Cut(path, ".")
	switch node := at.(type) {
	case map[string]any:
		ok := true
		switch {
		case more:
			node[head], ok = set(node[head], rest, v)
		case v == nil:
			delete(node, head)
		default:
			node[head] = v
		}
		return node, ok
	case []any:
		if head == "+" {
			return append(node, v), true
		}
		i, err := strconv.Atoi(head)
		if err != nil || i >= len(node) {
			return node, false
		}
		ok := true
		switch {
		case more:
			node[i], ok = set(node[i], rest, v)
		case v == nil:
			node = slices.Delete(node, i, i+1)
		default:
			node[i] = v
		}
		return node, ok
	}
	return at, false
}

func request(t testing.TB, action string, facts any) policy.Request {
	t.Helper()
	b, err := json.Marshal(map[string]any{"action": action, "facts": facts})
	require.NoError(t, err)
	r, err := policy.DecodeRequest(b)
	require.NoError(t, err)
	return r
}

func (c *testCase) request(t testing.TB) policy.Request {
	t.Helper()
	var facts any = map[string]any{}
	if c.Given == "usual" {
		facts = usual(t, c.When)
	} else {
		require.Equal(t, "nothing", c.Given, "%s: given is usual or nothing", c.ID)
	}
	facts, ok := c.differ(t, facts)
	require.True(t, ok, "%s: there is no such fact", c.ID)
	return request(t, c.When, facts)
}

// differ applies what a case says is different.
func (c *testCase) differ(t testing.TB, facts any) (any, bool) {
	t.Helper()
	paths := make([]string, 0, len(c.But))
	for path := range c.But {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	for _, path := range paths {
		v := c.But[path]
		if v != nil {
			v = clone(t, v)
		}
		var ok bool
		if facts, ok = set(facts, path, v); !ok {
			return nil, false
		}
	}
	return facts, true
}

func TestCases(t *testing.T) {
	cases := readCases(t)
	assert.Greater(t, len(cases), 200)
	for _, c := range cases {
		t.Run(c.ID, func(t *testing.T) {
			r := c.request(t)
			_, both := c.Then["both"]
			for _, profile := range []string{"default", "federal"} {
				want := c.Then[profile]
				if both {
					require.Len(t, c.Then, 1)
					want = c.Then["both"]
				} else {
					require.Len(t, c.Then, 2, "a case says both profiles")
				}
				p, err := policy.ByName(profile)
				require.NoError(t, err)
				want.check(t, profile, p.Decide(r))
			}
		})
	}
}

func (s say) check(t *testing.T, profile string, d policy.Decision) {
	t.Helper()
	var rules []string
	for _, r := range d.Rules {
		rules = append(rules, string(r))
	}
	require.NotEqual(t, s.Allow, len(s.Deny) > 0, "a case allows or denies")
	require.Equal(t, s.Allow, d.Allowed(), "%s: %s: %v", profile, d.Reason, d.Rules)
	if s.Allow {
		assert.Subset(t, rules, s.By, profile)
		assert.Empty(t, d.Remedies, profile)
	} else {
		assert.Equal(t, s.Deny, rules, "%s: %s", profile, d.Reason)
	}
	if s.Must != nil {
		must := []string{}
		for _, o := range d.Obligations {
			text := string(o.Kind)
			if o.Within != 0 {
				text += " " + o.Within.String()
			}
			must = append(must, text)
		}
		assert.Equal(t, s.Must, must, profile)
	}
	if s.Cure != nil {
		cure := []string{}
		for _, r := range d.Remedies {
			text := string(r.Kind)
			for _, more := range []string{r.Input, r.Party} {
				if more != "" {
					text += " " + more
				}
			}
			if !r.NotBefore.IsZero() {
				text += " " + r.NotBefore.Format("2006-01-02T15:04:05Z07:00")
			}
			cure = append(cure, text)
		}
		assert.Equal(t, s.Cure, cure, profile)
	}
	assert.NotEmpty(t, d.Rules)
	assert.NotEmpty(t, d.Reason)
	assert.NotEmpty(t, d.Citations)
	assert.Equal(t, profile, d.Profile)
}

// Every rule of the catalogue is seen to satisfy and to deny, in cases.
func TestCasesCoverEveryRule(t *testing.T) {
	denied, satisfied := map[policy.RuleID]bool{}, map[policy.RuleID]bool{}
	for _, c := range readCases(t) {
		for _, p := range []*policy.Policy{policy.Default(), policy.Federal()} {
			d := p.Decide(c.request(t))
			for _, r := range d.Rules {
				if d.Allowed() {
					satisfied[r] = true
				} else {
					denied[r] = true
				}
			}
		}
	}
	for _, r := range policy.Rules() {
		assert.True(t, denied[r.ID], "no case is denied by %s", r.ID)
		assert.True(t, satisfied[r.ID], "no case satisfies %s", r.ID)
	}
}

// The usual facts are allowed in both profiles; every other test starts there.
func TestUsualIsAllowed(t *testing.T) {
	for _, action := range policy.Actions() {
		for _, p := range []*policy.Policy{policy.Default(), policy.Federal()} {
			d := p.Decide(request(t, action, usual(t, action)))
			assert.True(t, d.Allowed(), "%s %s: %s %v", p.Name(), action, d.Reason, d.Rules)
		}
	}
}
