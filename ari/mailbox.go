package ari

import "sync"

// mailbox is the one ordered queue of a call. The socket's reader puts, the
// call's goroutine takes; putting never blocks.
type mailbox struct {
	mu     sync.Mutex
	items  []Event
	limit  int
	closed bool
	ready  chan struct{}
}

func newMailbox(limit int) *mailbox {
	return &mailbox{limit: limit, ready: make(chan struct{}, 1)}
}

// put reports false when the box is full.
func (m *mailbox) put(e Event) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return true // nobody is left to miss it
	}
	if len(m.items) >= m.limit {
		return false
	}
	m.items = append(m.items, e)
	m.wake()
	return true
}

// force puts one of our own events, full or not.
func (m *mailbox) force(e Event) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.closed {
		m.items = append(m.items, e)
		m.wake()
	}
}

func (m *mailbox) wake() {
	select {
	case m.ready <- struct{}{}:
	default:
	}
}

// take waits for events and returns all that are there; false when the box is
// closed and empty. The slice handed in is reused for the next batch.
func (m *mailbox) take(reuse []Event) ([]Event, bool) {
	for {
		m.mu.Lock()
		items, closed := m.items, m.closed
		if len(items) > 0 {
			m.items = reuse[:0]
		}
		m.mu.Unlock()
		if len(items) > 0 {
			return items, true
		}
		if closed {
			return nil, false
		}
		<-m.ready
	}
}

func (m *mailbox) close() {
	m.mu.Lock()
	m.closed = true
	m.wake()
	m.mu.Unlock()
}
