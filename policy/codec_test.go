package policy_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/callward/callward/policy"
)

func TestRequestsRoundTrip(t *testing.T) {
	for _, c := range readCases(t) {
		r := c.request(t)
		b, err := policy.EncodeRequest(r)
		require.NoError(t, err)
		back, err := policy.DecodeRequest(b)
		require.NoError(t, err, c.ID)
		again, err := policy.EncodeRequest(back)
		require.NoError(t, err)
		assert.JSONEq(t, string(b), string(again), c.ID)
		for _, p := range profiles {
			assert.Equal(t, p.Decide(r), p.Decide(back), c.ID)
		}
		one, err := policy.FactsHash(r)
		require.NoError(t, err)
		two, err := policy.FactsHash(back)
		require.NoError(t, err)
		assert.Equal(t, one, two, c.ID)
	}
}

func TestDecodeRequestIsStrict(t *testing.T) {
	for name, text := range map[string]string{
		"unknown fact":        `{"action":"Reply","facts":{"colour":"red"}}`,
		"unknown inner fact":  `{"action":"Verify","facts":{"offered":[{"kind":"mrn","value":"1234"}]}}`,
		"unknown key":         `{"action":"Reply","facts":{},"profile":"federal"}`,
		"doubled key":         `{"action":"Reply","facts":{"audience":"agent","audience":"caller"}}`,
		"doubled action":      `{"action":"Reply","action":"Verify","facts":{}}`,
		"another spelling":    `{"action":"Reply","facts":{"Audience":"agent"}}`,
		"folded spelling":     `{"action":"Reply","facts":{"\u017fituation":"failed"}}`,
		"empty key":           `{"action":"Reply","facts":{"":1}}`,
		"no facts":            `{"action":"Reply"}`,
		"facts are a list":    `{"action":"Reply","facts":[]}`,
		"facts are null":      `{"action":"Reply","facts":null}`,
		"wrong type":          `{"action":"Reply","facts":{"audience":7}}`,
		"wrong time":          `{"action":"Reply","facts":{"at":"yesterday"}}`,
		"something after":     `{"action":"Reply","facts":{}} {}`,
		"rubbish after":       `{"action":"Reply","facts":{}} x`,
		"cut off":             `{"action":"Reply","facts":{`,
		"cut off in a list":   `{"action":"Verify","facts":{"offered":[`,
		"cut off after a key": `{"action"`,
		"not JSON":            `action: Reply`,
		"nothing":             ``,
		"a list":              `[]`,
		"too deep":            strings.Repeat("[", 40),
		"negative count":      `{"action":"Verify","facts":{"candidates":-1}}`,
		"count of text":       `{"action":"Verify","facts":{"candidates":"1"}}`,
		"span of number":      `{"action":"Disclose","facts":{"verification":{"longest_hold":7}}}`,
		"span that is none":   `{"action":"Disclose","facts":{"verification":{"longest_hold":"long"}}}`,
		"negative span":       `{"action":"Disclose","facts":{"verification":{"longest_hold":"-1s"}}}`,
		"bad closing":         `{"action":"Reply","facts":{]}`,
		"key is no text":      `{"action":"Reply","facts":{1:2}}`,
	} {
		r, err := policy.DecodeRequest([]byte(text))
		require.ErrorIs(t, err, policy.ErrMalformed, name)
		assert.Nil(t, r)
	}
	_, err := policy.DecodeRequest([]byte(`{"action":"Fax","facts":{}}`))
	require.ErrorIs(t, err, policy.ErrUnknownAction)
	assert.Contains(t, err.Error(), "StartRecording")
	_, err = policy.DecodeRequest([]byte(`{"action":"Reply","facts":{"colour":"red"}}`))
	assert.Contains(t, err.Error(), `"colour"`)
	_, err = policy.DecodeRequest([]byte(`{"action":"PlaceCall","facts":{"digits":6175550123}}`))
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "6175550123")
	assert.Contains(t, err.Error(), "digits")

	r, err := policy.DecodeRequest([]byte(`{"action":"Verify","facts":{"candidates":null,"offered":null}}`))
	require.NoError(t, err)
	assert.False(t, policy.Default().Decide(r).Allowed())
}

func TestEncodeRequestNil(t *testing.T) {
	_, err := policy.EncodeRequest(nil)
	require.ErrorIs(t, err, policy.ErrMalformed)
	_, err = policy.FactsHash(nil)
	require.ErrorIs(t, err, policy.ErrMalformed)
	_, err = policy.EncodeRequest(&policy.Reply{At: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)})
	require.ErrorIs(t, err, policy.ErrMalformed)
}

func TestEncodeDecision(t *testing.T) {
	b, err := policy.EncodeDecision(policy.Decision{})
	require.NoError(t, err)
	assert.JSONEq(t, `{"outcome":"deny","action":"","profile":"","rules":[],"reason":"","citations":[]}`, string(b))

	d := policy.Default().Decide(request(t, "StartRecording", usual(t, "StartRecording")))
	b, err = policy.EncodeDecision(d)
	require.NoError(t, err)
	assert.Contains(t, string(b), `{"kind":"announce_on_recording","within":"5s"}`)
	var back policy.Decision
	require.NoError(t, json.Unmarshal(b, &back))
	assert.Equal(t, d, back)

	for _, bad := range []string{`{"outcome":"perhaps"}`, `{"obligations":[{"kind":"x","within":"soon"}]}`, `{"obligations":[7]}`} {
		assert.Error(t, json.Unmarshal([]byte(bad), &back), bad)
	}
	o := policy.Allow
	require.NoError(t, o.UnmarshalText([]byte("deny")))
	assert.Equal(t, policy.Deny, o)
	o = policy.Allow
	require.ErrorIs(t, o.UnmarshalText([]byte("yes")), policy.ErrMalformed)
	assert.Equal(t, policy.Deny, o)
}

func TestDecisionHelpers(t *testing.T) {
	d := policy.Default().Decide(request(t, "StartRecording", usual(t, "StartRecording")))
	assert.True(t, d.Obliges(policy.SealOnClose))
	assert.False(t, d.Obliges(policy.StopRecording))
	_, ok := d.Remedy(policy.RemedyAskConsent)
	assert.False(t, ok)
	facts := usual(t, "StartRecording")
	facts["parties"].([]any)[0].(map[string]any)["answers"] = nil
	r, ok := policy.Default().Decide(request(t, "StartRecording", facts)).Remedy(policy.RemedyAskConsent)
	assert.True(t, ok)
	assert.Equal(t, "patient-leg", r.Party)
	assert.False(t, policy.Decision{}.Allowed(), "the zero value denies")
	assert.False(t, policy.Decision{Outcome: 7}.Allowed(), "an unknown outcome denies")
	assert.Equal(t, "deny", policy.Outcome(7).String())
}

func TestValues(t *testing.T) {
	n, known := policy.CountOf(0).Value()
	assert.True(t, known)
	assert.Zero(t, n)
	for _, n := range []int{-1, 1 << 31} {
		_, known = policy.CountOf(n).Value()
		assert.False(t, known)
	}
	assert.Equal(t, "unknown", policy.Count{}.String())
	assert.Equal(t, "3", policy.CountOf(3).String())
	s, known := policy.SpanOf(time.Minute).Value()
	assert.True(t, known)
	assert.Equal(t, time.Minute, s)
	_, known = policy.SpanOf(-1).Value()
	assert.False(t, known)
	assert.Equal(t, "unknown", policy.Span{}.String())
	assert.Equal(t, "1m0s", policy.SpanOf(time.Minute).String())
	b, err := json.Marshal([]any{policy.Count{}, policy.CountOf(2), policy.Span{}, policy.SpanOf(time.Second)})
	require.NoError(t, err)
	assert.JSONEq(t, `[null,2,null,"1s"]`, string(b))
	var span policy.Span
	require.NoError(t, json.Unmarshal([]byte("null"), &span))
	assert.Equal(t, policy.Yes, policy.YesIf(true))
	assert.Equal(t, policy.No, policy.YesIf(false))
	assert.Equal(t, policy.AnswerYes, policy.KeyAnswer("1"))
	assert.Equal(t, policy.AnswerSilence, policy.KeyAnswer(""))
	assert.Equal(t, policy.AnswerNo, policy.KeyAnswer("2"))
	assert.Equal(t, policy.AnswerNo, policy.KeyAnswer("*"))
}

// Requests may hold PHI; neither printing nor logging nor marshalling shows it.
func TestRequestsRedact(t *testing.T) {
	secrets := []any{
		&policy.PlaceCall{Digits: "6175550123"},
		policy.PlaceCall{Digits: "6175550123"},
		&policy.ConnectLeg{Leg: "6175550123"}, &policy.KeepRecord{KeyID: "6175550123"},
		&policy.StartRecording{RecordingFacts: policy.RecordingFacts{CallID: "6175550123"}},
		&policy.ContinueRecording{RecordingFacts: policy.RecordingFacts{CallID: "6175550123"}},
		&policy.RouteCall{What: "6175550123"}, &policy.Verify{PatientID: "6175550123"},
		&policy.VerifyBilling{TargetPatient: "6175550123", Visits: []policy.Visit{{Date: "6175550123"}}},
		&policy.Disclose{TargetPatient: "6175550123"}, &policy.Reply{Audience: "6175550123"},
		&policy.AnnounceAgent{Verified: "6175550123"}, &policy.JoinQueue{Role: "6175550123"},
		policy.Visit{Date: "6175550123"}, policy.BillingAnswer{Date: "6175550123"},
		policy.Verification{PatientID: "6175550123"},
	}
	for _, v := range secrets {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
			assert.NotContains(t, fmt.Sprintf(verb, v), "6175550123", "%T %s", v, verb)
		}
		var text bytes.Buffer
		slog.New(slog.NewTextHandler(&text, nil)).Info("x", "v", v)
		assert.NotContains(t, text.String(), "6175550123", "%T", v)
		if r, ok := v.(policy.Request); ok {
			var js bytes.Buffer
			slog.New(slog.NewJSONHandler(&js, nil)).Info("x", "v", r)
			assert.NotContains(t, js.String(), "6175550123", "%T", v)
			assert.Contains(t, js.String(), r.Action())
		}
	}
}

func FuzzDecodeRequest(f *testing.F) {
	for _, action := range policy.Actions() {
		b, err := json.Marshal(map[string]any{"action": action, "facts": usual(f, action)})
		require.NoError(f, err)
		f.Add(b)
	}
	f.Add([]byte(`{"action":"PlaceCall","facts":{"digits":"911"}}`))
	f.Add([]byte(`{"action":"Verify","facts":{"candidates":-1}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := policy.DecodeRequest(b)
		if err != nil {
			require.Nil(t, r)
			return
		}
		for _, p := range profiles {
			d := p.Decide(r)
			p.Explain(r)
			require.NotEmpty(t, d.Rules)
			out, err := policy.EncodeDecision(d)
			require.NoError(t, err)
			require.NotEmpty(t, out)
		}
		enc, err := policy.EncodeRequest(r)
		require.NoError(t, err)
		back, err := policy.DecodeRequest(enc)
		require.NoError(t, err)
		for _, p := range profiles {
			require.Equal(t, p.Decide(r), p.Decide(back))
		}
	})
}
