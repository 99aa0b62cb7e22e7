package scene

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"sync"
	"time"
)

// Event is one line of callward's JSON log.
type Event struct {
	Time     time.Time         `json:"time"`
	Level    string            `json:"level"`
	Msg      string            `json:"msg"`
	At       time.Time         `json:"at"`
	Call     string            `json:"call"`
	Step     string            `json:"step"`
	Action   string            `json:"action"`
	Decision string            `json:"decision"`
	Rules    []string          `json:"rules"`
	Reason   string            `json:"reason"`
	Entry    int64             `json:"entry"`
	Detail   map[string]string `json:"detail"`
	Error    string            `json:"error"`
	Raw      string            `json:"-"`
}

// Events collects the lines and lets others wait for them.
type Events struct {
	mu   sync.Mutex
	part []byte
	all  []Event
	more chan struct{}
}

func newEvents() *Events { return &Events{more: make(chan struct{})} }

// Write takes what callward writes to standard error.
func (e *Events) Write(b []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.part = append(e.part, b...)
	for {
		i := bytes.IndexByte(e.part, '\n')
		if i < 0 {
			break
		}
		line := string(e.part[:i])
		e.part = e.part[i+1:]
		var ev Event
		if json.Unmarshal([]byte(line), &ev) != nil {
			ev = Event{Msg: line}
		}
		ev.Raw = line
		e.all = append(e.all, ev)
	}
	close(e.more)
	e.more = make(chan struct{})
	return len(b), nil
}

// Mark is a place in the stream: what comes after it.
func (e *Events) Mark() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.all)
}

// Since are the events after a mark.
func (e *Events) Since(mark int) []Event {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]Event(nil), e.all[mark:]...)
}

// Wait returns the first event after mark that match accepts.
func (e *Events) Wait(ctx context.Context, mark int, match func(Event) bool) (Event, error) {
	for {
		e.mu.Lock()
		for ; mark < len(e.all); mark++ {
			if match(e.all[mark]) {
				ev := e.all[mark]
				e.mu.Unlock()
				return ev, nil
			}
		}
		more := e.more
		e.mu.Unlock()
		select {
		case <-more:
		case <-ctx.Done():
			return Event{}, context.Cause(ctx)
		}
	}
}

// Step waits for a step of a call by its name.
func (e *Events) Step(ctx context.Context, mark int, step string) (Event, error) {
	return e.Wait(ctx, mark, func(ev Event) bool { return ev.Msg == "call" && ev.Step == step })
}

// Tail is the last n lines, for error messages.
func (e *Events) Tail(n int) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var lines []string
	for _, ev := range e.all[max(0, len(e.all)-n):] {
		lines = append(lines, ev.Raw)
	}
	return strings.Join(lines, "\n")
}
