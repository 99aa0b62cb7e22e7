package ari

import (
	"context"
	"errors"
	"strings"
	"time"
)

const (
	// A channel that is in the list and unknown to us may have its StasisStart
	// on the way: it is adopted only when none came in this time.
	adoptGrace = 100 * time.Millisecond
	// Sweeps wait this long, so that one sweep serves many endings.
	sweepPause = time.Second
)

// quiet are events nobody here needs and that carry what was keyed or dialled.
const quiet = `{"disallowed":[{"type":"ChannelVarset"},{"type":"ChannelDialplan"}]}`

// resync reads application, channels and bridges back, tells each call its gap
// and releases the events that were held meanwhile. It returns the channels
// nobody runs for.
func (c *Controller) resync(ctx context.Context, gap *Gap) ([]*Channel, error) {
	info, err := c.client.Asterisk.GetInfo(ctx, AsteriskGetInfo{})
	if err != nil {
		return nil, err
	}
	if err := version(info); err != nil {
		return nil, err
	}
	_, err = c.client.Applications.Filter(ctx, ApplicationsFilter{ApplicationName: c.cfg.App, Filter: []byte(quiet)})
	if err != nil {
		return nil, err
	}
	channels, err := c.client.Channels.List(ctx)
	if err != nil {
		return nil, err
	}
	bridges, err := c.client.Bridges.List(ctx)
	if err != nil {
		return nil, err
	}

	c.mu.Lock()
	gap.To = c.cfg.Now()
	e := &gapEvent{Gap: *gap, channels: map[string]*Channel{}, bridges: map[string]*BridgeInfo{}}
	for i := range channels {
		e.channels[channels[i].ID] = &channels[i]
	}
	for i := range bridges {
		e.bridges[bridges[i].ID] = &bridges[i]
	}
	if info.Status != nil {
		if was, is := c.booted, info.Status.StartupTime.Time; !was.IsZero() && !was.Equal(is) {
			e.lost = &Lost{From: gap.From, To: gap.To, Restarted: true}
		}
		c.booted = info.Status.StartupTime.Time
	}
	if e.lost != nil {
		// The ids died with the old process; the new one may use them again.
		clear(c.routes)
	}
	for call := range c.calls {
		call.box.force(e)
	}
	orphans := c.orphans(channels)
	held := c.held
	c.holding, c.held = false, nil
	type late struct {
		e        Event
		unrouted bool
		full     []*Call
	}
	var rest []late
	for _, e := range held {
		if unrouted, full := c.route(e); unrouted || full != nil {
			rest = append(rest, late{e, unrouted, full})
		}
	}
	c.mu.Unlock()
	for _, l := range rest {
		c.after(l.e, l.unrouted, l.full)
	}
	return orphans, nil
}

// orphans are the patients' channels in our application that no call has.
func (c *Controller) orphans(channels []Channel) []*Channel {
	var out []*Channel
	for i := range channels {
		ch := &channels[i]
		if _, ours := parseID(c.cfg.App, ch.ID); ours || ch.Dialplan.AppName != "Stasis" {
			continue
		}
		if app, _, _ := strings.Cut(ch.Dialplan.AppData.text, ","); app != c.cfg.App {
			continue
		}
		if c.routes[ch.ID] == nil {
			out = append(out, ch)
		}
	}
	return out
}

// tend adopts what a resync found, sweeps what it left, and then sweeps when
// asked, until the socket closes.
func (c *Controller) tend(ctx context.Context, s *socket, orphans []*Channel) {
	pause := func(d time.Duration) bool {
		select {
		case <-s.done:
			return false
		case <-time.After(d):
			return true
		}
	}
	if !pause(adoptGrace) {
		return
	}
	c.adopt(orphans)
	for {
		c.sweep(ctx)
		select {
		case <-s.done:
			return
		case <-c.sweeps:
		}
		if !pause(sweepPause) {
			return
		}
	}
}

func (c *Controller) adopt(orphans []*Channel) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, ch := range orphans {
		switch {
		case c.routes[ch.ID] != nil: // its StasisStart came
		case c.handler.Adopt == nil:
			c.cfg.Logger.Warn("channel found in the application and left alone: Handler.Adopt is not set", "channel", ch.ID)
		case c.stopping != nil: // the next run will find it
		default:
			_, rest, _ := strings.Cut(ch.Dialplan.AppData.text, ",")
			var args []string
			if rest != "" {
				args = strings.Split(rest, ",")
			}
			c.open(ch, args, &Gap{To: c.cfg.Now()})
		}
	}
}

func (c *Controller) askSweep() {
	select {
	case c.sweeps <- struct{}{}:
	default:
	}
}

// sweep hangs up and destroys what earlier runs and ended calls left behind.
func (c *Controller) sweep(ctx context.Context) {
	channels, err := c.client.Channels.List(ctx)
	if err == nil {
		var bridges []BridgeInfo
		if bridges, err = c.client.Bridges.List(ctx); err == nil {
			c.clean(ctx, leftovers(c.cfg.App, c.cfg.Instance, c.alive(), channels, bridges))
		}
	}
	if err != nil && ctx.Err() == nil && !errors.Is(err, ErrInterrupted) {
		c.cfg.Logger.Warn("leftovers cannot be listed", "error", err)
	}
}

func (c *Controller) clean(ctx context.Context, l leftover) {
	for _, id := range l.channels {
		err := c.client.Channels.Hangup(ctx, ChannelsHangup{ChannelID: id})
		c.swept("channel", id, err)
	}
	for _, id := range l.bridges {
		err := c.client.Bridges.Destroy(ctx, BridgesDestroy{BridgeID: id})
		c.swept("bridge", id, err)
	}
}

func (c *Controller) swept(kind, id string, err error) {
	if err != nil && !errors.Is(err, ErrGone) {
		c.cfg.Logger.Warn("leftover cannot be removed", kind, id, "error", err)
		return
	}
	c.cfg.Logger.Info("leftover removed", kind, id)
}

// alive is the call ids handlers run for.
func (c *Controller) alive() map[string]bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	ids := make(map[string]bool, len(c.calls))
	for call := range c.calls {
		ids[call.id] = true
	}
	return ids
}

type leftover struct{ channels, bridges []string }

// leftovers tells which channels and bridges of our making serve nobody any
// more. What joins two live parties, or may still be adopted because its
// patient is on the line, stays.
func leftovers(app, instance string, alive map[string]bool, channels []Channel, bridges []BridgeInfo) (out leftover) {
	present := map[string]bool{}
	for _, ch := range channels {
		present[ch.ID] = true
	}
	tool := func(id string) bool {
		o, ours := parseID(app, id)
		return ours && (o.kind == kindSnoop || o.kind == kindMedia)
	}
	kept := map[string]bool{} // parties in a bridge that stays
	for _, b := range bridges {
		o, ours := parseID(app, b.ID)
		if !ours {
			continue
		}
		parties := 0
		for _, id := range b.Channels {
			if !tool(id) {
				parties++
			}
		}
		stays := alive[o.call] && o.instance == instance
		if o.kind == kindBridge {
			stays = alive[o.call] || present[o.call] || parties >= 2
		}
		if !stays {
			out.bridges = append(out.bridges, b.ID)
			continue
		}
		for _, id := range b.Channels {
			kept[id] = true
		}
	}
	for _, ch := range channels {
		o, ours := parseID(app, ch.ID)
		if !ours || strings.HasSuffix(ch.ID, ";2") { // the far half of a Local channel ends with the near one
			continue
		}
		stays := alive[o.call] && o.instance == instance
		if o.kind == kindLeg {
			stays = alive[o.call] || present[o.call] || kept[ch.ID]
		}
		if !stays {
			out.channels = append(out.channels, ch.ID)
		}
	}
	return out
}
