package ari

import (
	"context"
	"errors"
)

// Tidy ends what an earlier run of the controller made for this call and what
// was not adopted: a party who is still being rung, a bridge without parties.
// Call it when everything wanted has been adopted. Snoops and media channels of
// an earlier run go by themselves.
func (c *Call) Tidy(ctx context.Context) error {
	channels, err := c.ctl.client.Channels.List(ctx)
	if err != nil {
		return err
	}
	bridges, err := c.ctl.client.Bridges.List(ctx)
	if err != nil {
		return err
	}
	stale := func(id, kind string) bool {
		o, ours := parseID(c.ctl.cfg.App, id)
		if !ours || o.call != c.id || o.kind != kind || o.instance == c.ctl.cfg.Instance {
			return false
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.legs[id] == nil && c.bridges[id] == nil
	}
	var errs []error
	for _, ch := range channels {
		if stale(ch.ID, kindLeg) {
			errs = append(errs, c.ctl.client.Channels.Hangup(ctx, ChannelsHangup{ChannelID: ch.ID}))
		}
	}
	for _, b := range bridges {
		if stale(b.ID, kindBridge) {
			errs = append(errs, c.ctl.client.Bridges.Destroy(ctx, BridgesDestroy{BridgeID: b.ID}))
		}
	}
	for i, err := range errs {
		if errors.Is(err, ErrGone) { // by itself, meanwhile
			errs[i] = nil
		}
	}
	return errors.Join(errs...)
}
