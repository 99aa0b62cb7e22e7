package ari

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// Event is something Asterisk told. The concrete types are the generated
// structs (as pointers) and *UnknownEvent.
type Event interface{ EventType() string }

type knownEvent interface {
	Event
	refs(*refs)
}

// UnknownEvent is an event of a type this package was not generated with. It
// is routed like the others, by the channels and bridges it names.
type UnknownEvent struct {
	Type string
	Raw  Raw
}

// EventType is the type Asterisk gave.
func (e *UnknownEvent) EventType() string { return e.Type }

func (e *UnknownEvent) refs(to *refs) {
	var members map[string]json.RawMessage
	if json.Unmarshal(e.Raw.text, &members) != nil {
		return
	}
	for _, raw := range members {
		var m struct {
			ID        string `json:"id"`
			TargetURI string `json:"target_uri"`
		}
		if json.Unmarshal(raw, &m) != nil {
			continue
		}
		if m.TargetURI != "" {
			to.target(m.TargetURI)
		} else {
			to.add(m.ID)
		}
	}
}

// refs collects what an event is about.
type refs struct{ ids []string }

func (r *refs) add(id string) {
	if id == "" {
		return
	}
	for _, have := range r.ids {
		if have == id {
			return
		}
	}
	r.ids = append(r.ids, id)
}

func (r *refs) channel(c *Channel)   { r.add(c.ID) }
func (r *refs) bridge(b *BridgeInfo) { r.add(b.ID) }
func (r *refs) playback(p *Playback) { r.target(p.TargetURI) }

func (r *refs) recording(l *LiveRecording) { r.target(l.TargetURI) }

// target takes "channel:ID" and "bridge:ID".
func (r *refs) target(uri string) {
	if _, id, ok := strings.Cut(uri, ":"); ok {
		r.add(id)
	}
}

var errNoType = errors.New("ari: event without a type")

// DecodeEvent reads one event. An event of an unknown type is an
// *UnknownEvent; anything that is not a JSON object with a type is an error.
// Errors never hold what the event held.
func DecodeEvent(b []byte) (Event, error) {
	name, ok := eventType(b)
	if !ok {
		return nil, errNoType
	}
	if e := newEvent(name); e != nil {
		if err := json.Unmarshal(b, e); err != nil {
			return nil, fmt.Errorf("ari: event %s cannot be read: %w", name, stripJSONError(err))
		}
		return e, nil
	}
	if !json.Valid(b) {
		return nil, errors.New("ari: event is not JSON")
	}
	return &UnknownEvent{Type: name, Raw: Raw{append([]byte(nil), b...)}}, nil
}

// stripJSONError keeps where and what of a decoding error, not the value.
func stripJSONError(err error) error {
	var t *json.UnmarshalTypeError
	if errors.As(err, &t) {
		return fmt.Errorf("member %s is not a %s", t.Field, t.Type)
	}
	var s *json.SyntaxError
	if errors.As(err, &s) {
		return fmt.Errorf("not JSON after byte %d", s.Offset)
	}
	return errors.New("a member has the wrong form")
}
