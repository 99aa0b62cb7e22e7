package storage

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
)

// redacted is what a PHI-holding value looks like to fmt, slog and json.
// A pseudonym or an enum of ours may stand beside it.
const redacted = "[redacted]"

func redactTo(f fmt.State, s string) { _, _ = io.WriteString(f, s) }

func (p Patient) redact() string { return "patient " + orNone(string(p.ID)) + " " + redacted }

// String tells the pseudonym only.
func (p Patient) String() string { return p.redact() }

// GoString tells the pseudonym only.
func (p Patient) GoString() string { return p.redact() }

// Format tells the pseudonym only, whatever the verb.
func (p Patient) Format(f fmt.State, _ rune) { redactTo(f, p.redact()) }

// LogValue tells the pseudonym only.
func (p Patient) LogValue() slog.Value { return slog.StringValue(p.redact()) }

// MarshalJSON tells the pseudonym only; marshal Reveal() to export.
func (p Patient) MarshalJSON() ([]byte, error) { return json.Marshal(p.redact()) }

func (i Identifier) redact() string { return orNone(string(i.Kind)) + " " + redacted }

// String tells the kind only.
func (i Identifier) String() string { return i.redact() }

// GoString tells the kind only.
func (i Identifier) GoString() string { return i.redact() }

// Format tells the kind only, whatever the verb.
func (i Identifier) Format(f fmt.State, _ rune) { redactTo(f, i.redact()) }

// LogValue tells the kind only.
func (i Identifier) LogValue() slog.Value { return slog.StringValue(i.redact()) }

// MarshalJSON tells the kind only; marshal Reveal() to export.
func (i Identifier) MarshalJSON() ([]byte, error) { return json.Marshal(i.redact()) }

// String tells nothing.
func (Address) String() string { return redacted }

// GoString tells nothing.
func (Address) GoString() string { return redacted }

// Format tells nothing, whatever the verb.
func (Address) Format(f fmt.State, _ rune) { redactTo(f, redacted) }

// LogValue tells nothing.
func (Address) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON tells nothing; marshal Reveal() to export.
func (Address) MarshalJSON() ([]byte, error) { return json.Marshal(redacted) }

// String tells nothing.
func (Source) String() string { return redacted }

// GoString tells nothing.
func (Source) GoString() string { return redacted }

// Format tells nothing, whatever the verb.
func (Source) Format(f fmt.State, _ rune) { redactTo(f, redacted) }

// LogValue tells nothing.
func (Source) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON tells nothing; marshal Reveal() to export.
func (Source) MarshalJSON() ([]byte, error) { return json.Marshal(redacted) }

func (v Visit) redact() string { return "visit of " + orNone(string(v.Patient)) + " " + redacted }

// String tells the patient's pseudonym only.
func (v Visit) String() string { return v.redact() }

// GoString tells the patient's pseudonym only.
func (v Visit) GoString() string { return v.redact() }

// Format tells the patient's pseudonym only, whatever the verb.
func (v Visit) Format(f fmt.State, _ rune) { redactTo(f, v.redact()) }

// LogValue tells the patient's pseudonym only.
func (v Visit) LogValue() slog.Value { return slog.StringValue(v.redact()) }

// MarshalJSON tells the patient's pseudonym only; marshal Reveal() to export.
func (v Visit) MarshalJSON() ([]byte, error) { return json.Marshal(v.redact()) }

func (i Invoice) redact() string { return "invoice of " + orNone(string(i.Patient)) + " " + redacted }

// String tells the patient's pseudonym only.
func (i Invoice) String() string { return i.redact() }

// GoString tells the patient's pseudonym only.
func (i Invoice) GoString() string { return i.redact() }

// Format tells the patient's pseudonym only, whatever the verb.
func (i Invoice) Format(f fmt.State, _ rune) { redactTo(f, i.redact()) }

// LogValue tells the patient's pseudonym only.
func (i Invoice) LogValue() slog.Value { return slog.StringValue(i.redact()) }

// MarshalJSON tells the patient's pseudonym only; marshal Reveal() to export.
func (i Invoice) MarshalJSON() ([]byte, error) { return json.Marshal(i.redact()) }

func (c Callback) redact() string { return fmt.Sprintf("callback %d %s", c.ID, redacted) }

// String tells the request's id only.
func (c Callback) String() string { return c.redact() }

// GoString tells the request's id only.
func (c Callback) GoString() string { return c.redact() }

// Format tells the request's id only, whatever the verb.
func (c Callback) Format(f fmt.State, _ rune) { redactTo(f, c.redact()) }

// LogValue tells the request's id only.
func (c Callback) LogValue() slog.Value { return slog.StringValue(c.redact()) }

// MarshalJSON tells the request's id only; marshal Reveal() to export.
func (c Callback) MarshalJSON() ([]byte, error) { return json.Marshal(c.redact()) }

// String tells nothing.
func (OptOut) String() string { return "opt-out " + redacted }

// GoString tells nothing.
func (o OptOut) GoString() string { return o.String() }

// Format tells nothing, whatever the verb.
func (o OptOut) Format(f fmt.State, _ rune) { redactTo(f, o.String()) }

// LogValue tells nothing.
func (o OptOut) LogValue() slog.Value { return slog.StringValue(o.String()) }

// MarshalJSON tells nothing; marshal Reveal() to export.
func (o OptOut) MarshalJSON() ([]byte, error) { return json.Marshal(o.String()) }

// String shows that there are facts, not what they are.
func (f Facts) String() string { return "facts " + redacted }

// GoString shows that there are facts, not what they are.
func (f Facts) GoString() string { return f.String() }

// Format shows that there are facts, not what they are, whatever the verb.
func (f Facts) Format(st fmt.State, _ rune) { redactTo(st, f.String()) }

// LogValue shows that there are facts, not what they are.
func (f Facts) LogValue() slog.Value { return slog.StringValue(f.String()) }

// MarshalJSON shows that there are facts, not what they are.
func (f Facts) MarshalJSON() ([]byte, error) { return json.Marshal(f.String()) }

func orNone(s string) string {
	if s == "" {
		return "(none)"
	}
	return s
}
