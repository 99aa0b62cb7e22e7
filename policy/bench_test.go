package policy_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/callward/callward/policy"
)

var sink policy.Decision

// Usual requests are decided without allocating, in both profiles.
func TestAllowedDecisionsDoNotAllocate(t *testing.T) {
	for _, action := range policy.Actions() {
		r := request(t, action, usual(t, action))
		for _, p := range []*policy.Policy{policy.Default(), policy.Federal()} {
			require.True(t, p.Decide(r).Allowed())
			n := testing.AllocsPerRun(100, func() { sink = p.Decide(r) })
			assert.Zero(t, n, "%s %s", p.Name(), action)
		}
	}
}

func BenchmarkDecide(b *testing.B) {
	p := policy.Default()
	for _, action := range policy.Actions() {
		r := request(b, action, usual(b, action))
		b.Run(action, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				sink = p.Decide(r)
			}
		})
	}
	for _, action := range []string{"StartRecording", "Verify", "Disclose"} {
		r := request(b, action, map[string]any{})
		b.Run(action+"/denied", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				sink = p.Decide(r)
			}
		})
	}
}
