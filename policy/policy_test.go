package policy_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/callward/callward/policy"
)

func empties() []policy.Request {
	return []policy.Request{
		&policy.PlaceCall{}, &policy.ConnectLeg{}, &policy.KeepRecord{}, &policy.StartRecording{},
		&policy.ContinueRecording{}, &policy.RouteCall{}, &policy.Verify{}, &policy.VerifyBilling{},
		&policy.Disclose{}, &policy.Reply{}, &policy.AnnounceAgent{}, &policy.JoinQueue{},
	}
}

func TestZeroValuesDeny(t *testing.T) {
	var names []string
	for _, r := range empties() {
		names = append(names, r.Action())
		for _, p := range []*policy.Policy{policy.Default(), policy.Federal(), nil, {}} {
			d := p.Decide(r)
			assert.False(t, d.Allowed(), r.Action())
			assert.Contains(t, d.Rules, policy.RuleID("engine.fail_closed"), r.Action())
			assert.Equal(t, r.Action(), d.Action)
		}
	}
	assert.Equal(t, policy.Actions(), names)
}

func TestNothingToDecide(t *testing.T) {
	nils := []policy.Request{
		nil, (*policy.PlaceCall)(nil), (*policy.ConnectLeg)(nil), (*policy.KeepRecord)(nil), (*policy.StartRecording)(nil),
		(*policy.ContinueRecording)(nil), (*policy.RouteCall)(nil), (*policy.Verify)(nil), (*policy.VerifyBilling)(nil),
		(*policy.Disclose)(nil), (*policy.Reply)(nil), (*policy.AnnounceAgent)(nil), (*policy.JoinQueue)(nil),
	}
	for _, p := range []*policy.Policy{policy.Default(), nil, {}} {
		for _, r := range nils {
			d := p.Decide(r)
			assert.False(t, d.Allowed())
			assert.Equal(t, []policy.RuleID{"engine.fail_closed"}, d.Rules)
			assert.Empty(t, p.Explain(r))
		}
	}
	for _, r := range empties() {
		assert.Empty(t, (*policy.Policy)(nil).Explain(r))
	}
}

// Without any profile, usual facts are denied and emergency calls go through.
func TestNoProfile(t *testing.T) {
	for _, p := range []*policy.Policy{nil, {}} {
		for _, action := range policy.Actions() {
			d := p.Decide(request(t, action, usual(t, action)))
			assert.Equal(t, action == "PlaceCall", d.Allowed(), action)
			assert.Empty(t, d.Profile)
		}
		assert.False(t, p.Decide(&policy.PlaceCall{Digits: "6175550123"}).Allowed())
	}
}

func TestProfiles(t *testing.T) {
	for _, name := range []string{"default", "federal"} {
		p, err := policy.ByName(name)
		require.NoError(t, err)
		assert.Equal(t, name, p.Name())
		params := p.Params()
		params.Identifiers = 0
		assert.Equal(t, 2, p.Params().Identifiers, "a profile cannot be changed")
	}
	_, err := policy.ByName("lenient")
	require.ErrorIs(t, err, policy.ErrUnknownProfile)
	assert.Contains(t, err.Error(), "federal")
}

func TestRules(t *testing.T) {
	rules := policy.Rules()
	want := []policy.RuleID{
		"emergency.call.never_blocked", "engine.fail_closed", "crypto.transport.voice", "crypto.at_rest",
		"recording.default_off", "recording.consent.required", "recording.consent.all_parties",
		"recording.consent.evidence", "recording.consent.revoked", "recording.consent.no_detriment", "recording.secure",
		"identity.verify.before_phi", "identity.identifiers.two", "identity.identifiers.caller_id",
		"identity.match.normalise", "identity.match.unique", "identity.billing.extra", "identity.attempts.limit",
		"identity.no_oracle", "identity.scope", "outbound.identification.agent", "audit.every_decision", "training.current",
	}
	require.Len(t, rules, len(want))
	for i, r := range rules {
		assert.Equal(t, want[i], r.ID)
		assert.NotEmpty(t, r.Sentence, r.ID)
		assert.NotEmpty(t, r.Citations, r.ID)
		assert.NotEmpty(t, r.Default, r.ID)
		assert.NotEmpty(t, r.Federal, r.ID)
	}
	rules[0].Citations[0] = "changed"
	assert.NotEqual(t, "changed", policy.Rules()[0].Citations[0], "the catalogue cannot be changed")

	// HIPAA is not cited for what is not HIPAA.
	for _, r := range rules {
		cites := strings.Join(r.Citations, " ")
		if strings.HasPrefix(string(r.ID), "recording.consent.required") || r.ID == "recording.consent.all_parties" {
			assert.NotContains(t, cites, "164.", r.ID)
		}
		assert.NotContains(t, cites, "164.509", r.ID)
	}
}

// Appending to a decision's lists does not reach the next decision.
func TestSharedListsAreClipped(t *testing.T) {
	r := request(t, "StartRecording", usual(t, "StartRecording"))
	d := policy.Default().Decide(r)
	_ = append(d.Rules, "x")
	_ = append(d.Citations, "x")
	_ = append(d.Obligations, policy.Obligation{})
	assert.Equal(t, d, policy.Default().Decide(r))
}

// The package is pure: the standard library only, no I/O, no clock, no
// goroutine, no log.
func TestPurity(t *testing.T) {
	allowed := []string{
		"bytes", "crypto/sha256", "encoding/json", "errors", "fmt", "io", "math", "slices", "strconv", "strings", "time", "unicode",
	}
	entries, err := os.ReadDir(".")
	require.NoError(t, err)
	checked := 0
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		checked++
		file, err := parser.ParseFile(token.NewFileSet(), e.Name(), nil, 0)
		require.NoError(t, err)
		for _, i := range file.Imports {
			path, err := strconv.Unquote(i.Path.Value)
			require.NoError(t, err)
			assert.True(t, slices.Contains(allowed, path), "%s imports %s", e.Name(), path)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt, *ast.SelectStmt, *ast.ChanType:
				t.Errorf("%s: goroutines and channels have no place here", e.Name())
			case *ast.SelectorExpr:
				if x, ok := n.X.(*ast.Ident); ok {
					name := x.Name + "." + n.Sel.Name
					for _, clock := range []string{"time.Now", "time.Since", "time.Until", "time.Sleep", "time.After", "time.Tick", "time.NewTimer", "time.NewTicker", "time.AfterFunc", "time.LoadLocation", "time.Local", "fmt.Print", "fmt.Println", "fmt.Printf"} {
						assert.NotEqual(t, clock, name, e.Name())
					}
				}
			}
			return true
		})
	}
	assert.Greater(t, checked, 10)
}
