package ari

import (
	"fmt"
	"io"
	"log/slog"
	"sort"
	"strings"
)

const redacted = "[redacted]"

// Digits are keys somebody pressed: a birth date, a record number, a choice.
// They redact themselves in every form of printing, logging and marshalling;
// the zero value is "no keys".
type Digits struct{ keys string }

// NewDigits wraps keys (0-9, A-D, * and #).
func NewDigits(keys string) Digits { return Digits{keys} }

// Reveal returns the keys themselves.
func (d Digits) Reveal() string { return d.keys }

// Len is the number of keys.
func (d Digits) Len() int { return len(d.keys) }

// String returns a fixed text that tells nothing of the keys.
func (d Digits) String() string { return redacted }

// GoString returns the same text as String.
func (d Digits) GoString() string { return redacted }

// Format writes the redacted text whatever the verb.
func (d Digits) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, redacted) }

// LogValue returns the redacted text.
func (d Digits) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON writes the redacted text.
func (d Digits) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// MarshalText writes the redacted text.
func (d Digits) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// UnmarshalText takes the keys as Asterisk sends them.
func (d *Digits) UnmarshalText(b []byte) error { d.keys = string(b); return nil }

// Private is text from Asterisk or for it that may tell who somebody is: a
// caller's name or number, a dialled number, the value of a channel variable.
// It redacts itself like [Digits].
type Private struct{ text string }

// NewPrivate wraps a text.
func NewPrivate(text string) Private { return Private{text} }

// Reveal returns the text itself.
func (p Private) Reveal() string { return p.text }

// IsZero reports whether the text is empty.
func (p Private) IsZero() bool { return p.text == "" }

// String returns a fixed text that tells nothing of the content.
func (p Private) String() string { return redacted }

// GoString returns the same text as String.
func (p Private) GoString() string { return redacted }

// Format writes the redacted text whatever the verb.
func (p Private) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, redacted) }

// LogValue returns the redacted text.
func (p Private) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON writes the redacted text.
func (p Private) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// MarshalText writes the redacted text.
func (p Private) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// UnmarshalText takes the text as Asterisk sends it.
func (p *Private) UnmarshalText(b []byte) error { p.text = string(b); return nil }

// Vars are channel variables by name. Printing shows the names only.
type Vars map[string]string

// String lists the names, sorted, without the values.
func (v Vars) String() string {
	names := make([]string, 0, len(v))
	for name := range v {
		names = append(names, name)
	}
	sort.Strings(names)
	return "variables[" + strings.Join(names, " ") + "]"
}

// GoString returns the same text as String.
func (v Vars) GoString() string { return v.String() }

// Format writes the same text as String whatever the verb.
func (v Vars) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, v.String()) }

// LogValue returns the same text as String.
func (v Vars) LogValue() slog.Value { return slog.StringValue(v.String()) }

// Raw is a JSON text as Asterisk sent it. It may hold anything, so it redacts
// itself like [Private].
type Raw struct{ text []byte }

// NewRaw wraps a JSON text.
func NewRaw(text []byte) Raw { return Raw{text} }

// Reveal returns the JSON text itself. Do not change it.
func (r Raw) Reveal() []byte { return r.text }

// String returns a fixed text that tells nothing of the content.
func (r Raw) String() string { return redacted }

// GoString returns the same text as String.
func (r Raw) GoString() string { return redacted }

// Format writes the redacted text whatever the verb.
func (r Raw) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, redacted) }

// LogValue returns the redacted text.
func (r Raw) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON writes the redacted text.
func (r Raw) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// UnmarshalJSON keeps a copy of the text.
func (r *Raw) UnmarshalJSON(b []byte) error {
	r.text = append([]byte(nil), b...)
	return nil
}
