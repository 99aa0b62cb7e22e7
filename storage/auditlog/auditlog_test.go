package auditlog_test

import (
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"github.com/callward/callward/storage"
	"github.com/callward/callward/storage/auditlog"
)

var update = flag.Bool("update", false, "write testdata anew")

// vector is one line of testdata/vectors.json: an entry, its leaf, and what
// the log hashes to once it is in.
type vector struct {
	Entry  vectorEntry `json:"entry"`
	Leaf   string      `json:"leaf"`
	Hashes string      `json:"hashes"` // beside it, in hex
	Root   string      `json:"root"`   // after it, in hex
}

type vectorEntry struct {
	At      time.Time         `json:"at"`
	Actor   string            `json:"actor"`
	Call    string            `json:"call"`
	Patient storage.PatientID `json:"patient"`
	Action  string            `json:"action"`
	Outcome storage.Outcome   `json:"outcome"`
	Rules   []string          `json:"rules"`
	Profile string            `json:"profile"`
	Facts   string            `json:"facts_hash"`
	Detail  map[string]string `json:"detail"`
}

func (v vectorEntry) entry(t *testing.T) storage.Entry {
	e := storage.Entry{At: v.At, Actor: v.Actor, Call: v.Call, Patient: v.Patient, Action: v.Action,
		Outcome: v.Outcome, Rules: v.Rules, Profile: v.Profile, Detail: v.Detail}
	if v.Facts != "" {
		b, err := hex.DecodeString(v.Facts)
		require.NoError(t, err)
		e.FactsHash = storage.Digest(b)
	}
	return e
}

// The vectors are the format: other implementations must make the same bytes,
// and so must every later version of this one.
func TestVectors(t *testing.T) {
	path := filepath.Join("testdata", "vectors.json")
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	var vectors []vector
	require.NoError(t, json.Unmarshal(b, &vectors))
	var tree auditlog.Tree
	for i := range vectors {
		v, n := &vectors[i], int64(i+1)
		e := v.Entry.entry(t)
		leaf, err := auditlog.Append(nil, n, e)
		require.NoError(t, err)
		hashes := hex.EncodeToString(tree.Append(nil, leaf))
		root := tree.Root()
		if *update {
			v.Leaf, v.Hashes, v.Root = string(leaf), hashes, hex.EncodeToString(root[:])
		}
		assert.Equal(t, v.Leaf, string(leaf))
		assert.Equal(t, v.Hashes, hashes)
		assert.Equal(t, v.Root, hex.EncodeToString(root[:]))

		gotN, got, err := auditlog.Decode(v.Leaf)
		require.NoError(t, err)
		assert.Equal(t, n, gotN)
		e.At = e.At.UTC().Truncate(time.Millisecond)
		if len(e.Rules) == 0 {
			e.Rules = nil
		}
		if len(e.Detail) == 0 {
			e.Detail = nil
		}
		assert.Equal(t, e, got)
		assert.True(t, json.Valid([]byte(v.Leaf)))
	}
	if *update {
		b, err := json.MarshalIndent(vectors, "", "  ")
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(path, append(b, '\n'), 0o644))
	}
}

func TestAppendRefuses(t *testing.T) {
	good := storage.Entry{At: time.Unix(1, 0), Actor: "a", Action: "b", Outcome: storage.OutcomeAllow}
	many := make([]string, auditlog.MaxItems+1)
	big := map[string]string{}
	for i := range many {
		many[i] = "rule"
		big[strings.Repeat("k", i+1)] = ""
	}
	for name, c := range map[string]struct {
		n     int64
		field string
		do    func(*storage.Entry)
	}{
		"number zero":    {0, "number", func(*storage.Entry) {}},
		"no time":        {1, "at", func(e *storage.Entry) { e.At = time.Time{} }},
		"year 10000":     {1, "at", func(e *storage.Entry) { e.At = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) }},
		"no actor":       {1, "actor", func(e *storage.Entry) { e.Actor = "" }},
		"no action":      {1, "action", func(e *storage.Entry) { e.Action = "" }},
		"zero outcome":   {1, "outcome", func(e *storage.Entry) { e.Outcome = "" }},
		"quotation mark": {1, "call", func(e *storage.Entry) { e.Call = `"` }},
		"backslash":      {1, "patient", func(e *storage.Entry) { e.Patient = `\` }},
		"line break":     {1, "profile", func(e *storage.Entry) { e.Profile = "a\nb" }},
		"not ASCII":      {1, "detail", func(e *storage.Entry) { e.Detail = map[string]string{"k": "é"} }},
		"long":           {1, "call", func(e *storage.Entry) { e.Call = strings.Repeat("x", auditlog.MaxText+1) }},
		"empty rule":     {1, "rules", func(e *storage.Entry) { e.Rules = []string{""} }},
		"many rules":     {1, "rules", func(e *storage.Entry) { e.Rules = many }},
		"empty key":      {1, "detail", func(e *storage.Entry) { e.Detail = map[string]string{"": "v"} }},
		"many keys":      {1, "detail", func(e *storage.Entry) { e.Detail = big }},
	} {
		t.Run(name, func(t *testing.T) {
			e := good
			c.do(&e)
			b, err := auditlog.Append([]byte("before"), c.n, e)
			require.ErrorIs(t, err, storage.ErrInvalid)
			assert.ErrorContains(t, err, c.field)
			assert.Equal(t, "before", string(b))
			if e.Call != "" {
				assert.NotContains(t, err.Error(), e.Call+e.Call)
			}
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	leaf, err := auditlog.Append(nil, 12, storage.Entry{At: time.Date(2026, 2, 28, 23, 59, 59, 0, time.UTC), Actor: "a", Action: "b",
		Outcome: storage.OutcomeAllow, Rules: []string{"r"}, FactsHash: storage.Digest{0xab}, Detail: map[string]string{"k": "v", "l": "w"}})
	require.NoError(t, err)
	good := string(leaf)
	_, _, err = auditlog.Decode(good)
	require.NoError(t, err)
	for _, c := range [][2]string{
		{`"v":1`, `"v":2`}, {`"n":12`, `"n":012`}, {`"n":12`, `"n":-12`}, {`"n":12`, `"n":0`}, {`"n":12`, `"n":99999999999999999999`},
		{`"n":12`, `"n":1.2`}, {`,"at"`, `, "at"`}, {"02-28", "02-29"}, {"02-28", "2-28"}, {"23:59:59", "24:00:00"}, {"23:59:59", "23:59:60"},
		{".000Z", "Z"}, {".000Z", ".0000Z"}, {".000Z", ".000z"}, {".000Z", "+0000Z"}, {"2026", "0000"},
		{`"actor":"a"`, `"actor":""`}, {`"actor":"a"`, `"actor":"\u0061"`}, {`"allow"`, `"ALLOW"`}, {`["r"]`, `["r",]`}, {`["r"]`, `[""]`},
		{`["r"]`, `[,"r"]`}, {"ab00", "AB00"}, {"ab00", "ab0"}, {"ab00", "xb00"}, {`"k":"v"`, `"m":"v"`}, {`"k":"v"`, `"l":"v"`},
		{`"k":"v"`, `"":"v"`}, {`"k":"v",`, `"k":"v"`}, {`}}`, `}}` + "\n"}, {`}}`, `}`}, {`"profile":""`, `"profile":"é"`}, {`{"v"`, ` {"v"`},
	} {
		bad := strings.Replace(good, c[0], c[1], 1)
		require.NotEqual(t, good, bad, c[0])
		_, _, err := auditlog.Decode(bad)
		assert.ErrorIs(t, err, auditlog.ErrLeaf, bad)
		_, _, _, err = auditlog.Check(bad)
		assert.ErrorIs(t, err, auditlog.ErrLeaf, bad)
	}
	zero := strings.Replace(good, "ab"+strings.Repeat("0", 62), strings.Repeat("0", 64), 1)
	require.NotEqual(t, good, zero)
	_, _, err = auditlog.Decode(zero)
	assert.ErrorIs(t, err, auditlog.ErrLeaf, "no hash is written as nothing")
}

// FuzzDecode: what Decode accepts, Append writes again, byte by byte.
func FuzzDecode(f *testing.F) {
	b, err := os.ReadFile(filepath.Join("testdata", "vectors.json"))
	require.NoError(f, err)
	var vectors []vector
	require.NoError(f, json.Unmarshal(b, &vectors))
	for _, v := range vectors {
		f.Add(v.Leaf)
	}
	f.Fuzz(func(t *testing.T, leaf string) {
		n, e, err := auditlog.Decode(leaf)
		cn, call, patient, checkErr := auditlog.Check(leaf)
		require.Equal(t, err, checkErr)
		if err != nil {
			return
		}
		require.Equal(t, []any{n, e.Call, e.Patient}, []any{cn, call, patient})
		again, err := auditlog.Append(nil, n, e)
		require.NoError(t, err)
		require.Equal(t, leaf, string(again))
	})
}

func TestRoundTrip(t *testing.T) {
	text := rapid.StringMatching(`[ !#-\[\]-~]{0,40}`)
	word := rapid.StringMatching(`[ !#-\[\]-~]{1,40}`)
	rapid.Check(t, func(t *rapid.T) {
		e := storage.Entry{
			At:    time.UnixMilli(rapid.Int64Range(-62135596799999, 253402300799999).Draw(t, "at")).UTC(),
			Actor: word.Draw(t, "actor"), Call: text.Draw(t, "call"), Patient: storage.PatientID(text.Draw(t, "patient")),
			Action:  word.Draw(t, "action"),
			Outcome: rapid.SampledFrom([]storage.Outcome{storage.OutcomeAllow, storage.OutcomeDeny, storage.OutcomeEvent}).Draw(t, "outcome"),
			Rules:   rapid.SliceOfN(word, 0, 5).Draw(t, "rules"), Profile: text.Draw(t, "profile"),
			Detail: rapid.MapOfN(word, text, 0, 12).Draw(t, "detail"),
		}
		copy(e.FactsHash[:], rapid.SliceOfN(rapid.Byte(), 0, 32).Draw(t, "facts"))
		n := rapid.Int64Range(1, 1<<62).Draw(t, "n")
		leaf, err := auditlog.Append(nil, n, e)
		require.NoError(t, err)
		gotN, got, err := auditlog.Decode(string(leaf))
		require.NoError(t, err)
		again, err := auditlog.Append(nil, gotN, got)
		require.NoError(t, err)
		require.Equal(t, string(leaf), string(again))
		require.Equal(t, n, gotN)
		require.True(t, e.At.Equal(got.At))
		require.Len(t, got.Rules, len(e.Rules))
		require.Len(t, got.Detail, len(e.Detail))
	})
}

// The tree's edge and the hashes beside each entry are those of tlog.
func TestTreeIsTlog(t *testing.T) {
	const size = 300
	var tree auditlog.Tree
	var stored []tlog.Hash
	rows := map[int64][]byte{}
	byRow := func(n int64) ([]byte, error) { return rows[n], nil }
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(indexes))
		for i, x := range indexes {
			out[i] = stored[x]
		}
		return out, nil
	})
	for n := int64(0); n < size; n++ {
		want, err := tlog.TreeHash(n, reader)
		require.NoError(t, err)
		require.Equal(t, want, tree.Root())
		leaf := []byte{byte(n), byte(n >> 8)}
		hashes, err := tlog.StoredHashes(n, leaf, reader)
		require.NoError(t, err)
		stored = append(stored, hashes...)

		rows[n+1] = tree.Append(nil, leaf)
		require.Len(t, rows[n+1], auditlog.HashSize*auditlog.HashesAt(n+1))
		require.Equal(t, n+1, tree.Size())
		loaded, err := auditlog.Load(n+1, byRow)
		require.NoError(t, err)
		require.Equal(t, tree.Root(), loaded.Root())
		require.Equal(t, tree.Append(nil, leaf)[32:], loaded.Append(nil, leaf)[32:])
		tree, err = auditlog.Load(n+1, byRow) // the two Appends were a trial
		require.NoError(t, err)
	}
	all := make([]int64, len(stored))
	for i := range all {
		all[i] = int64(i)
	}
	got, err := auditlog.Hashes(size, byRow, all)
	require.NoError(t, err)
	require.Equal(t, stored, got)

	_, err = auditlog.Hashes(size, byRow, []int64{int64(len(stored))})
	require.ErrorIs(t, err, storage.ErrNotFound)
	_, err = auditlog.Hashes(size, byRow, []int64{-1})
	require.Error(t, err)
	_, err = auditlog.Load(size, func(int64) ([]byte, error) { return []byte("short"), nil })
	require.ErrorIs(t, err, storage.ErrUnavailable)
}

func BenchmarkAppend(b *testing.B) {
	e := storage.Entry{At: time.Unix(1, 0), Actor: "callward", Call: "1763892000.17", Patient: "p-0123456789abcdef01234567",
		Action: "StartRecording", Outcome: storage.OutcomeAllow, Rules: []string{"recording.consent.required", "recording.consent.all_parties"},
		Profile: "default", FactsHash: storage.Digest{1}, Detail: map[string]string{"prompt": "ask_consent", "version": "abc"}}
	var tree auditlog.Tree
	buf, hashes := make([]byte, 0, 1024), make([]byte, 0, 2048)
	b.ReportAllocs()
	for n := int64(1); b.Loop(); n++ {
		leaf, err := auditlog.Append(buf, n, e)
		if err != nil {
			b.Fatal(err)
		}
		tree.Append(hashes, leaf)
	}
}
