package ari

import (
	"context"
	"errors"
	"strings"
	"time"
)

// A playback whose end is not told is asked for this often.
const probeEvery = 10 * time.Second

// A playback that has not begun by then is asked for: Asterisk takes the request
// for a channel that is just leaving a bridge, and forgets it. It is then sent
// again, this many times in all.
const (
	beginsIn = time.Second
	sendings = 3
)

// errForgotten is a playback Asterisk took and has never heard of.
var errForgotten = errors.New("forgotten")

// play is one playback, under call.mu.
type play struct {
	started, finished, failed bool
}

// played runs under call.mu.
func (c *Call) played(p *Playback) {
	mine := c.plays[p.ID]
	if mine == nil {
		return
	}
	mine.started = true
	switch p.State {
	case "done":
		mine.finished = true
	case "failed":
		mine.finished, mine.failed = true, true
	}
}

// Say plays media URIs ("sound:/dir/name", without the extension) one after
// the other and returns when the last has ended. Keys pressed meanwhile are
// kept as type-ahead and do not stop it. When ctx ends the playback is stopped.
// Prompts on one leg wait for each other. errors.Is(err, ErrPlayback) when
// Asterisk could not play one: mend its path or format.
func (l *Leg) Say(ctx context.Context, media ...string) error {
	return l.say(ctx, media, nil)
}

// SayUntilKey plays like Say and stops at the first key, which it returns; 0
// when none came. A key typed ahead is returned at once and nothing is played.
func (l *Leg) SayUntilKey(ctx context.Context, media ...string) (Key, error) {
	key := func() (k Key) {
		l.call.mu.Lock()
		defer l.call.mu.Unlock()
		if len(l.keys) > 0 {
			k = Key(l.keys[0])
			l.keys = l.keys[1:]
		}
		return k
	}
	if k := key(); k != 0 {
		return k, nil
	}
	err := l.say(ctx, media, func() bool { return len(l.keys) > 0 })
	if k := key(); k != 0 {
		return k, nil // a key pressed before the hang-up counts
	}
	return 0, err
}

// say plays until the end or until stop holds, which is looked at under call.mu.
func (l *Leg) say(ctx context.Context, media []string, stop func() bool) error {
	if len(media) == 0 {
		return nil
	}
	if err := l.alive(ctx); err != nil {
		return err
	}
	select {
	case l.talking <- struct{}{}:
		defer func() { <-l.talking }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	t := &tune{call: l.call, op: "channels.play", id: l.call.newID(l.role, kindPlay), media: media, stop: stop,
		ended: func() error { return l.err },
		send: func(ctx context.Context, id string, media []Private) error {
			_, err := l.call.ctl.client.Channels.PlayWithID(ctx, ChannelsPlayWithID{ChannelID: l.id, PlaybackID: id, Media: media})
			return err
		}}
	return l.explain(ctx, t.run(ctx))
}

// tune is one playback on a channel or a bridge.
type tune struct {
	call  *Call
	op    string
	id    string
	media []string
	send  func(ctx context.Context, id string, media []Private) error
	stop  func() bool  // nil: play to the end
	ended func() error // why the target ended
	state play
}

func (t *tune) run(ctx context.Context) error {
	var err error
	for range sendings {
		if err = t.once(ctx); !errors.Is(err, errForgotten) {
			return err
		}
		t.id += "-again"
	}
	return &Error{Op: t.op, Message: "no PlaybackStarted", Err: ErrNotDone}
}

func (t *tune) once(ctx context.Context) error {
	c := t.call
	c.mu.Lock()
	c.plays[t.id] = &t.state
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.plays, t.id)
		c.mu.Unlock()
	}()
	media := make([]Private, len(t.media))
	for i, m := range t.media {
		media[i] = NewPrivate(m)
	}
	err := c.request(ctx, func(ctx context.Context) error {
		if t.seen() { // the answer was lost, the playback was not
			return nil
		}
		return t.send(ctx, t.id, media)
	})
	if err != nil {
		return err
	}
	return t.follow(ctx)
}

// follow waits for start and end, and stops the playback when told to.
func (t *tune) follow(ctx context.Context) error {
	c := t.call
	limit, gaps := min(beginsIn, c.ctl.cfg.RequestTimeout), t.gaps()
	started, asked := false, false
	for {
		var stopped, gap bool
		var ended error
		err := c.wait(ctx, limit, func() bool {
			ended = t.ended()
			stopped = t.stop != nil && t.stop()
			gap = c.gapN != gaps
			turned := t.state.started && !started
			started = t.state.started
			return t.state.finished || stopped || gap || ended != nil || turned
		})
		switch {
		case t.over() && stopped:
			return nil // a hang-up may have failed it, but what was asked for had come
		case t.over():
			return t.result()
		case stopped:
			return t.halt(ctx)
		case ended != nil:
			return ended
		case err != nil && !errors.Is(err, errLate):
			_ = t.halt(context.WithoutCancel(ctx))
			return err
		case errors.Is(err, errLate) && !started && !asked:
			asked = true
			if t.forgotten(ctx) {
				return errForgotten
			}
			limit = c.ctl.cfg.RequestTimeout
		case errors.Is(err, errLate) && !started:
			return &Error{Op: t.op, Message: "no PlaybackStarted within " + limit.String(), Err: ErrNotDone}
		case errors.Is(err, errLate) || gap:
			if gone, err := t.probe(ctx); gone || err != nil {
				return err
			}
			gaps = t.gaps()
		}
		if started {
			limit = probeEvery
		}
	}
}

func (t *tune) gaps() int {
	t.call.mu.Lock()
	defer t.call.mu.Unlock()
	return t.call.gapN
}

func (t *tune) seen() bool {
	t.call.mu.Lock()
	defer t.call.mu.Unlock()
	return t.state.started
}

func (t *tune) over() bool {
	t.call.mu.Lock()
	defer t.call.mu.Unlock()
	return t.state.finished
}

func (t *tune) result() error {
	t.call.mu.Lock()
	defer t.call.mu.Unlock()
	if !t.state.failed {
		return nil
	}
	names := make([]string, 0, len(t.media))
	for _, m := range t.media {
		if strings.HasPrefix(m, "sound:") {
			names = append(names, m)
		}
	}
	return &Error{Op: t.op, Message: "Asterisk cannot play " + hideDigits(strings.Join(names, " ")) + ": look for the file and its format", Err: ErrPlayback}
}

// forgotten tells whether Asterisk knows nothing of the playback, and no event
// of it is on its way either.
func (t *tune) forgotten(ctx context.Context) bool {
	_, err := t.call.ctl.client.Playbacks.Get(ctx, PlaybacksGet{PlaybackID: t.id})
	if !errors.Is(err, ErrGone) {
		return false
	}
	return errors.Is(t.call.wait(ctx, endGrace, func() bool { return t.state.started || t.state.finished || t.ended() != nil }), errLate)
}

// probe asks whether the playback is still there.
func (t *tune) probe(ctx context.Context) (gone bool, err error) {
	err = t.call.request(ctx, func(ctx context.Context) error {
		_, err := t.call.ctl.client.Playbacks.Get(ctx, PlaybacksGet{PlaybackID: t.id})
		return err
	})
	if errors.Is(err, ErrGone) {
		return true, nil
	}
	if errors.Is(err, ErrNoReply) {
		return false, nil
	}
	if err == nil {
		t.call.mu.Lock()
		t.state.started = true
		t.call.mu.Unlock()
	}
	return false, err
}

// halt stops the playback and waits for its end.
func (t *tune) halt(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, t.call.ctl.cfg.RequestTimeout)
	defer cancel()
	err := t.call.ctl.client.Playbacks.Stop(ctx, PlaybacksStop{PlaybackID: t.id})
	if errors.Is(err, ErrGone) || t.call.ctx.Err() != nil && err != nil {
		return nil
	}
	if err != nil {
		return err
	}
	_ = t.call.wait(ctx, 0, func() bool { return t.state.finished || t.ended() != nil })
	return nil
}
