package storage_test

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

	"github.com/callward/callward/storage"
)

const planted = "Quillfeather"

// phi is one value of every type that may hold PHI, with planted in every
// field that is not a pseudonym or an enum of ours.
func phi() map[string]any {
	id := storage.Identifier{Kind: storage.KindPhone, Value: planted, System: planted}
	addr := storage.Address{Lines: []string{planted}, City: planted, State: planted, ZIP: planted}
	src := storage.Source{System: planted, ID: planted}
	return map[string]any{
		"Identifier": id,
		"Address":    addr,
		"Source":     src,
		"Patient": storage.Patient{ID: "p-1", Source: src, Name: planted, BirthDate: planted, Language: planted,
			Identifiers: []storage.Identifier{id}, Addresses: []storage.Address{addr}},
		"Visit":    storage.Visit{ID: planted, Patient: "p-1", Date: planted, Status: planted},
		"Invoice":  storage.Invoice{Number: planted, Patient: "p-1", Date: planted},
		"Callback": storage.Callback{ID: 3, CallID: planted, Phone: planted, Language: planted, Intent: planted},
		"OptOut":   storage.OptOut{Phone: planted, Channel: planted, CallID: planted},
		"Facts":    storage.Facts(planted),
		"Entry":    storage.Entry{Actor: "a", Facts: storage.Facts(planted)},
	}
}

func TestPHIRedactsItself(t *testing.T) {
	for name, v := range phi() {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%40v", "%T"} {
				for _, arg := range []any{v, &v, []any{v}, map[string]any{"k": v}, struct{ V any }{v}} {
					fmt.Fprintf(&out, verb+"\n", arg)
				}
			}
			for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
				l := slog.New(h)
				l.Info("m", "v", v, "list", []any{v}, slog.Group("g", "v", v))
			}
			b, err := json.Marshal(map[string]any{"v": v, "list": []any{v}})
			require.NoError(t, err)
			out.Write(b)
			out.WriteString(fmt.Errorf("wrapped: %v", v).Error())
			for form, bad := range map[string]string{"raw": planted, "hex": fmt.Sprintf("%x", planted), "HEX": fmt.Sprintf("%X", planted),
				"bytes": strings.Trim(fmt.Sprint([]byte(planted)), "[]"), "Go": strings.Trim(fmt.Sprintf("%#v", []byte(planted)), "[]byte{}")} {
				assert.NotContains(t, out.String(), bad, form)
			}
		})
	}
}

func TestPseudonymsStayReadable(t *testing.T) {
	all := phi()
	assert.Equal(t, "patient p-1 [redacted]", fmt.Sprint(all["Patient"]))
	assert.Equal(t, "phone [redacted]", fmt.Sprint(all["Identifier"]))
	assert.Equal(t, "visit of p-1 [redacted]", fmt.Sprint(all["Visit"]))
	assert.Equal(t, "callback 3 [redacted]", fmt.Sprint(all["Callback"]))
	assert.Equal(t, "patient (none) [redacted]", storage.Patient{}.String())
}

func TestRevealMarshals(t *testing.T) {
	all := phi()
	for name, v := range map[string]any{
		"Patient": all["Patient"].(storage.Patient).Reveal(), "Identifier": all["Identifier"].(storage.Identifier).Reveal(),
		"Address": all["Address"].(storage.Address).Reveal(), "Source": all["Source"].(storage.Source).Reveal(),
		"Visit": all["Visit"].(storage.Visit).Reveal(), "Invoice": all["Invoice"].(storage.Invoice).Reveal(),
		"Callback": all["Callback"].(storage.Callback).Reveal(), "OptOut": all["OptOut"].(storage.OptOut).Reveal(),
	} {
		b, err := json.Marshal(v)
		require.NoError(t, err)
		assert.Contains(t, string(b), planted, name)
	}
	p := all["Patient"].(storage.Patient)
	assert.Equal(t, p.Reveal(), p.Reveal().Redacting().Reveal())
}

func TestNewPatientID(t *testing.T) {
	id, err := storage.NewPatientID(strings.NewReader("twelve bytes"))
	require.NoError(t, err)
	assert.Equal(t, storage.PatientID("p-7477656c7665206279746573"), id)
	_, err = storage.NewPatientID(strings.NewReader("short"))
	assert.Error(t, err)
}

func TestLock(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	hour := func(h float64) time.Time { return start.Add(time.Duration(h * float64(time.Hour))) }
	for _, c := range []struct {
		name     string
		failures []float64
		want     float64 // hour of the lock; -1 if none
	}{
		{"none", nil, -1},
		{"four", []float64{0, 1, 2, 3}, -1},
		{"five", []float64{0, 1, 2, 3, 4}, 4},
		{"five at once", []float64{7, 7, 7, 7, 7}, 7},
		{"fifth just within a day", []float64{0, 1, 2, 3, 23.999}, 23.999},
		{"fifth a day after the first", []float64{0, 1, 2, 3, 24}, -1},
		{"slowly for ever", []float64{0, 7, 14, 21, 28, 35, 42, 49}, -1},
		{"while locked", []float64{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 27.9}, 4},
		{"again after the lock", []float64{0, 1, 2, 3, 4, 28, 29, 30, 31, 32}, 32},
		{"a failure from the lock does not count to the next", []float64{0, 1, 2, 3, 4, 27, 28, 29, 30, 31}, 4},
	} {
		t.Run(c.name, func(t *testing.T) {
			var l storage.Lock
			for _, h := range c.failures {
				l.Failure(hour(h))
			}
			want := time.Time{}
			if c.want >= 0 {
				want = hour(c.want)
			}
			assert.Equal(t, want, l.LockedAt())
		})
	}
}

func TestStoredEntryMarshalsAsLeaf(t *testing.T) {
	b, err := json.Marshal([]storage.StoredEntry{{Number: 1, Leaf: `{"v":1}`}})
	require.NoError(t, err)
	assert.Equal(t, `[{"v":1}]`, string(b))
}
