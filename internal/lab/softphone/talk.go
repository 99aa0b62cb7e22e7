package softphone

import (
	"context"
	"time"

	"github.com/callward/callward/internal/g711"
)

// Utterance is something that was spoken: sample n of it left at
// Start + n/8000 s, except for what keys pressed meanwhile replaced.
type Utterance struct {
	Start, End time.Time
	Samples    int // how many of it left
}

// talk is an utterance under way or waiting.
type talk struct {
	pcm   []int16
	sent  int
	start time.Time
	done  chan struct{}
}

// pressing is a run of keys under way or waiting.
type pressing struct {
	keys *keyer
	done chan struct{}
}

// tickTalk fills the tick's frame from the utterances, in order. Time goes on
// while a key is pressed: that part of an utterance is not heard.
func (m *media) tickTalk(into *[g711.FrameSamples]int16, now time.Time) {
	clear(into[:])
	for filled := 0; filled < len(into) && len(m.talks) > 0; {
		t := m.talks[0]
		if t.sent == 0 {
			t.start = now.Add(duration(filled))
		}
		n := copy(into[filled:], t.pcm[t.sent:])
		filled += n
		t.sent += n
		if t.sent == len(t.pcm) {
			m.talks = m.talks[1:]
			m.finishTalk(t, now.Add(duration(filled)))
		}
	}
}

// finishTalk records an utterance and frees who waits for it.
func (m *media) finishTalk(t *talk, end time.Time) {
	if t.sent > 0 {
		m.spoken = append(m.spoken, Utterance{Start: t.start, End: end, Samples: t.sent})
	}
	close(t.done)
}

// tickKeys returns the tick's key packet, if there is one.
func (m *media) tickKeys(ts uint32, now time.Time) (keyPacket, bool) {
	if len(m.presses) == 0 {
		return keyPacket{}, false
	}
	p := m.presses[0]
	key := byte(0)
	if len(p.keys.codes) > 0 {
		key = keyNames[p.keys.codes[0]]
	}
	packet, ok, down, up, done := p.keys.next(ts)
	if down {
		m.pressed = append(m.pressed, Press{Key: key, Start: now})
	}
	if up {
		m.pressed[len(m.pressed)-1].End = now.Add(frame)
	}
	if done {
		m.presses = m.presses[1:]
		close(p.done)
	}
	return packet, ok
}

// speak queues pcm and returns when its last sample has left.
func (m *media) speak(ctx context.Context, pcm []int16) error {
	if len(pcm) == 0 {
		return nil
	}
	t := &talk{pcm: pcm, done: make(chan struct{})}
	m.mu.Lock()
	if m.isStopped() {
		m.mu.Unlock()
		return ErrEnded
	}
	m.talks = append(m.talks, t)
	m.mu.Unlock()
	select {
	case <-t.done:
	case <-ctx.Done():
		m.mu.Lock()
		defer m.mu.Unlock()
		for i, other := range m.talks {
			if other == t {
				m.talks = append(m.talks[:i:i], m.talks[i+1:]...)
				m.finishTalk(t, time.Now())
				return context.Cause(ctx)
			}
		}
	}
	if t.sent < len(t.pcm) {
		return ErrEnded
	}
	return nil
}

// press queues keys and returns when the last has been let go.
func (m *media) press(ctx context.Context, keys string) error {
	k, err := newKeyer(keys)
	if err != nil || keys == "" {
		return err
	}
	p := &pressing{keys: k, done: make(chan struct{})}
	m.mu.Lock()
	switch {
	case m.isStopped():
		m.mu.Unlock()
		return ErrEnded
	case m.event == 0:
		m.mu.Unlock()
		return ErrNoKeys
	}
	m.presses = append(m.presses, p)
	m.mu.Unlock()
	select {
	case <-p.done:
	case <-ctx.Done():
		m.mu.Lock()
		defer m.mu.Unlock()
		p.keys.letGo()
		return context.Cause(ctx)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(k.codes) > 0 {
		return ErrEnded
	}
	return nil
}

func (m *media) isStopped() bool {
	select {
	case <-m.stopped:
		return true
	default:
		return false
	}
}
