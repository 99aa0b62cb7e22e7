package auditlog

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/callward/callward/storage"
)

// Limits of an entry.
const (
	MaxText  = 256 // bytes of one text field
	MaxItems = 64  // rules, and detail keys
)

// ErrLeaf: the bytes are not a leaf of a version known here.
var ErrLeaf = errors.New("auditlog: not a leaf")

const timeForm = "2006-01-02T15:04:05.000Z"

// Append appends the leaf of entry number n to dst. At is cut to the
// millisecond, in UTC. Errors: storage.ErrInvalid, naming the field.
func Append(dst []byte, n int64, e storage.Entry) ([]byte, error) {
	w := writer{b: dst}
	if n < 1 {
		w.fail("number")
	}
	at := e.At.UTC()
	if y := at.Year(); e.At.IsZero() || y < 1 || y > 9999 {
		w.fail("at")
	}
	if e.Actor == "" {
		w.fail("actor")
	}
	if e.Action == "" {
		w.fail("action")
	}
	switch e.Outcome {
	case storage.OutcomeAllow, storage.OutcomeDeny, storage.OutcomeEvent:
	default:
		w.fail("outcome")
	}
	w.raw(`{"v":1,"n":`)
	w.b = strconv.AppendInt(w.b, n, 10)
	w.raw(`,"at":"`)
	w.b = at.AppendFormat(w.b, timeForm)
	w.raw(`","actor":`)
	w.text("actor", e.Actor)
	w.raw(`,"call":`)
	w.text("call", e.Call)
	w.raw(`,"patient":`)
	w.text("patient", string(e.Patient))
	w.raw(`,"action":`)
	w.text("action", e.Action)
	w.raw(`,"outcome":`)
	w.text("outcome", string(e.Outcome))
	w.raw(`,"rules":[`)
	if len(e.Rules) > MaxItems {
		w.fail("rules")
	}
	for i, r := range e.Rules {
		if r == "" {
			w.fail("rules")
		}
		w.comma(i)
		w.text("rules", r)
	}
	w.raw(`],"profile":`)
	w.text("profile", e.Profile)
	w.raw(`,"facts":"`)
	if !e.FactsHash.IsZero() {
		w.b = hex.AppendEncode(w.b, e.FactsHash[:])
	}
	w.raw(`","detail":{`)
	w.detail(e.Detail)
	w.raw(`}}`)
	if w.bad != "" {
		return dst, fmt.Errorf("%w: audit entry's %s", storage.ErrInvalid, w.bad)
	}
	return w.b, nil
}

type writer struct {
	b   []byte
	bad string // the first field refused
}

func (w *writer) raw(s string) { w.b = append(w.b, s...) }

func (w *writer) comma(i int) {
	if i > 0 {
		w.b = append(w.b, ',')
	}
}

func (w *writer) fail(field string) {
	if w.bad == "" {
		w.bad = field
	}
}

func (w *writer) text(field, s string) {
	if !Plain(s) {
		w.fail(field)
		return
	}
	w.b = append(w.b, '"')
	w.b = append(w.b, s...)
	w.b = append(w.b, '"')
}

func (w *writer) detail(m map[string]string) {
	if len(m) > MaxItems {
		w.fail("detail")
		return
	}
	var room [8]string
	keys := room[:0]
	for k := range m {
		if k == "" {
			w.fail("detail")
		}
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for i, k := range keys {
		w.comma(i)
		w.text("detail", k)
		w.b = append(w.b, ':')
		w.text("detail", m[k])
	}
}

func plain(c byte) bool { return c >= 0x20 && c <= 0x7e && c != '"' && c != '\\' }

// Number reads only the entry number of a leaf, which it does not otherwise
// check. Errors: ErrLeaf.
func Number(leaf []byte) (int64, error) {
	r := reader{b: leaf}
	r.want(`{"v":1,"n":`)
	n := r.number()
	if r.bad {
		return 0, ErrLeaf
	}
	return n, nil
}

// Decode reads a leaf. It accepts exactly the bytes Append writes. Errors:
// ErrLeaf.
func Decode(leaf []byte) (n int64, e storage.Entry, err error) {
	r := reader{b: leaf}
	r.want(`{"v":1,"n":`)
	n = r.number()
	r.want(`,"at":`)
	e.At = r.instant()
	r.want(`,"actor":`)
	e.Actor = r.text(1)
	r.want(`,"call":`)
	e.Call = r.text(0)
	r.want(`,"patient":`)
	e.Patient = storage.PatientID(r.text(0))
	r.want(`,"action":`)
	e.Action = r.text(1)
	r.want(`,"outcome":`)
	e.Outcome = storage.Outcome(r.text(1))
	switch e.Outcome {
	case storage.OutcomeAllow, storage.OutcomeDeny, storage.OutcomeEvent:
	default:
		r.bad = true
	}
	r.want(`,"rules":[`)
	for !r.bad && !r.skip(`]`) {
		if len(e.Rules) > 0 {
			r.want(`,`)
		}
		e.Rules = append(e.Rules, r.text(1))
	}
	r.want(`,"profile":`)
	e.Profile = r.text(0)
	r.want(`,"facts":`)
	e.FactsHash = r.digest()
	r.want(`,"detail":{`)
	last := ""
	for !r.bad && !r.skip(`}`) {
		if len(e.Detail) > 0 {
			r.want(`,`)
		}
		k := r.text(1)
		r.want(`:`)
		v := r.text(0)
		if k <= last {
			r.bad = true
		}
		last = k
		if e.Detail == nil {
			e.Detail = make(map[string]string, 4)
		}
		e.Detail[k] = v
	}
	r.want(`}`)
	if r.bad || len(r.b) > 0 || len(e.Rules) > MaxItems || len(e.Detail) > MaxItems {
		return 0, storage.Entry{}, ErrLeaf
	}
	return n, e, nil
}

type reader struct {
	b   []byte
	bad bool
}

func (r *reader) skip(s string) bool {
	if len(r.b) < len(s) || string(r.b[:len(s)]) != s {
		return false
	}
	r.b = r.b[len(s):]
	return true
}

func (r *reader) want(s string) {
	if !r.skip(s) {
		r.bad = true
		r.b = nil
	}
}

func (r *reader) number() int64 {
	i := 0
	for i < len(r.b) && r.b[i] >= '0' && r.b[i] <= '9' {
		i++
	}
	n, err := strconv.ParseInt(string(r.b[:i]), 10, 64)
	if err != nil || n < 1 || r.b[0] == '0' {
		r.bad = true
		return 0
	}
	r.b = r.b[i:]
	return n
}

func (r *reader) raw(min int) []byte {
	r.want(`"`)
	end := bytes.IndexByte(r.b, '"')
	if end < min || end > MaxText {
		r.bad = true
		return nil
	}
	s := r.b[:end]
	for _, c := range s {
		if !plain(c) {
			r.bad = true
			return nil
		}
	}
	r.b = r.b[end+1:]
	return s
}

func (r *reader) text(min int) string { return string(r.raw(min)) }

func (r *reader) instant() time.Time {
	s := r.raw(1)
	var room [len(timeForm)]byte
	t, err := time.Parse(timeForm, string(s))
	if err != nil || t.IsZero() || !bytes.Equal(t.AppendFormat(room[:0], timeForm), s) {
		r.bad = true
		return time.Time{}
	}
	return t
}

func (r *reader) digest() (d storage.Digest) {
	s := r.raw(0)
	if len(s) == 0 {
		return d
	}
	if len(s) != hex.EncodedLen(len(d)) || !bytes.Equal(s, bytes.ToLower(s)) {
		r.bad = true
		return d
	}
	if _, err := hex.Decode(d[:], s); err != nil || d.IsZero() {
		r.bad = true
	}
	return d
}

// Plain tells whether a text can stand in an entry.
func Plain(s string) bool {
	if len(s) > MaxText {
		return false
	}
	for i := range len(s) {
		if !plain(s[i]) {
			return false
		}
	}
	return true
}
