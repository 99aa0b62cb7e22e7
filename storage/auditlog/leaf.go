package auditlog

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
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
	if y := at.Year(); y < 1 || y > 9999 || at.Truncate(time.Millisecond).IsZero() {
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

// Decode reads a leaf. It accepts exactly the texts Append writes. Errors:
// ErrLeaf.
func Decode(leaf string) (n int64, e storage.Entry, err error) {
	r := reader{s: leaf}
	if n = r.entry(&e, false); r.bad {
		return 0, storage.Entry{}, ErrLeaf
	}
	return n, e, nil
}

// Check reads a leaf as strictly as Decode, but keeps only what names it.
// Errors: ErrLeaf.
func Check(leaf string) (n int64, call string, patient storage.PatientID, err error) {
	r := reader{s: leaf}
	var e storage.Entry
	if n = r.entry(&e, true); r.bad {
		return 0, "", "", ErrLeaf
	}
	return n, e.Call, e.Patient, nil
}

// entry reads a whole leaf; without rules and detail if brief.
func (r *reader) entry(e *storage.Entry, brief bool) (n int64) {
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
	for i := 0; !r.bad && !r.skip(`]`); i++ {
		if i > 0 {
			r.want(`,`)
		}
		rule := r.text(1)
		if r.bad = r.bad || i >= MaxItems; !brief {
			e.Rules = append(e.Rules, rule)
		}
	}
	r.want(`,"profile":`)
	e.Profile = r.text(0)
	r.want(`,"facts":`)
	e.FactsHash = r.digest()
	r.want(`,"detail":{`)
	last := ""
	for i := 0; !r.bad && !r.skip(`}`); i++ {
		if i > 0 {
			r.want(`,`)
		}
		k := r.text(1)
		r.want(`:`)
		v := r.text(0)
		r.bad = r.bad || k <= last || i >= MaxItems
		last = k
		if brief {
			continue
		}
		if e.Detail == nil {
			e.Detail = make(map[string]string, 4)
		}
		e.Detail[k] = v
	}
	r.want(`}`)
	r.bad = r.bad || r.s != ""
	return n
}

// reader takes a leaf apart from its front. Texts it returns share the leaf's
// memory.
type reader struct {
	s   string
	bad bool
}

func (r *reader) skip(token string) bool {
	rest, ok := strings.CutPrefix(r.s, token)
	if ok {
		r.s = rest
	}
	return ok
}

func (r *reader) want(token string) {
	if !r.skip(token) {
		r.bad, r.s = true, ""
	}
}

func (r *reader) number() int64 {
	i := 0
	for i < len(r.s) && r.s[i] >= '0' && r.s[i] <= '9' {
		i++
	}
	n, err := strconv.ParseInt(r.s[:i], 10, 64)
	if err != nil || n < 1 || r.s[0] == '0' {
		r.bad = true
		return 0
	}
	r.s = r.s[i:]
	return n
}

func (r *reader) text(min int) string {
	r.want(`"`)
	end := strings.IndexByte(r.s, '"')
	if end < min || end > MaxText {
		r.bad = true
		return ""
	}
	s := r.s[:end]
	for i := range len(s) {
		if !plain(s[i]) {
			r.bad = true
			return ""
		}
	}
	r.s = r.s[end+1:]
	return s
}

// instant reads what timeForm writes, and nothing that time.Date would have to
// put right.
func (r *reader) instant() time.Time {
	s := r.text(len(timeForm))
	if len(s) != len(timeForm) {
		r.bad = true
		return time.Time{}
	}
	for i, c := range []byte("0000-00-00T00:00:00.000Z") {
		if c != '0' && s[i] != c {
			r.bad = true
		}
	}
	part := func(from, to int) (n int) {
		for _, c := range []byte(s[from:to]) {
			if c < '0' || c > '9' {
				r.bad = true
			}
			n = 10*n + int(c-'0')
		}
		return n
	}
	year, month, day := part(0, 4), time.Month(part(5, 7)), part(8, 10)
	hour, minute, second, milli := part(11, 13), part(14, 16), part(17, 19), part(20, 23)
	t := time.Date(year, month, day, hour, minute, second, milli*int(time.Millisecond), time.UTC)
	y, m, d := t.Date()
	if y != year || m != month || d != day || hour > 23 || minute > 59 || second > 59 || year < 1 || t.IsZero() {
		r.bad = true
	}
	return t
}

func (r *reader) digest() (d storage.Digest) {
	s := r.text(0)
	if s == "" {
		return d
	}
	if len(s) != hex.EncodedLen(len(d)) || strings.ContainsAny(s, "ABCDEF") {
		r.bad = true
		return d
	}
	if _, err := hex.Decode(d[:], []byte(s)); err != nil || d.IsZero() {
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
