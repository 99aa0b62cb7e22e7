package policy_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/callward/callward/policy"
)

var profiles = []*policy.Policy{policy.Default(), policy.Federal()}

// drawFacts mixes what differs in up to three cases of one action into its
// usual facts, so that many rules meet in one request.
func drawFacts(t testing.TB, rt *rapid.T, cases []testCase) (string, any) {
	action := rapid.SampledFrom(policy.Actions()).Draw(rt, "action")
	var of []testCase
	for _, c := range cases {
		if c.When == action && c.Given == "usual" {
			of = append(of, c)
		}
	}
	var facts any = usual(t, action)
	for range rapid.IntRange(0, 3).Draw(rt, "differences") {
		c := rapid.SampledFrom(of).Draw(rt, "case")
		if more, ok := c.differ(t, clone(t, facts)); ok {
			facts = more
		}
	}
	return action, facts
}

// leaves lists the paths of all facts that are no lists of things.
func leaves(at any, path string) []string {
	var out []string
	switch node := at.(type) {
	case map[string]any:
		keys := make([]string, 0, len(node))
		for k := range node {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		for _, k := range keys {
			out = append(out, leaves(node[k], path+"."+k)...)
		}
	case []any:
		for i, v := range node {
			out = append(out, leaves(v, fmt.Sprintf("%s.%d", path, i))...)
		}
	default:
		out = append(out, strings.TrimPrefix(path, "."))
	}
	return out
}

func consistent(p *policy.Policy, r policy.Request) bool {
	for _, f := range p.Explain(r) {
		if f.Rule == "engine.fail_closed" && f.Outcome == policy.Deny {
			return false
		}
	}
	return true
}

// notYet are instants whose absence is documented as "not yet", and is no
// missing fact.
var notYet = []string{"announced_at", "announcement.said_at"}

// place tells the elements of lists of strings apart from facts: to take a
// location or an identifier away is to take a thing away, not a fact about it.
func place(path string) bool {
	last := path[strings.LastIndexByte(path, '.')+1:]
	return last[0] >= '0' && last[0] <= '9'
}

// From facts that agree with each other, taking one away never allows what was
// denied.
func TestRemovingAFactNeverAllows(t *testing.T) {
	check := func(t assert.TestingT, action string, facts any) {
		tb := t.(interface {
			assert.TestingT
			Helper()
		})
		tb.Helper()
		r := mustRequest(action, facts)
		for _, p := range profiles {
			if p.Decide(r).Allowed() || !consistent(p, r) {
				continue
			}
			for _, path := range leaves(facts, "") {
				if slices.Contains(notYet, path) || place(path) {
					continue
				}
				less, ok := set(mustClone(facts), path, nil)
				require.True(requirer{t}, ok)
				d := p.Decide(mustRequest(action, less))
				assert.False(t, d.Allowed(), "%s %s: without %s it is allowed", p.Name(), action, path)
			}
		}
	}
	cases := readCases(t)
	for _, c := range cases {
		if c.Given == "usual" {
			facts, ok := c.differ(t, usual(t, c.When))
			require.True(t, ok)
			check(t, c.When, facts)
		}
	}
	rapid.Check(t, func(rt *rapid.T) {
		action, facts := drawFacts(t, rt, cases)
		check(rt, action, facts)
	})
}

// From the usual, allowed facts, taking any needed one away denies.
func TestEveryUsualFactIsNeeded(t *testing.T) {
	// What may be absent: hints, reasons to be milder, what is not yet, and what
	// the default profile does not ask.
	spare := map[string][]string{
		"PlaceCall":         {"at", "audit_writable"},
		"ConnectLeg":        {"audit_writable", "emergency"},
		"StartRecording":    {"parties.0.locations.0", "parties.1.locations.0", "parties.1.language"},
		"ContinueRecording": {"parties.0.locations.0", "parties.1.locations.0", "parties.1.language", "announce_prompt"},
		"RouteCall":         {"audit_writable"},
		"Verify":            {"caller_id"},
		"Disclose":          {"emergency"},
		"Reply":             {"audit_writable"},
		"AnnounceAgent":     {"audit_writable", "announcement.said_at"},
	}
	for _, action := range policy.Actions() {
		facts := usual(t, action)
		for _, path := range leaves(facts, "") {
			less, ok := set(clone(t, facts), path, nil)
			require.True(t, ok)
			d := policy.Default().Decide(request(t, action, less))
			if slices.Contains(spare[action], path) {
				assert.True(t, d.Allowed(), "%s without %s: %v", action, path, d.Rules)
			} else {
				assert.False(t, d.Allowed(), "%s without %s is allowed", action, path)
			}
		}
	}
}

// A withdrawal added to any party never allows.
func TestAddingAWithdrawalNeverAllows(t *testing.T) {
	cases := readCases(t)
	rapid.Check(t, func(rt *rapid.T) {
		action, facts := drawFacts(t, rt, cases)
		parties, _ := facts.(map[string]any)["parties"].([]any)
		if len(parties) == 0 {
			return
		}
		i := rapid.IntRange(0, len(parties)-1).Draw(rt, "party")
		party := parties[i].(map[string]any)
		if party["withdrawn"] != "no" {
			return
		}
		party["withdrawn"], party["withdrawn_at"] = "yes", facts.(map[string]any)["at"]
		for _, p := range profiles {
			assert.False(rt, p.Decide(mustRequest(action, facts)).Allowed(), "%s %s", p.Name(), action)
		}
	})
}

// An unknown value of any enumeration denies.
func TestUnknownEnumsDeny(t *testing.T) {
	free := []string{ // ids, versions, instants, and hints that no rule heeds
		"at", "call_id", "id", "key", "key_id", "prompt_version", "announce_prompt", "patient_id", "target_patient",
		"agent_id", "on_call_id", "policy_version", "course", "caller_id", "emergency", "language", "digits",
		"completed_at", "expires_at", "hired_at", "policy_changed_at", "said_at", "notice_at", "withdrawn_at",
		"allowed_at", "segment_started_at", "announced_at", "agent_joined_at", "longest_hold",
	}
	for _, action := range policy.Actions() {
		facts := usual(t, action)
		for _, path := range leaves(facts, "") {
			v := at(facts, path)
			last := path[strings.LastIndexByte(path, '.')+1:]
			_, isText := v.(string)
			if !isText || slices.Contains(free, last) && !(last == "emergency" && strings.Contains(action, "Recording")) || strings.Contains(path, "locations") {
				continue
			}
			more, ok := set(clone(t, facts), path, "zzz")
			require.True(t, ok)
			d := policy.Default().Decide(request(t, action, more))
			assert.False(t, d.Allowed(), "%s with %s zzz is allowed", action, path)
		}
	}
}

// The order of lists does not matter; nothing panics; the same facts give the
// same bytes; Explain says what Decide says.
func TestDecisionsAreStable(t *testing.T) {
	cases := readCases(t)
	rapid.Check(t, func(rt *rapid.T) {
		action, facts := drawFacts(t, rt, cases)
		r := mustRequest(action, facts)
		shuffled := mustRequest(action, shuffle(rt, mustClone(facts)))
		for _, p := range profiles {
			d := p.Decide(r)
			one, err := policy.EncodeDecision(d)
			require.NoError(rt, err)
			two, err := policy.EncodeDecision(p.Decide(mustRequest(action, facts)))
			require.NoError(rt, err)
			assert.Equal(rt, string(one), string(two))

			s := p.Decide(shuffled)
			assert.Equal(rt, d.Outcome, s.Outcome)
			assert.Equal(rt, d.Rules, s.Rules)
			assert.Equal(rt, d.Obligations, s.Obligations)
			assert.Equal(rt, d.Citations, s.Citations)
			assert.ElementsMatch(rt, d.Remedies, s.Remedies)

			var failing, satisfied []policy.RuleID
			for _, f := range p.Explain(r) {
				assert.NotEmpty(rt, f.Saw)
				switch {
				case f.Outcome == policy.Deny:
					failing = append(failing, f.Rule)
				case !f.Silent:
					satisfied = append(satisfied, f.Rule)
				}
			}
			if d.Allowed() {
				assert.Equal(rt, d.Rules, satisfied)
				assert.Empty(rt, failing)
			} else {
				assert.Equal(rt, d.Rules, failing)
			}
		}
	})
}

// Rules are reported in the order of the catalogue.
func TestCatalogueOrder(t *testing.T) {
	order := map[policy.RuleID]int{}
	for i, r := range policy.Rules() {
		order[r.ID] = i
	}
	for _, action := range policy.Actions() {
		for _, p := range profiles {
			last := -1
			findings := p.Explain(request(t, action, map[string]any{}))
			require.NotEmpty(t, findings)
			for _, f := range findings {
				n, ok := order[f.Rule]
				require.True(t, ok, f.Rule)
				assert.Greater(t, n, last, "%s: %s", action, f.Rule)
				last = n
			}
		}
	}
}

func at(node any, path string) any {
	for head := range strings.SplitSeq(path, ".") {
		switch n := node.(type) {
		case map[string]any:
			node = n[head]
		case []any:
			i := 0
			_, _ = fmt.Sscan(head, &i)
			node = n[i]
		}
	}
	return node
}

func shuffle(rt *rapid.T, node any) any {
	switch n := node.(type) {
	case map[string]any:
		for k, v := range n {
			n[k] = shuffle(rt, v)
		}
	case []any:
		for i := range n {
			n[i] = shuffle(rt, n[i])
		}
		if len(n) > 1 {
			return rapid.Permutation(n).Draw(rt, "order")
		}
	}
	return node
}

func mustClone(v any) any {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	var out any
	if err := json.Unmarshal(b, &out); err != nil {
		panic(err)
	}
	return out
}

func mustRequest(action string, facts any) policy.Request {
	b, err := json.Marshal(map[string]any{"action": action, "facts": facts})
	if err != nil {
		panic(err)
	}
	r, err := policy.DecodeRequest(b)
	if err != nil {
		panic(err)
	}
	return r
}

// requirer lets require stop a test that assert only marks.
type requirer struct{ assert.TestingT }

func (requirer) FailNow() { panic("stopped") }
