package policy

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// ErrMalformed is wrapped by every error about JSON that is not a request, a
// decision or a value of this package.
var ErrMalformed = errors.New("policy: malformed JSON")

// ErrUnknownAction is returned by DecodeRequest for an action that is none.
var ErrUnknownAction = errors.New("policy: unknown action")

type envelope struct {
	Action string          `json:"action"`
	Facts  json.RawMessage `json:"facts"`
}

// DecodeRequest reads {"action":"StartRecording","facts":{...}}. It is strict:
// an unknown, doubled or differently written key, a value of the wrong type or
// anything after the request is an error (ErrMalformed, ErrUnknownAction). A
// missing fact is none: it stays unknown, and the decision denies. Errors never
// quote a fact.
func DecodeRequest(b []byte) (Request, error) {
	if err := checkKeys(b); err != nil {
		return nil, err
	}
	var e envelope
	if err := strictJSON(b, &e); err != nil {
		return nil, err
	}
	r := requestFor(e.Action)
	if r == nil {
		return nil, fmt.Errorf("%w: use one of %s", ErrUnknownAction, strings.Join(Actions(), ", "))
	}
	if len(e.Facts) == 0 || e.Facts[0] != '{' {
		return nil, fmt.Errorf("%w: %s needs an object \"facts\"", ErrMalformed, e.Action)
	}
	if err := strictJSON(e.Facts, r); err != nil {
		return nil, err
	}
	return r, nil
}

// EncodeRequest writes what DecodeRequest reads. Its output may hold PHI; it
// is for a sealed place, or for an officer's eyes.
func EncodeRequest(r Request) ([]byte, error) {
	if r == nil {
		return nil, fmt.Errorf("%w: there is no request", ErrMalformed)
	}
	facts, err := json.Marshal(r.facts())
	if err != nil {
		return nil, fmt.Errorf("%w: a time of the request is out of range", ErrMalformed)
	}
	return json.Marshal(envelope{Action: r.Action(), Facts: facts})
}

// FactsHash is the SHA-256 of EncodeRequest, for the audit log.
func FactsHash(r Request) ([sha256.Size]byte, error) {
	b, err := EncodeRequest(r)
	if err != nil {
		return [sha256.Size]byte{}, err
	}
	return sha256.Sum256(b), nil
}

// EncodeDecision writes a decision as JSON. Lists that are never absent in the
// documents (rules, citations) are written as [] when empty.
func EncodeDecision(d Decision) ([]byte, error) {
	if d.Rules == nil {
		d.Rules = []RuleID{}
	}
	if d.Citations == nil {
		d.Citations = []string{}
	}
	return json.Marshal(d)
}

// strictJSON decodes one value, with no unknown field and nothing after it.
func strictJSON(b []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return malformed(err)
	}
	return nil
}

// malformed keeps of an error of encoding/json what cannot quote a value.
func malformed(err error) error {
	var wrong *json.UnmarshalTypeError
	switch {
	case errors.Is(err, ErrMalformed):
		return err
	case errors.As(err, &wrong):
		return fmt.Errorf("%w: %q is not a %s", ErrMalformed, wrong.Field, wrong.Type)
	case strings.HasPrefix(err.Error(), "json: unknown field "):
		return fmt.Errorf("%w: unknown key %s", ErrMalformed, strings.TrimPrefix(err.Error(), "json: unknown field "))
	}
	return fmt.Errorf("%w: not JSON, or a value (a time is RFC 3339) cannot be read", ErrMalformed)
}

// checkKeys refuses doubled keys, and keys that encoding/json would take for
// one of ours though they are written otherwise. Exactly one value is allowed.
func checkKeys(b []byte) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	if err := walkKeys(dec, 0); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: there is something after the request", ErrMalformed)
	}
	return nil
}

// maxDepth is more than any request of ours is nested.
const maxDepth = 16

func walkKeys(dec *json.Decoder, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("%w: nested too deeply", ErrMalformed)
	}
	t, err := dec.Token()
	if err != nil {
		return malformed(err)
	}
	open, ok := t.(json.Delim)
	if !ok {
		return nil
	}
	seen := map[string]bool{}
	for dec.More() {
		if open == '{' {
			t, err := dec.Token()
			if err != nil {
				return malformed(err)
			}
			key, _ := t.(string)
			if !ourKey(key) {
				return fmt.Errorf("%w: keys are lower case, as documented", ErrMalformed)
			}
			if seen[key] {
				return fmt.Errorf("%w: key %q comes twice", ErrMalformed, key)
			}
			seen[key] = true
		}
		if err := walkKeys(dec, depth+1); err != nil {
			return err
		}
	}
	if _, err = dec.Token(); err != nil { // the closing delimiter
		return malformed(err)
	}
	return nil
}

func ourKey(k string) bool {
	for _, c := range []byte(k) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' {
			return false
		}
	}
	return k != ""
}
