package policy

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// What a check may say, and what comes of it.
func TestDocket(t *testing.T) {
	says := func(v verdict) func(*Params, *Reply) verdict { return func(*Params, *Reply) verdict { return v } }
	yes := check[*Reply]{rule: ruleAudit, look: says(verdict{word: satisfied, saw: "good"})}
	for name, c := range map[string]struct {
		checks  []check[*Reply]
		allowed bool
	}{
		"satisfied":              {[]check[*Reply]{yes}, true},
		"the zero verdict":       {[]check[*Reply]{{rule: ruleAudit, look: says(verdict{})}}, false},
		"an unknown word":        {[]check[*Reply]{{rule: ruleAudit, look: says(verdict{word: 9})}}, false},
		"silence":                {[]check[*Reply]{yes, {rule: ruleScope, maySilent: true, look: says(verdict{word: silent})}}, true},
		"silence of who may not": {[]check[*Reply]{yes, {rule: ruleScope, look: says(verdict{word: silent})}}, false},
		"nobody spoke":           {[]check[*Reply]{{rule: ruleScope, maySilent: true, look: says(verdict{word: silent})}}, false},
		"nobody listened":        {nil, false},
	} {
		d := open(&defaultParams, "default", actionReply, "granted", c.checks)
		assert.Equal(t, c.allowed, d.decide(&Reply{}).Allowed(), name)
	}
}

// Duties that were not foreseen are listed all the same, in order.
func TestUnforeseenDuties(t *testing.T) {
	d := open[*Reply](&defaultParams, "default", actionReply, "granted", nil, dutyStop)
	assert.Nil(t, d.obligations(0))
	assert.Equal(t, []Obligation{{Kind: StopRecording, Within: defaultParams.StopWithin}}, d.obligations(dutyStop))
	assert.Equal(t, []Obligation{
		{Kind: PauseRecording, Within: defaultParams.StopWithin}, {Kind: BufferAudit},
	}, d.obligations(dutyPause|dutyBufferAudit))
	assert.Len(t, (duties(1)<<len(obligationKinds) - 1).list(&defaultParams), len(obligationKinds))
}

// No action has more rules than a refusal has room for.
func TestRoomForEveryCheck(t *testing.T) {
	for _, action := range Actions() {
		assert.LessOrEqual(t, len(defaultPolicy.Explain(requestFor(action))), maxChecks, action)
	}
}
