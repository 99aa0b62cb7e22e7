package aritest

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// session is one event WebSocket.
type session struct {
	conn *websocket.Conn
	mu   sync.Mutex
	out  [][]byte
	wake chan struct{}
	done chan struct{}
	once sync.Once
}

func (s *session) send(b []byte) {
	s.mu.Lock()
	s.out = append(s.out, b)
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *session) close() {
	s.once.Do(func() {
		close(s.done)
		_ = s.conn.CloseNow()
	})
}

// write sends what is queued, in order, until the session closes.
func (s *session) write(frozen func() bool) {
	for {
		s.mu.Lock()
		out := s.out
		s.out = nil
		s.mu.Unlock()
		for _, b := range out {
			if frozen() {
				continue
			}
			if s.conn.Write(context.Background(), websocket.MessageText, b) != nil {
				s.close()
				return
			}
		}
		select {
		case <-s.wake:
		case <-s.done:
			return
		}
	}
}

func (a *Asterisk) serve(w http.ResponseWriter, r *http.Request) {
	if a.isFrozen() {
		<-r.Context().Done()
		return
	}
	if strings.HasPrefix(r.URL.Path, "/media/") {
		a.serveMedia(w, r)
		return
	}
	if user, password, _ := r.BasicAuth(); user != User || password != Password {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	path := strings.TrimPrefix(r.URL.EscapedPath(), "/ari/")
	if path == "events" {
		a.serveEvents(w, r)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	query := map[string]string{}
	for k := range r.URL.Query() {
		query[k] = r.URL.Query().Get(k)
	}
	status, answer := a.answer(r.Method, path, query, body)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(answer)
}

func (a *Asterisk) serveEvents(w http.ResponseWriter, r *http.Request) {
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		OnPingReceived: func(context.Context, []byte) bool { return !a.isFrozen() }})
	if err != nil {
		return
	}
	conn.SetReadLimit(64 << 10) // as the real one
	s := &session{conn: conn, wake: make(chan struct{}, 1), done: make(chan struct{})}
	a.mu.Lock()
	if a.closed {
		a.mu.Unlock()
		s.close()
		return
	}
	if a.app != nil {
		a.emit("ApplicationReplaced", nil)
	}
	a.app = s
	a.sessions[s] = true
	a.mu.Unlock()
	var wg sync.WaitGroup
	wg.Go(func() { s.write(a.isFrozen) })
	a.readRequests(s, &wg)
	s.close()
	wg.Wait()
	a.mu.Lock()
	delete(a.sessions, s)
	if a.app == s {
		a.app = nil
	}
	a.mu.Unlock()
}

func (a *Asterisk) isFrozen() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.frozen
}

type restRequest struct {
	Type        string `json:"type"`
	Transaction string `json:"transaction_id"`
	RequestID   string `json:"request_id"`
	Method      string `json:"method"`
	URI         string `json:"uri"`
	Query       []struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	} `json:"query_strings"`
	Body string `json:"message_body"`
}

func (a *Asterisk) readRequests(s *session, wg *sync.WaitGroup) {
	for {
		_, b, err := s.conn.Read(context.Background())
		if err != nil {
			return
		}
		if a.isFrozen() {
			<-s.done // reads no more: pings find nobody
			return
		}
		var q restRequest
		if json.Unmarshal(b, &q) != nil || q.Type != "RESTRequest" {
			continue
		}
		query := map[string]string{}
		for _, p := range q.Query {
			query[p.Name] = p.Value
		}
		op, _ := a.find(q.Method, q.URI)
		a.mu.Lock()
		delay := a.delays[op]
		a.mu.Unlock()
		reply := func() {
			status, body := a.answer(q.Method, q.URI, query, []byte(q.Body))
			s.send(marshal(map[string]any{"type": "RESTResponse", "transaction_id": q.Transaction, "request_id": q.RequestID,
				"status_code": status, "reason_phrase": http.StatusText(status), "uri": q.URI, "message_body": string(body)}))
		}
		if delay == 0 {
			reply()
			continue
		}
		wg.Go(func() {
			t := time.NewTimer(delay)
			defer t.Stop()
			select {
			case <-t.C:
				reply()
			case <-s.done:
			}
		})
	}
}

func marshal(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // our own maps
	}
	return b
}

// emit tells the application of an event; the lock is held. Without a socket
// the event is lost, as with the real one.
func (a *Asterisk) emit(name string, members map[string]any) {
	if a.app == nil || a.dropped[""] || a.dropped[name] {
		return
	}
	e := map[string]any{"type": name, "timestamp": stamp(time.Now()), "application": App, "asterisk_id": "02:00:00:00:00:01"}
	for k, v := range members {
		e[k] = v
	}
	a.app.send(marshal(e))
}

func stamp(t time.Time) string { return t.Format("2006-01-02T15:04:05.000-0700") }

// find names the operation of a request and its path parameters.
func (a *Asterisk) find(method, path string) (string, map[string]string) {
	parts := strings.Split(path, "/")
	for _, o := range a.table {
		if o.method != method || len(o.path) != len(parts) {
			continue
		}
		got := map[string]string{}
		if slices.EqualFunc(o.path, parts, func(want, have string) bool {
			if !strings.HasPrefix(want, "{") {
				return want == have
			}
			value, err := url.PathUnescape(have)
			got[strings.Trim(want, "{}")] = value
			return err == nil
		}) {
			return o.name, got
		}
	}
	return "", nil
}

// answer carries one request out, faults included.
func (a *Asterisk) answer(method, path string, query map[string]string, body []byte) (int, []byte) {
	op, args := a.find(method, path)
	if op == "" {
		return fail(http.StatusNotFound, "Resource not found")
	}
	for k, v := range query {
		args[k] = v
	}
	a.mu.Lock()
	a.requests = append(a.requests, op)
	tell := a.onRequest
	a.mu.Unlock()
	tell(op)
	a.mu.Lock()
	if r, ok := a.refuse(op); ok {
		a.mu.Unlock()
		return fail(r.status, r.message)
	}
	if a.lies[op] {
		a.mu.Unlock()
		return http.StatusNoContent, []byte("{}")
	}
	q := &call{args: args, body: body}
	do := actions[op]
	if do == nil {
		a.mu.Unlock()
		return fail(http.StatusNotImplemented, "the scripted Asterisk does not know "+op)
	}
	status, answer := do(a, q)
	a.mu.Unlock()
	for _, fn := range q.after {
		fn()
	}
	return status, answer
}

// call is one request being carried out.
type call struct {
	args  map[string]string
	body  []byte
	after []func() // runs when the lock is free again
}

func ok(v any) (int, []byte) { return http.StatusOK, marshal(v) }

func done() (int, []byte) { return http.StatusNoContent, nil }

func fail(status int, message string) (int, []byte) {
	return status, marshal(map[string]string{"message": message})
}
