package ari

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// socket is one event WebSocket: one reader, requests and their answers.
type socket struct {
	conn    *websocket.Conn
	timeout time.Duration
	now     func() time.Time

	mu      sync.Mutex
	next    uint64
	pending map[string]chan reply
	lastAt  time.Time // the last proof that the other end is there
	err     error     // why it closed
	done    chan struct{}
}

type reply struct {
	Type      string `json:"type"`
	RequestID string `json:"request_id"`
	Status    int    `json:"status_code"`
	Reason    string `json:"reason_phrase"`
	Body      string `json:"message_body"`
}

func newSocket(conn *websocket.Conn, timeout time.Duration, now func() time.Time) *socket {
	return &socket{conn: conn, timeout: timeout, now: now, lastAt: now(),
		pending: map[string]chan reply{}, done: make(chan struct{})}
}

// read hands every event to event, in order, until the socket closes. The
// callback must not block: requests wait for the same reader.
func (s *socket) read(event func([]byte)) {
	var err error
	var buf []byte
	for {
		var r io.Reader
		if _, r, err = s.conn.Reader(context.Background()); err != nil {
			break
		}
		if buf, err = readInto(buf[:0], r); err != nil {
			break
		}
		s.heard()
		if name, _ := eventType(buf); name != "RESTResponse" {
			event(buf)
		} else if err = s.answered(buf); err != nil {
			break
		}
		if cap(buf) > 1<<20 {
			buf = nil // an answer with every channel in it is rare
		}
	}
	s.close(err)
}

func readInto(buf []byte, r io.Reader) ([]byte, error) {
	if cap(buf) == 0 {
		buf = make([]byte, 0, 4096)
	}
	for {
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if errors.Is(err, io.EOF) {
			return buf, nil
		}
		if err != nil {
			return buf, err
		}
	}
}

func (s *socket) answered(b []byte) error {
	var r reply
	if err := json.Unmarshal(b, &r); err != nil {
		return errors.New("an answer cannot be read")
	}
	s.mu.Lock()
	waiting := s.pending[r.RequestID]
	delete(s.pending, r.RequestID)
	s.mu.Unlock()
	if waiting != nil {
		waiting <- r
	}
	return nil
}

// close ends the socket once; later calls do nothing.
func (s *socket) close(err error) {
	s.mu.Lock()
	if s.err != nil {
		s.mu.Unlock()
		return
	}
	if err == nil {
		err = errors.New("closed")
	}
	s.err = err
	close(s.done)
	s.mu.Unlock()
	_ = s.conn.CloseNow()
}

func (s *socket) why() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

func (s *socket) heard() {
	s.mu.Lock()
	s.lastAt = s.now()
	s.mu.Unlock()
}

func (s *socket) lastHeard() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lastAt
}

// request sends one request and waits for its answer.
func (s *socket) request(ctx context.Context, q *request, payload []byte) ([]byte, error) {
	wire := struct {
		Type        string      `json:"type"`
		Transaction string      `json:"transaction_id"`
		RequestID   string      `json:"request_id"`
		Method      string      `json:"method"`
		URI         string      `json:"uri"`
		Query       []queryPair `json:"query_strings,omitempty"`
		ContentType string      `json:"content_type,omitempty"`
		Body        string      `json:"message_body,omitempty"`
	}{Type: "RESTRequest", Method: q.method, URI: q.path.String()[1:], Query: q.query}
	if payload != nil {
		wire.ContentType, wire.Body = "application/json", string(payload)
	}
	waiting := make(chan reply, 1)
	s.mu.Lock()
	s.next++
	wire.RequestID = strconv.FormatUint(s.next, 10)
	wire.Transaction = wire.RequestID
	s.pending[wire.RequestID] = waiting
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.pending, wire.RequestID)
		s.mu.Unlock()
	}()
	b, err := json.Marshal(wire)
	if err != nil {
		return nil, &Error{Op: q.op, Message: "the request cannot be written as JSON"}
	}
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	if err := s.write(b); err != nil {
		return nil, &Error{Op: q.op, Message: ErrInterrupted.Error(), Err: ErrInterrupted}
	}
	select {
	case r := <-waiting:
		return q.result(r)
	case <-s.done:
		select {
		case r := <-waiting:
			return q.result(r)
		default:
		}
		return nil, &Error{Op: q.op, Message: ErrInterrupted.Error(), Err: ErrInterrupted}
	case <-ctx.Done():
		cause := context.Cause(ctx)
		if errors.Is(cause, ErrNoReply) {
			return nil, &Error{Op: q.op, Message: "no answer within " + s.timeout.String(), Err: ErrNoReply}
		}
		return nil, cause
	}
}

// write uses its own deadline: a write that a hung-up call's context cut off
// would close the socket under all the others.
func (s *socket) write(b []byte) error {
	ctx, cancel := context.WithTimeout(context.Background(), s.timeout)
	defer cancel()
	err := s.conn.Write(ctx, websocket.MessageText, b)
	if err != nil {
		s.close(err)
	}
	return err
}

func (q *request) result(r reply) ([]byte, error) {
	if r.Status/100 != 2 {
		return nil, refused(q.op, r.Status, []byte(r.Body))
	}
	return []byte(r.Body), nil
}

// ping closes the socket when a ping is not answered.
func (s *socket) ping(every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-s.done:
			return
		case <-tick.C:
		}
		ctx, cancel := context.WithTimeout(context.Background(), every)
		err := s.conn.Ping(ctx)
		cancel()
		if err != nil {
			s.close(errors.New("a ping was not answered"))
			return
		}
		s.heard()
	}
}
