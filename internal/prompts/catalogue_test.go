package prompts_test

import (
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	asteriskconfig "github.com/callward/callward/asterisk-config"
	"github.com/callward/callward/internal/prompts"
)

// shipped is the catalogue that Callward runs with.
func shipped(t *testing.T) *prompts.Catalogue {
	t.Helper()
	c, err := prompts.Load(asteriskconfig.Prompts)
	require.NoError(t, err)
	return c
}

func TestShippedPrompts(t *testing.T) {
	c := shipped(t)
	assert.Equal(t, []string{"en", "es"}, c.Languages())
	want := strings.Fields(`agent_announce agent_dial_refused agent_whisper_not_recorded
		agent_whisper_recorded agent_whisper_unverified agent_whisper_verified ask_birth_date
		ask_consent ask_discriminator ask_house ask_mrn ask_phone ask_zip away billing_ask_date
		billing_ask_invoice billing_failed callback_done consent_evidence consent_no
		consent_reask consent_yes goodbye greeting identify_done identify_failed
		identify_intro identify_retry identify_unreadable language_choice menu no_input
		opt_out_done queue_offer_callback queue_wait recording_off recording_on
		recording_stopped_fault third_party_ask_consent third_party_joined trouble wrong_key`)
	assert.Equal(t, want, c.IDs())
	assert.Equal(t, []string{"agent", "callback", "organisation"}, c.Variables("agent_announce"))
	assert.Empty(t, c.Variables("ask_consent"))
}

// What the rules ask of the wording.
func TestWording(t *testing.T) {
	c := shipped(t)
	for _, tc := range []struct{ id, en, es string }{
		{"greeting", "medical emergency, hang up and dial 9 1 1", "emergencia médica, cuelgue y marque el 9 1 1"},
		{"away", "medical emergency, hang up and dial 9 1 1", "emergencia médica, cuelgue y marque el 9 1 1"},
		{"ask_consent", "saying no changes nothing", "si dice que no, nada cambia"},
		{"ask_consent", "press 1", "oprima el 1"},
		{"ask_consent", "at any time", "en cualquier momento"},
		{"third_party_ask_consent", "saying no changes nothing", "si dice que no, nada cambia"},
		{"consent_evidence", "being recorded", "se está grabando"},
	} {
		for lang, want := range map[string]string{"en": tc.en, "es": tc.es} {
			got, err := c.Text(lang, tc.id, map[string]string{"organisation": "Sample Clinic"})
			require.NoError(t, err)
			assert.Contains(t, got, want, "%s %s", lang, tc.id)
		}
	}
	// identity.no_oracle: nothing tells which answer was wrong or that a record exists.
	for _, id := range []string{"identify_retry", "identify_failed", "billing_failed", "ask_discriminator"} {
		got, err := c.Text("en", id, nil)
		require.NoError(t, err)
		assert.NotRegexp(t, `(?i)birth|phone|house|record number|invoice|match|found|exist`, got, id)
	}
}

func TestText(t *testing.T) {
	c := shipped(t)
	announce := map[string]string{"agent": "Alice Moreno", "organisation": "Sample Clinic", "callback": "+1 (555) 010-0199"}
	got, err := c.Text("en", "agent_announce", announce)
	require.NoError(t, err)
	assert.Equal(t, "You are speaking with Alice Moreno, from Sample Clinic. The number to call us back is 5 5 5, 0 1 0, 0 1 9 9.", got)

	for _, tc := range []struct {
		name, lang, id string
		vars           map[string]string
	}{
		{"language", "fr", "menu", nil},
		{"id", "en", "no_such_prompt", nil},
		{"variable missing", "en", "greeting", nil},
		{"variable of spaces", "en", "greeting", map[string]string{"organisation": " \t "}},
	} {
		_, err := c.Text(tc.lang, tc.id, tc.vars)
		assert.ErrorIs(t, err, prompts.ErrUnknown, tc.name)
	}
}

// A value cannot become markup, another line, or a speech without end.
func TestValuesAreTamed(t *testing.T) {
	c := shipped(t)
	got, err := c.Text("en", "greeting", map[string]string{"organisation": "<break time='9s'/>\nSample\x00 {menu} " + strings.Repeat("x", 500)})
	require.NoError(t, err)
	assert.NotContains(t, got, "<")
	assert.NotContains(t, got, "\n")
	assert.NotContains(t, got, "{")
	assert.Less(t, len(got), 220)
}

func TestVersion(t *testing.T) {
	c := shipped(t)
	v := c.Version("en", "ask_consent")
	assert.Regexp(t, `^[0-9a-f]{32}$`, v)
	assert.NotEqual(t, v, c.Version("es", "ask_consent"))
	assert.Empty(t, c.Version("en", "no_such_prompt"))

	load := func(text string) *prompts.Catalogue {
		c, err := prompts.Load(fstest.MapFS{"en.yaml": {Data: []byte("language: en\nprompts: {a: \"" + text + "\"}")}})
		require.NoError(t, err)
		return c
	}
	assert.Equal(t, load("Hold on.").Version("en", "a"), load("Hold   on. ").Version("en", "a"), "spacing is not wording")
	assert.NotEqual(t, load("Hold on.").Version("en", "a"), load("Hold on!").Version("en", "a"))
}

func TestLoadRefuses(t *testing.T) {
	en := "language: en\nprompts: {a: Hello., b: \"Hi {name}.\"}"
	for _, tc := range []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"no file", nil, "no *.yaml"},
		{"unknown key", map[string]string{"en.yaml": en + "\nvoice: x"}, "voice"},
		{"id twice", map[string]string{"en.yaml": "language: en\nprompts:\n  a: x\n  a: y"}, "already defined"},
		{"other language inside", map[string]string{"es.yaml": en}, `language is "en"`},
		{"empty text", map[string]string{"en.yaml": "language: en\nprompts: {a: \"  \"}"}, "prompt a is empty"},
		{"bad id", map[string]string{"en.yaml": "language: en\nprompts: {A-1: x}"}, `"A-1"`},
		{"stray brace", map[string]string{"en.yaml": "language: en\nprompts: {a: \"x {Name}\"}"}, "prompt a has a brace"},
		{"id missing", map[string]string{"en.yaml": en, "es.yaml": "language: es\nprompts: {a: Hola.}"}, "es.yaml lacks b"},
		{"id too many", map[string]string{"en.yaml": en, "es.yaml": "language: es\nprompts: {a: Hola., b: \"{name}\", c: x}"}, "en.yaml lacks c"},
		{"other variables", map[string]string{"en.yaml": en, "es.yaml": "language: es\nprompts: {a: Hola., b: \"{nombre}\"}"}, "b has the variables"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			fsys := fstest.MapFS{}
			for name, data := range tc.files {
				fsys["prompts/"+name] = &fstest.MapFile{Data: []byte(data), Mode: fs.ModePerm}
			}
			_, err := prompts.Load(fsys)
			assert.ErrorContains(t, err, tc.want)
		})
	}
}
