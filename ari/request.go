package ari

import (
	"context"
	"encoding/json"
	"net/url"
	"strconv"
	"strings"

	"github.com/coder/websocket"
)

// doer carries requests out; the Client is the one there is.
type doer interface {
	do(ctx context.Context, q *request, out any) error
	raw(ctx context.Context, q *request) ([]byte, error)
	upgrade(ctx context.Context, q *request) (*websocket.Conn, error)
}

// request is one operation with its arguments. The generated code fills it;
// the first bad argument is kept and nothing is sent.
type request struct {
	op, method string
	path       strings.Builder
	query      []queryPair
	body       map[string]any
	bodyWhole  json.RawMessage
	err        error
}

type queryPair struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

func newRequest(op, method string) *request { return &request{op: op, method: method} }

func (q *request) fail(param, message string, sentinel error) {
	if q.err == nil {
		q.err = &Error{Op: q.op, Message: param + ": " + message, Err: sentinel}
	}
}

func (q *request) fixed(s string) { q.path.WriteString(s) }

func (q *request) id(name, value string) {
	if value == "" || value == "." || value == ".." {
		q.fail(name, "must name one thing", ErrEmptyID)
		return
	}
	q.path.WriteString(url.PathEscape(value))
}

func (q *request) text(name, value string, required bool) {
	if value == "" {
		if required {
			q.fail(name, "is required", ErrEmptyID)
		}
		return
	}
	q.query = append(q.query, queryPair{name, value})
}

func (q *request) private(name string, value Private, required bool) {
	q.text(name, value.text, required)
}

// list joins with commas, as Asterisk takes lists apart.
func (q *request) list(name string, values []string, required bool) {
	for _, v := range values {
		if v == "" {
			q.fail(name, "holds an empty value", ErrEmptyID)
		}
		if strings.Contains(v, ",") {
			q.fail(name, "holds a comma, at which Asterisk would cut it", nil)
		}
	}
	q.text(name, strings.Join(values, ","), required)
}

func (q *request) privateList(name string, values []Private, required bool) {
	plain := make([]string, len(values))
	for i, v := range values {
		plain[i] = v.text
	}
	q.list(name, plain, required)
}

func (q *request) flag(name string, value bool) {
	if value {
		q.query = append(q.query, queryPair{name, "true"})
	}
}

// number leaves an optional zero out, so that Asterisk's default holds.
func (q *request) number(name string, value int64, required bool) {
	if value != 0 || required {
		q.query = append(q.query, queryPair{name, strconv.FormatInt(value, 10)})
	}
}

func (q *request) member(name string, values Vars) {
	if len(values) > 0 {
		q.set(name, map[string]string(values))
	}
}

func (q *request) fields(name string, tuples []ConfigTuple) {
	type tuple struct {
		Attribute string `json:"attribute"`
		Value     string `json:"value"`
	}
	plain := make([]tuple, len(tuples))
	for i, t := range tuples {
		plain[i] = tuple{t.Attribute, t.Value.text}
	}
	if len(plain) > 0 {
		q.set(name, plain)
	}
}

func (q *request) set(name string, value any) {
	if q.body == nil {
		q.body = map[string]any{}
	}
	q.body[name] = value
}

func (q *request) whole(body []byte) {
	if len(body) > 0 && !json.Valid(body) {
		q.fail("body", "is not JSON", nil)
	}
	q.bodyWhole = body
}

// payload is the JSON body, nil when there is none.
func (q *request) payload() ([]byte, error) {
	if q.bodyWhole != nil {
		return q.bodyWhole, nil
	}
	if q.body == nil {
		return nil, nil
	}
	b, err := json.Marshal(q.body)
	if err != nil {
		return nil, &Error{Op: q.op, Message: "arguments cannot be written as JSON"}
	}
	return b, nil
}

func (q *request) values() url.Values {
	v := url.Values{}
	for _, p := range q.query {
		v.Set(p.Name, p.Value)
	}
	return v
}
