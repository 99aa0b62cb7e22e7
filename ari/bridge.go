package ari

import (
	"context"
	"errors"
	"strings"
)

// Bridge joins legs: each hears the others. Keys are told as events and are
// not passed on to the other parties. Asterisk would pass them on, and may then
// lose the end of one behind a prompt: a leg that is in the middle of a key is
// sent no sound any more, for as long as the call lasts.
type Bridge struct {
	call    *Call
	id      string
	role    string
	talking chan struct{}

	// Under call.mu.
	made, gone bool
}

// errBridgeGone is wrapped by the error of a verb on a destroyed bridge.
var errBridgeGone = &Error{Op: "bridges", Message: "the bridge was destroyed", Err: ErrGone}

func (c *Call) newBridge(id, role string) (*Bridge, error) {
	if err := c.ctl.register(id, c); err != nil {
		return nil, err
	}
	b := &Bridge{call: c, id: id, role: role, talking: make(chan struct{}, 1)}
	c.mu.Lock()
	c.bridges[id] = b
	c.mu.Unlock()
	return b, nil
}

func (c *Call) dropBridge(b *Bridge) {
	c.mu.Lock()
	b.gone = true
	delete(c.bridges, b.id)
	c.mu.Unlock()
	c.ctl.forget(c, b.id)
}

// Bridge returns the call's bridge of a role and makes it when there is none.
// It mixes, and tells keys as events.
func (c *Call) Bridge(ctx context.Context, role string) (*Bridge, error) {
	c.mu.Lock()
	for _, b := range c.bridges {
		if b.role == role && b.made && !b.gone {
			c.mu.Unlock()
			return b, nil
		}
	}
	c.mu.Unlock()
	return c.NewBridge(ctx, role)
}

// NewBridge makes another bridge.
func (c *Call) NewBridge(ctx context.Context, role string) (*Bridge, error) {
	if err := checkRole(role); err != nil {
		return nil, err
	}
	return c.makeBridge(ctx, role, kindBridge)
}

func (c *Call) makeBridge(ctx context.Context, role, kind string) (*Bridge, error) {
	b, err := c.newBridge(c.newID(role, kind), role)
	if err != nil {
		return nil, err
	}
	err = c.request(ctx, func(ctx context.Context) error {
		_, err := c.ctl.client.Bridges.CreateWithID(ctx, BridgesCreateWithID{BridgeID: b.id, Type: "mixing,dtmf_events", Name: role})
		return err
	})
	if err != nil {
		if ctx.Err() != nil || refusedAs(err, ErrNoReply) || refusedAs(err, ErrInterrupted) { // it may have been made
			clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.ctl.cfg.RequestTimeout)
			defer cancel()
			_ = c.ctl.client.Bridges.Destroy(clean, BridgesDestroy{BridgeID: b.id})
		}
		c.dropBridge(b)
		return nil, err
	}
	c.mu.Lock()
	b.made = true
	c.mu.Unlock()
	return b, nil
}

// AdoptBridge takes up a bridge that an earlier run of the controller had in
// this call.
func (c *Call) AdoptBridge(ctx context.Context, id string) (*Bridge, error) {
	role := "adopted"
	if o, ours := parseID(c.ctl.cfg.App, id); ours {
		role = o.role
	}
	b, err := c.newBridge(id, role)
	if err != nil {
		return nil, err
	}
	info, err := c.ctl.client.Bridges.Get(ctx, BridgesGet{BridgeID: id})
	if err != nil {
		c.dropBridge(b)
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	b.made = true
	for _, channel := range info.Channels {
		if l := c.legs[channel]; l != nil {
			l.bridge = id
		}
	}
	return b, nil
}

// ID is Asterisk's id of the bridge.
func (b *Bridge) ID() string { return b.id }

func (b *Bridge) alive() error {
	b.call.mu.Lock()
	defer b.call.mu.Unlock()
	if b.gone {
		return errBridgeGone
	}
	return nil
}

// Add puts legs into the bridge and returns when Asterisk has told of each that
// it is in. A leg that has not entered the application yet is waited for: a
// bridge refuses it with 422 until then.
func (b *Bridge) Add(ctx context.Context, legs ...*Leg) error {
	if err := b.alive(); err != nil {
		return err
	}
	var ids []string
	for _, l := range legs {
		if err := l.alive(ctx); err != nil {
			return err
		}
		if err := l.prove(ctx, "bridges.addChannel", "StasisStart of the channel", func() bool { return l.inStasis }); err != nil {
			return err
		}
		ids = append(ids, l.id)
	}
	if len(ids) == 0 {
		return nil
	}
	err := b.call.request(ctx, func(ctx context.Context) error {
		return b.call.ctl.client.Bridges.AddChannel(ctx, BridgesAddChannel{BridgeID: b.id, Channel: ids, AbsorbDTMF: true})
	})
	if err != nil {
		return b.explain(ctx, err, legs)
	}
	for _, l := range legs {
		err := l.prove(ctx, "bridges.addChannel", "ChannelEnteredBridge", func() bool { return l.bridge == b.id })
		if err != nil {
			return err
		}
	}
	return nil
}

// explain turns a refusal into the end of the leg that caused it.
func (b *Bridge) explain(ctx context.Context, err error, legs []*Leg) error {
	var refused *Error
	if !errors.As(err, &refused) || refused.Status/100 != 4 {
		return err
	}
	var why error
	_ = b.call.wait(context.WithoutCancel(ctx), endGrace+endGrace/2, func() bool {
		for _, l := range legs {
			if l.err != nil {
				why = l.err
			}
		}
		return why != nil || b.gone
	})
	if why != nil {
		return why
	}
	return err
}

// Remove takes legs out and returns when they are. A leg that is not in the
// bridge or has ended is out already.
func (b *Bridge) Remove(ctx context.Context, legs ...*Leg) error {
	for _, l := range legs {
		b.call.mu.Lock()
		out := l.err != nil || l.bridge != b.id || b.gone
		b.call.mu.Unlock()
		if out {
			continue
		}
		err := b.call.request(ctx, func(ctx context.Context) error {
			return b.call.ctl.client.Bridges.RemoveChannel(ctx, BridgesRemoveChannel{BridgeID: b.id, Channel: []string{l.id}})
		})
		var refused *Error
		if err != nil && !(errors.As(err, &refused) && refused.Status/100 == 4) {
			return err
		}
		if err := l.prove(ctx, "bridges.removeChannel", "ChannelLeftBridge", func() bool { return l.bridge != b.id }); err != nil && !errors.Is(err, ErrGone) {
			return err
		}
	}
	return nil
}

// Play plays media URIs to everybody in the bridge and returns when the last
// has ended, like Say.
func (b *Bridge) Play(ctx context.Context, media ...string) error {
	if len(media) == 0 {
		return nil
	}
	if err := b.alive(); err != nil {
		return err
	}
	select {
	case b.talking <- struct{}{}:
		defer func() { <-b.talking }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	t := &tune{call: b.call, op: "bridges.play", id: b.call.newID(b.role, kindPlay), media: media,
		ended: func() error {
			if b.gone {
				return errBridgeGone
			}
			return nil
		},
		send: func(ctx context.Context, id string, media []Private) error {
			_, err := b.call.ctl.client.Bridges.PlayWithID(ctx, BridgesPlayWithID{BridgeID: b.id, PlaybackID: id, Media: media})
			return err
		}}
	return t.run(ctx)
}

// Destroy removes the bridge; its legs stay in the application. nil when it
// was gone before. Asterisk tells of the end of a bridge only by its legs, so
// those are waited for.
func (b *Bridge) Destroy(ctx context.Context) error {
	if b.alive() != nil {
		return nil
	}
	err := b.call.request(ctx, func(ctx context.Context) error {
		return b.call.ctl.client.Bridges.Destroy(ctx, BridgesDestroy{BridgeID: b.id})
	})
	if err != nil && !refusedAs(err, ErrGone) {
		return err
	}
	var still []string
	err = b.call.wait(ctx, b.call.ctl.cfg.RequestTimeout, func() bool {
		still = still[:0]
		for id, l := range b.call.legs {
			if l.bridge == b.id {
				still = append(still, id)
			}
		}
		return len(still) == 0 || b.gone
	})
	if errors.Is(err, errLate) {
		return &Error{Op: "bridges.destroy", Message: "no ChannelLeftBridge of " + strings.Join(still, " "), Err: ErrNotDone}
	}
	if err != nil {
		return err
	}
	b.call.dropBridge(b)
	return nil
}
