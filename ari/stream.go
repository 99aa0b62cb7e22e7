package ari

import (
	"context"
	"errors"
	"time"
)

// Direction is which half of a channel is heard, seen from the channel.
type Direction string

// Directions.
const (
	SpyIn   Direction = "in"  // what the party says
	SpyOut  Direction = "out" // what the party hears
	SpyBoth Direction = "both"
	SpyNone Direction = "none"
)

// Snoop is a channel that listens to a leg, speaks to it, or both.
type Snoop struct {
	Role    string    // goes into ids and logs
	Spy     Direction // what is heard; "" is none
	Whisper Direction // who hears what is said to the snoop: SpyOut is the party; "" is none
}

// Snoop makes a snoop channel of the leg. It works for a leg that is not in the
// application too, and ends with the leg. The snoop is a Leg: bridge it to
// hear, Say on it to whisper.
func (l *Leg) Snoop(ctx context.Context, o Snoop) (*Leg, error) {
	if err := checkRole(o.Role); err != nil {
		return nil, err
	}
	if err := l.Err(); err != nil && !errors.Is(err, ErrLeft) {
		return nil, err
	}
	c := l.call
	s, err := c.newLeg(c.newID(o.Role, kindSnoop), o.Role)
	if err != nil {
		return nil, err
	}
	err = c.request(ctx, func(ctx context.Context) error {
		_, err := c.ctl.client.Channels.SnoopChannelWithID(ctx, ChannelsSnoopChannelWithID{ChannelID: l.id, SnoopID: s.id,
			Spy: string(o.Spy), Whisper: string(o.Whisper), App: c.ctl.cfg.App, AppArgs: NewPrivate(o.Role)})
		return err
	})
	if err == nil {
		s.confirm()
		err = s.prove(ctx, "channels.snoopChannel", "StasisStart of the snoop", func() bool { return s.inStasis })
	}
	if err != nil {
		c.discard(ctx, s)
		return nil, l.explain(ctx, err)
	}
	return s, nil
}

// discard hangs a leg up, whatever became of it, and forgets it.
func (c *Call) discard(ctx context.Context, l *Leg) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.ctl.cfg.RequestTimeout)
	defer cancel()
	if l.Err() == nil {
		err := c.ctl.client.Channels.Hangup(ctx, ChannelsHangup{ChannelID: l.id})
		if err != nil && !errors.Is(err, ErrGone) {
			c.log.Warn("channel cannot be hung up", "channel", l.id, "error", err)
		}
	}
	c.dropLeg(l)
}

// StreamOptions choose what a stream carries.
type StreamOptions struct {
	Direction Direction     // SpyIn or SpyOut
	Role      string        // goes into ids and logs: "rec-in"
	Batch     time.Duration // collect audio for up to this long, all streams in step; 0: each frame as it comes
}

// ErrStalled is in the error of Stream.Lost when frames stopped coming while
// the leg lived.
var ErrStalled = errors.New("no audio")

// Stream is audio of a leg on its way out of Asterisk: a snoop channel, an
// external media channel and the bridge that joins them, and the media
// WebSocket from which the frames are read.
type Stream struct {
	leg    *Leg
	snoop  *Leg
	media  *Leg
	bridge *Bridge
	socket *mediaSocket
	lost   chan error
	done   chan struct{} // reader ended
	stop   chan struct{} // closed by the first Stop

	reading bool // the reader was started
}

// Stream sends the audio of a leg to sink, G.711 mu-law at 8 kHz, until Stop.
// sink gets one frame (160 bytes, 20 ms) at a time, in order, from one
// goroutine, and must not keep the slice; at is when the frame left Asterisk,
// to about 20 ms even when frames are collected in batches. Stream returns
// when the first frame has come: from then on the leg is heard. It follows the
// leg through bridges and out of the application.
func (l *Leg) Stream(ctx context.Context, o StreamOptions, sink func(ulaw []byte, at time.Time)) (*Stream, error) {
	if o.Direction != SpyIn && o.Direction != SpyOut {
		return nil, errors.New("ari: StreamOptions.Direction: SpyIn or SpyOut")
	}
	s := &Stream{leg: l, lost: make(chan error, 1), done: make(chan struct{}), stop: make(chan struct{})}
	if err := s.open(ctx, o, sink); err != nil {
		if !s.reading {
			close(s.done)
		}
		_ = s.tearDown(ctx)
		return nil, err
	}
	l.call.mu.Lock()
	l.call.streams[s] = struct{}{}
	l.call.mu.Unlock()
	return s, nil
}

func (s *Stream) open(ctx context.Context, o StreamOptions, sink func([]byte, time.Time)) (err error) {
	c := s.leg.call
	if s.snoop, err = s.leg.Snoop(ctx, Snoop{Role: o.Role, Spy: o.Direction}); err != nil {
		return err
	}
	if err = s.openMedia(ctx, o.Role); err != nil {
		return err
	}
	if s.bridge, err = c.makeBridge(ctx, o.Role, kindStream); err != nil {
		return err
	}
	// Both StasisStarts are waited for in Add: adding earlier loses the race
	// now and then, with 422.
	if err = s.bridge.Add(ctx, s.snoop, s.media); err != nil {
		return err
	}
	first := make(chan struct{})
	s.reading = true
	c.ctl.chores.Go(func() { s.read(sink, first) })
	t := time.NewTimer(c.ctl.cfg.RequestTimeout)
	defer t.Stop()
	select {
	case <-first:
		s.socket.batch(o.Batch)
		return nil
	case <-s.done:
		return s.leg.explain(ctx, s.why("media socket closed before the first frame"))
	case <-t.C:
		return s.why("no audio frame")
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (s *Stream) why(message string) error {
	if err := s.leg.Err(); err != nil && !errors.Is(err, ErrLeft) {
		return err
	}
	return &Error{Op: "stream", Message: message, Err: ErrNotDone}
}

// openMedia makes the external media channel and connects its socket; its
// StasisStart comes when the socket is connected.
func (s *Stream) openMedia(ctx context.Context, role string) error {
	c := s.leg.call
	media, err := c.newLeg(c.newID(role, kindMedia), role)
	if err != nil {
		return err
	}
	s.media = media
	ch, err := c.ctl.client.Channels.ExternalMedia(ctx, ChannelsExternalMedia{ChannelID: media.id, App: c.ctl.cfg.App,
		ExternalHost: "INCOMING", Encapsulation: "none", Transport: "websocket", ConnectionType: "server", Format: "ulaw"})
	if err != nil {
		return err
	}
	media.confirm()
	id := ch.Channelvars["MEDIA_WEBSOCKET_CONNECTION_ID"]
	if id == "" {
		return &Error{Op: "channels.externalMedia", Message: "no MEDIA_WEBSOCKET_CONNECTION_ID: load chan_websocket.so in Asterisk", Err: ErrNotDone}
	}
	s.socket, err = openMediaSocket(ctx, c.ctl.client, id, media.id)
	return err
}

// read is the stream's goroutine.
func (s *Stream) read(sink func([]byte, time.Time), first chan struct{}) {
	err := s.socket.read(s.leg.call.ctl.cfg, sink, first)
	close(s.done)
	select {
	case <-s.stop:
		return
	default:
	}
	// A hang-up ends the audio a moment before the channel.
	t := time.NewTimer(2 * endGrace)
	defer t.Stop()
	select {
	case <-s.leg.gone:
		return // the leg ended, and its audio with it
	case <-s.stop:
		return
	case <-t.C:
	}
	s.lost <- err
}

// Lost yields one error when audio stopped coming though the leg lives and Stop
// was not called: ErrStalled, or what closed the socket. Stop the stream then.
func (s *Stream) Lost() <-chan error { return s.lost }

// Done is closed when no frame will come any more, for whatever reason.
func (s *Stream) Done() <-chan struct{} { return s.done }

// Stats tells what has come so far.
func (s *Stream) Stats() StreamStats { return s.socket.stats() }

// StreamStats counts what came over a media socket.
type StreamStats struct {
	Frames uint64
	Bytes  uint64
	LastAt time.Time // of the last frame
}

// Stop ends the stream: frames on their way are still given to sink, then
// snoop, media channel and bridge are taken down. After Stop sink is not
// called. It may be called twice.
func (s *Stream) Stop(ctx context.Context) error {
	l := s.leg
	l.call.mu.Lock()
	_, mine := l.call.streams[s]
	delete(l.call.streams, s)
	l.call.mu.Unlock()
	if !mine {
		select {
		case <-s.done:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		return nil
	}
	return s.tearDown(ctx)
}

func (s *Stream) tearDown(ctx context.Context) error {
	c := s.leg.call
	close(s.stop)
	if s.socket != nil {
		s.socket.batch(0) // what waits for a full batch is read now
	}
	// The media channel goes first: Asterisk then closes the socket behind the
	// last frame.
	for _, l := range []*Leg{s.media, s.snoop} {
		if l != nil {
			c.discard(ctx, l)
		}
	}
	if s.socket != nil {
		s.socket.finish(s.done)
	}
	if s.bridge == nil {
		return nil
	}
	clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.ctl.cfg.RequestTimeout)
	defer cancel()
	return s.bridge.Destroy(clean)
}
