package ari

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"
)

var errNotBuilt = errors.New("ari: verb not connected")

func defaultRand() float64 { return rand.Float64() }

type Bridge struct{}

// Controller keeps the socket and runs a handler per call.
type Controller struct{}

// Handler is what runs for the channels of the application.
type Handler struct {
	// Call runs for each new inbound leg. Its context is cancelled with cause
	// *HungUp when the patient's leg ends, *Lost when Asterisk restarted,
	// ErrLeft, ErrStopping or ErrOverflow.
	Call func(ctx context.Context, c *Call)
	// Adopt runs for a channel of the application that was there before us.
	Adopt func(ctx context.Context, c *Call)
}

// New checks the configuration.
func New(Config) (*Controller, error) { return nil, errNotBuilt }

// Serve connects and runs handlers until ctx ends.
func (c *Controller) Serve(ctx context.Context, h Handler) error { return errNotBuilt }

// Ready waits until events flow.
func (c *Controller) Ready(ctx context.Context) error { return errNotBuilt }

// Client returns the typed requests.
func (c *Controller) Client() *Client { return nil }

// Call is one person's contact; it embeds the patient's leg.
type Call struct{ *Leg }

// Leg is one party's channel.
type Leg struct{}

// Key is one key: 0-9, A-D, * or #; zero is none. It redacts itself.
type Key byte

// Ask is a prompt that gathers keys.
type Ask struct {
	Media         []string
	MaxDigits     int           // 0: until a terminator or a timeout
	Terminator    string        // any of these keys ends the input and is not part of it
	FirstDigit    time.Duration // from the end of the prompt
	InterDigit    time.Duration // after each key
	NoBargeIn     bool
	DropTypeAhead bool
}

// Answer is what was keyed.
type Answer struct {
	Digits Digits
	End    AskEnd
	Gap    bool // events were missed meanwhile: keys may be missing
}

// AskEnd is why an Ask ended.
type AskEnd uint8

// Ends of an Ask.
const (
	EndNothing    AskEnd = iota // no key at all
	EndFull                     // MaxDigits keys
	EndTerminator               // a terminator was pressed
	EndTimeout                  // some keys, then nothing
)

// Direction is which half of a channel is heard, seen from the channel.
type Direction string

// Directions.
const (
	SpyIn  Direction = "in"  // what the party says
	SpyOut Direction = "out" // what the party hears
)

// StreamOptions choose what a stream carries.
type StreamOptions struct {
	Direction Direction
	Role      string        // goes into ids and logs: "rec-in"
	Batch     time.Duration // collect this much audio per wake-up; 0: each frame as it comes
}

// Stream is audio of a leg on its way out of Asterisk.
type Stream struct{}

// Originate is a leg to be dialled.
type Originate struct {
	Role      string // goes into ids and logs: "agent"
	Endpoint  string // "PJSIP/agent-alice"
	CallerID  string
	Timeout   time.Duration
	Variables map[string]string
}

func (l *Leg) ID() string                                                { return "" }
func (l *Leg) Done() <-chan struct{}                                     { return nil }
func (l *Leg) Err() error                                                { return errNotBuilt }
func (l *Leg) Caller() (name, number Private)                            { return }
func (l *Leg) Answer(ctx context.Context) error                          { return errNotBuilt }
func (l *Leg) Say(ctx context.Context, media ...string) error            { return errNotBuilt }
func (l *Leg) SayUntilKey(ctx context.Context, m ...string) (Key, error) { return 0, errNotBuilt }
func (l *Leg) Ask(ctx context.Context, a Ask) (Answer, error)            { return Answer{}, errNotBuilt }
func (l *Leg) WatchKeys(fn func(key byte, at time.Time)) (stop func())   { return func() {} }
func (l *Leg) DropKeys() int                                             { return 0 }
func (l *Leg) Ring(ctx context.Context) error                            { return errNotBuilt }
func (l *Leg) StopRing(ctx context.Context) error                        { return errNotBuilt }
func (l *Leg) Hold(ctx context.Context, class string) error              { return errNotBuilt }
func (l *Leg) Unhold(ctx context.Context) error                          { return errNotBuilt }
func (l *Leg) Var(ctx context.Context, name string) (string, error)      { return "", errNotBuilt }
func (l *Leg) SetVar(ctx context.Context, name, value string) error      { return errNotBuilt }
func (l *Leg) Hangup(ctx context.Context, cause Cause) error             { return errNotBuilt }
func (l *Leg) Continue(ctx context.Context, dpContext, exten string, priority int) error {
	return errNotBuilt
}
func (l *Leg) Stream(ctx context.Context, o StreamOptions, sink func(ulaw []byte, at time.Time)) (*Stream, error) {
	return nil, errNotBuilt
}

func (c *Call) Args() []string                                              { return nil }
func (c *Call) Gaps() []Gap                                                 { return nil }
func (c *Call) WatchEvents(fn func(Event)) (stop func())                    { return func() {} }
func (c *Call) Originate(ctx context.Context, o Originate) (*Leg, error)    { return nil, errNotBuilt }
func (c *Call) AdoptLeg(ctx context.Context, id, role string) (*Leg, error) { return nil, errNotBuilt }
func (c *Call) NewBridge(ctx context.Context, role string) (*Bridge, error) { return nil, errNotBuilt }
func (c *Call) Bridge(ctx context.Context, role string) (*Bridge, error)    { return nil, errNotBuilt }
func (c *Call) AdoptBridge(ctx context.Context, id string) (*Bridge, error) { return nil, errNotBuilt }
func (c *Call) Log() *slog.Logger                                           { return nil }

func (b *Bridge) ID() string                                      { return "" }
func (b *Bridge) Add(ctx context.Context, legs ...*Leg) error     { return errNotBuilt }
func (b *Bridge) Remove(ctx context.Context, legs ...*Leg) error  { return errNotBuilt }
func (b *Bridge) Play(ctx context.Context, media ...string) error { return errNotBuilt }
func (b *Bridge) Destroy(ctx context.Context) error               { return errNotBuilt }

func (s *Stream) Stop(ctx context.Context) error { return errNotBuilt }
func (s *Stream) Lost() <-chan error             { return nil }
func (s *Stream) Done() <-chan struct{}          { return nil }
