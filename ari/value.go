package ari

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// asteriskTime is how Asterisk writes a time: milliseconds, and a zone
// without a colon.
const asteriskTime = "2006-01-02T15:04:05.000-0700"

// Time is a time as Asterisk writes it.
type Time struct{ time.Time }

// UnmarshalJSON takes Asterisk's form and RFC 3339; an empty text is the zero time.
func (t *Time) UnmarshalJSON(b []byte) error {
	if len(b) >= 2 && b[0] == '"' && b[len(b)-1] == '"' {
		b = b[1 : len(b)-1]
	}
	s := string(b)
	if s == "" || s == "null" {
		return nil
	}
	for _, layout := range []string{asteriskTime, time.RFC3339Nano} {
		if got, err := time.Parse(layout, s); err == nil {
			t.Time = got
			return nil
		}
	}
	return fmt.Errorf("ari: not a time in Asterisk's form (%d characters)", len(s))
}

// MarshalJSON writes Asterisk's form.
func (t Time) MarshalJSON() ([]byte, error) {
	return []byte(`"` + t.Format(asteriskTime) + `"`), nil
}

// UnmarshalJSON takes values of any JSON type; what is not a text is kept as
// its JSON.
func (v *Vars) UnmarshalJSON(b []byte) error {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(b, &raw); err != nil {
		return fmt.Errorf("ari: variables are not an object")
	}
	if raw == nil {
		*v = nil
		return nil
	}
	*v = make(Vars, len(raw))
	for name, value := range raw {
		var s string
		if json.Unmarshal(value, &s) != nil {
			s = strings.TrimSpace(string(value))
		}
		(*v)[name] = s
	}
	return nil
}

// MarshalJSON writes the names with redacted values.
func (v Vars) MarshalJSON() ([]byte, error) {
	out := make(map[string]string, len(v))
	for name := range v {
		out[name] = redacted
	}
	return json.Marshal(out)
}
