package softphone

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"
)

// By says who ended a call.
type By string

// The three ways a call ends.
const (
	ByUs   By = "us"
	ByThem By = "them"
	ByLoss By = "loss" // connection lost or session timer run out
)

// Cause is why a call ended.
type Cause struct {
	By   By
	Text string
	Q850 int // of the Reason header in their BYE; 0 when there is none
}

// Call is one answered call. Its methods may be called from several
// goroutines.
type Call struct {
	phone    *Phone
	dialog   *dialog
	media    *media
	answered time.Time
	number   string
	tx       sip.ClientTransaction // of our INVITE; nil for a call that came

	change  sync.Mutex // one offer at a time
	mu      sync.Mutex
	ours    description // last SDP of ours
	cause   Cause
	endedAt time.Time
	timer   sessionTimer
	waitAck map[uint32]chan *sip.Request // by CSeq of their INVITE
	over    sync.Once
	done    chan struct{}
}

func newCall(p *Phone, d *dialog, m *media, number string, ours description) *Call {
	return &Call{
		phone: p, dialog: d, media: m, number: number, ours: ours,
		waitAck: map[uint32]chan *sip.Request{}, done: make(chan struct{}),
	}
}

// begin starts the sound; sample 0 is now.
func (c *Call) begin() error {
	c.phone.mu.Lock()
	closed := c.phone.closed
	if !closed {
		c.phone.calls[c.ID()] = c
	}
	c.phone.mu.Unlock()
	if closed {
		return ErrClosed
	}
	c.answered = time.Now()
	c.media.start(c.answered)
	return nil
}

// ID returns the SIP Call-ID, which ARI calls protocol_id.
func (c *Call) ID() string { return c.dialog.callID }

// Number returns what was dialled, or who called, as shown.
func (c *Call) Number() string { return c.number }

// Phone returns the phone the call belongs to.
func (c *Call) Phone() *Phone { return c.phone }

// AnsweredAt returns when the call was answered; sample 0 of what is heard.
func (c *Call) AnsweredAt() time.Time { return c.answered }

// Done is closed when the call has ended.
func (c *Call) Done() <-chan struct{} { return c.done }

// Cause tells why the call ended; it is zero while it goes on.
func (c *Call) Cause() Cause {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cause
}

// EndedAt returns when the call ended; zero while it goes on.
func (c *Call) EndedAt() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.endedAt
}

// Press presses keys one after the other, each 100 ms long and 60 ms apart,
// and returns when the last has been let go. The error is ErrKey for what is
// no key, ErrNoKeys, ErrEnded, or the context's cause.
func (c *Call) Press(ctx context.Context, keys string) error { return c.media.press(ctx, keys) }

// Speak sends pcm (8 kHz) after what is being spoken already and returns when
// its last sample has left. The error is ErrEnded or the context's cause.
func (c *Call) Speak(ctx context.Context, pcm []int16) error { return c.media.speak(ctx, pcm) }

// Mute stops sending sound, so that no RTP leaves but keys, or goes on. Time
// passes for what is spoken meanwhile.
func (c *Call) Mute(mute bool) {
	c.media.mu.Lock()
	defer c.media.mu.Unlock()
	c.media.muted = mute
}

// Spoken returns what has been spoken to its end, in order.
func (c *Call) Spoken() []Utterance {
	c.media.mu.Lock()
	defer c.media.mu.Unlock()
	return append([]Utterance(nil), c.media.spoken...)
}

// Presses returns the keys pressed here so far.
func (c *Call) Presses() []Press {
	c.media.mu.Lock()
	defer c.media.mu.Unlock()
	return append([]Press(nil), c.media.pressed...)
}

// HeardKeys returns the keys that came from the other side as RFC 4733 events.
func (c *Call) HeardKeys() []Press {
	c.media.mu.Lock()
	defer c.media.mu.Unlock()
	return append([]Press(nil), c.media.ear.heard...)
}

// Heard returns all that was heard since the answer: 8 kHz, sample n at
// AnsweredAt + n/8000 s, silence where nothing arrived.
func (c *Call) Heard() []int16 { return c.media.tl.since(0) }

// HeardSince returns what was heard from sample n on.
func (c *Call) HeardSince(n int) []int16 { return c.media.tl.since(n) }

// Samples returns how many samples were heard. It goes on with the clock, at
// most 0.2 s behind while nothing arrives.
func (c *Call) Samples() int { return c.media.tl.length() }

// Wait returns when at least n samples were heard. The error is ErrEnded when
// the call ended before, or the context's cause.
func (c *Call) Wait(ctx context.Context, n int) error { return c.media.tl.wait(ctx, n) }

// TimeAt returns when a sample was heard.
func (c *Call) TimeAt(sample int) time.Time { return c.media.tl.timeAt(sample) }

// SampleAt returns the sample heard at a time.
func (c *Call) SampleAt(at time.Time) int { return c.media.tl.sampleAt(at) }

// Stats returns the counts of the call's RTP.
func (c *Call) Stats() Stats {
	c.media.mu.Lock()
	defer c.media.mu.Unlock()
	return c.media.stats
}

// Held tells whether the other side put this call on hold.
func (c *Call) Held() bool {
	c.media.mu.Lock()
	defer c.media.mu.Unlock()
	return c.media.dir == recvOnly || c.media.dir == inactive
}

// Hangup ends the call with BYE; a call that has ended is left alone.
func (c *Call) Hangup(ctx context.Context) error {
	select {
	case <-c.done:
		return nil
	default:
	}
	bye := c.dialog.request(sip.BYE, 0)
	bye.AppendHeader(sip.NewHeader("Reason", `Q.850;cause=16;text="Normal Clearing"`))
	res, err := c.phone.request(ctx, bye)
	c.end(Cause{By: ByUs, Text: "hung up"})
	if err != nil && c.Cause().By == ByUs {
		return err
	}
	if err == nil && !res.IsSuccess() && res.StatusCode != sip.StatusCallTransactionDoesNotExists {
		return refusedBy("BYE", res)
	}
	return nil
}

// end settles the call once, whoever ended it.
func (c *Call) end(cause Cause) {
	c.over.Do(func() {
		at := time.Now()
		c.media.stop()
		c.mu.Lock()
		c.cause, c.endedAt = cause, at
		c.timer.stop()
		c.mu.Unlock()
		if c.tx != nil {
			c.tx.Terminate()
		}
		c.phone.mu.Lock()
		delete(c.phone.calls, c.ID())
		c.phone.mu.Unlock()
		close(c.done)
	})
}

func (p *Phone) onBye(req *sip.Request, tx sip.ServerTransaction) {
	c := p.call(req)
	if c == nil {
		_ = tx.Respond(p.response(req, sip.StatusCallTransactionDoesNotExists, "No Such Call", nil))
		return
	}
	_ = tx.Respond(p.response(req, sip.StatusOK, "OK", nil))
	cause := Cause{By: ByThem, Text: "BYE", Q850: q850(req.GetHeaders("Reason"))}
	if h := req.GetHeader("Reason"); h != nil {
		cause.Text = h.Value()
	}
	c.end(cause)
}

// q850 reads the cause of the first Q.850 Reason header (RFC 3326).
func q850(reasons []sip.Header) int {
	for _, h := range reasons {
		protocol, params, _ := strings.Cut(h.Value(), ";")
		if !strings.EqualFold(strings.TrimSpace(protocol), "Q.850") {
			continue
		}
		for param := range strings.SplitSeq(params, ";") {
			name, value, _ := strings.Cut(strings.TrimSpace(param), "=")
			if n, err := strconv.Atoi(value); err == nil && strings.EqualFold(name, "cause") {
				return n
			}
		}
	}
	return 0
}

// Hold puts the other side on hold by a re-INVITE (a=sendonly).
func (c *Call) Hold(ctx context.Context) error { return c.reoffer(ctx, sendOnly) }

// Unhold takes the other side back from hold.
func (c *Call) Unhold(ctx context.Context) error { return c.reoffer(ctx, sendRecv) }

// reoffer sends a re-INVITE with a new direction and takes its answer.
func (c *Call) reoffer(ctx context.Context, dir direction) error {
	c.change.Lock()
	defer c.change.Unlock()
	c.mu.Lock()
	offer := c.ours
	c.mu.Unlock()
	if offer.dir != dir {
		offer.version++
	}
	offer.dir, offer.streams, offer.audio = dir, nil, 0
	req := c.dialog.request(sip.INVITE, 0)
	req.SetBody(offer.marshal())
	req.AppendHeader(sip.NewHeader("Content-Type", "application/sdp"))
	req.AppendHeader(sip.NewHeader("Allow", allow))
	c.timer.offer(c, req)
	res, tx, req, err := c.phone.invite(ctx, req, nil)
	if err != nil {
		return err
	}
	defer tx.Terminate()
	c.dialog.reached(req.CSeq().SeqNo)
	if err := c.acknowledge(res); err != nil {
		return err
	}
	answer, err := parseSDP(res.Body())
	if err != nil {
		return err
	}
	key, err := answeredKey(offer, answer)
	if err != nil {
		return err
	}
	c.mu.Lock()
	c.ours = offer
	c.mu.Unlock()
	c.timer.agreed(c, res)
	return c.media.connect(answer, key)
}

// acknowledge sends the ACK of a 200 to our INVITE.
func (c *Call) acknowledge(res *sip.Response) error {
	ack := c.dialog.request(sip.ACK, res.CSeq().SeqNo)
	if err := c.phone.client.WriteRequest(ack, c.phone.prepare); err != nil {
		return fmt.Errorf("softphone: ACK: %w", err)
	}
	return nil
}
