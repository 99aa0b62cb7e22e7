package softphone

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"
)

// ErrCancelled is returned for an incoming call whose caller gave up.
var ErrCancelled = errors.New("softphone: the caller gave up")

// ErrSettled is returned for an incoming call answered or rejected already.
var ErrSettled = errors.New("softphone: answered or rejected already")

// Times of a 200 that waits for its ACK (RFC 3261, 13.3.1.4).
const (
	resendFirst = 500 * time.Millisecond
	resendLimit = 4 * time.Second
	ackLimit    = 32 * time.Second
)

// Invite is an incoming call that has not been answered.
type Invite struct {
	phone *Phone
	req   *sip.Request
	tx    sip.ServerTransaction
	tag   string
	offer description
	at    time.Time

	mu      sync.Mutex
	settled bool          // a final answer has been chosen
	over    chan struct{} // closed when the transaction is finished with
	gone    chan struct{} // closed when the caller gave up
	once    sync.Once
	goneOne sync.Once
}

// Incoming gives the calls that come in. A call that finds 16 waiting is
// answered with 486.
func (p *Phone) Incoming() <-chan *Invite { return p.incoming }

// Accept waits for the next incoming call, rings and answers it.
func (p *Phone) Accept(ctx context.Context) (*Call, error) {
	select {
	case i := <-p.incoming:
		if err := i.Ring(ctx); err != nil {
			return nil, err
		}
		return i.Answer(ctx)
	case <-p.ctx.Done():
		return nil, context.Cause(p.ctx)
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// CallID returns the SIP Call-ID, which ARI calls protocol_id.
func (i *Invite) CallID() string { return i.req.CallID().Value() }

// From returns the caller's number, or the user part of the From header.
func (i *Invite) From() string { return i.req.From().Address.User }

// DisplayName returns the caller's name as shown.
func (i *Invite) DisplayName() string { return i.req.From().DisplayName }

// To returns the user part of the To header.
func (i *Invite) To() string { return i.req.To().Address.User }

// Header returns the first value of a header, or "".
func (i *Invite) Header(name string) string {
	if h := i.req.GetHeader(name); h != nil {
		return h.Value()
	}
	return ""
}

// At returns when the call came in.
func (i *Invite) At() time.Time { return i.at }

// Cancelled is closed when the caller gave up before an answer.
func (i *Invite) Cancelled() <-chan struct{} { return i.gone }

// Ring answers 180.
func (i *Invite) Ring(context.Context) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if err := i.open(); err != nil {
		return err
	}
	if err := i.tx.Respond(i.response(sip.StatusRinging, "Ringing", nil)); err != nil {
		return fmt.Errorf("softphone: 180: %w", err)
	}
	return nil
}

// Answer answers 200 and returns when the ACK has come.
func (i *Invite) Answer(ctx context.Context) (*Call, error) {
	i.mu.Lock()
	if err := i.open(); err != nil {
		i.mu.Unlock()
		return nil, err
	}
	i.settled = true
	i.mu.Unlock()
	defer i.finished()
	p := i.phone
	p.mu.Lock()
	local := p.line.local.Addr()
	p.mu.Unlock()
	m, err := newMedia(local, i.offer.secure)
	if err != nil {
		return nil, i.fail(err)
	}
	answer, key := m.answer(i.offer)
	c := newCall(p, calleeDialog(i.req, i.tag, p.contact()), m, i.From(), answer)
	if err = m.connect(i.offer, key); err == nil {
		err = c.begin()
	}
	if err != nil {
		m.stop()
		return nil, i.fail(err)
	}
	res := i.response(sip.StatusOK, "OK", answer.marshal())
	c.timer.grant(c, i.req, res)
	if err := c.respond(ctx, i.req, res, i.tx); err != nil {
		c.end(Cause{By: ByUs, Text: "no ACK"})
		if i.wasCancelled() {
			return nil, ErrCancelled
		}
		return nil, err
	}
	return c, nil
}

// fail tells the caller that this phone cannot answer.
func (i *Invite) fail(err error) error {
	_ = i.tx.Respond(i.response(sip.StatusInternalServerError, "Internal Error", nil))
	return err
}

// Reject answers with a final code of 300 or more, 486 for busy.
func (i *Invite) Reject(ctx context.Context, code int) error {
	i.mu.Lock()
	if err := i.open(); err != nil {
		i.mu.Unlock()
		return err
	}
	i.settled = true
	i.mu.Unlock()
	defer i.finished()
	if err := i.tx.Respond(i.response(code, reasonOf(code), nil)); err != nil {
		return fmt.Errorf("softphone: %d: %w", code, err)
	}
	select {
	case <-i.tx.Acks():
	case <-i.tx.Done():
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return nil
}

// open returns why no answer can be given any more.
func (i *Invite) open() error {
	switch {
	case i.wasCancelled():
		return ErrCancelled
	case i.settled:
		return ErrSettled
	}
	return nil
}

func (i *Invite) wasCancelled() bool {
	select {
	case <-i.gone:
		return true
	default:
		return false
	}
}

// cancelled notes that the caller gave up, or the connection is lost.
func (i *Invite) cancelled() {
	i.goneOne.Do(func() { close(i.gone) })
	i.finished()
}

func (i *Invite) finished() { i.once.Do(func() { close(i.over) }) }

func (i *Invite) response(code int, reason string, body []byte) *sip.Response {
	res := i.phone.response(i.req, code, reason, body)
	res.To().Params.Add("tag", i.tag)
	return res
}

func reasonOf(code int) string {
	switch code {
	case sip.StatusBusyHere:
		return "Busy Here"
	case sip.StatusTemporarilyUnavailable:
		return "Temporarily Unavailable"
	case sip.StatusGlobalDecline:
		return "Decline"
	case sip.StatusNotAcceptableHere:
		return "Not Acceptable Here"
	}
	return "Rejected"
}

// answer is our side of an offer that came, and their key.
func (m *media) answer(offer description) (description, masterKey) {
	a := m.describe()
	a.event, a.dir = offer.event, offer.dir.mirror()
	a.streams, a.audio = offer.streams, offer.audio
	var key masterKey
	if offer.secure {
		a.crypto = []crypto{{tag: offer.crypto[0].tag, key: m.key}}
		key = offer.crypto[0].key
	}
	return a, key
}

// onInvite takes an INVITE: of a new call, or within one. The SIP stack ends
// the transaction when this returns, so it stays until the call is settled.
func (p *Phone) onInvite(req *sip.Request, tx sip.ServerTransaction) {
	if req.To().Params.Has("tag") {
		p.onReinvite(req, tx)
		return
	}
	offer, err := parseSDP(req.Body())
	if err != nil || !offer.ulaw || offer.secure == p.cfg.PlainRTP {
		p.refuse(req, tx, sip.StatusNotAcceptableHere)
		return
	}
	i := &Invite{
		phone: p, req: req, tx: tx, tag: sip.GenerateTagN(16), offer: offer, at: time.Now(),
		over: make(chan struct{}), gone: make(chan struct{}),
	}
	if !tx.OnCancel(func(*sip.Request) { i.cancelled() }) {
		return
	}
	p.mu.Lock()
	closed := p.closed
	if !closed {
		p.invites[i.CallID()] = i
	}
	p.mu.Unlock()
	if closed {
		p.refuse(req, tx, sip.StatusTemporarilyUnavailable)
		return
	}
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.invites, i.CallID())
	}()
	select {
	case p.incoming <- i:
	default:
		p.refuse(req, tx, sip.StatusBusyHere)
		return
	}
	select {
	case <-i.over:
	case <-p.ctx.Done():
		return
	}
	if i.wasCancelled() {
		p.awaitAck(tx)
	}
}

// refuse answers an INVITE with no and waits for its ACK.
func (p *Phone) refuse(req *sip.Request, tx sip.ServerTransaction, code int) {
	if tx.Respond(p.response(req, code, reasonOf(code), nil)) == nil {
		p.awaitAck(tx)
	}
}

func (p *Phone) awaitAck(tx sip.ServerTransaction) {
	select {
	case <-tx.Acks():
	case <-tx.Done():
	case <-p.ctx.Done():
	}
}

// respond sends a 200 to an INVITE of this call until its ACK comes.
func (c *Call) respond(ctx context.Context, req *sip.Request, res *sip.Response, tx sip.ServerTransaction) error {
	number := req.CSeq().SeqNo
	ack := make(chan *sip.Request, 1)
	c.mu.Lock()
	c.waitAck[number] = ack
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.waitAck, number)
	}()
	if err := tx.Respond(res); err != nil {
		return fmt.Errorf("softphone: 200: %w", err)
	}
	wait := resendFirst
	again, limit := time.NewTimer(wait), time.NewTimer(ackLimit)
	defer again.Stop()
	defer limit.Stop()
	for {
		select {
		case <-ack:
			return nil
		case <-c.done:
			return ErrEnded
		case <-again.C:
			if err := tx.Respond(res); err != nil {
				return fmt.Errorf("softphone: 200: %w", err)
			}
			wait = min(2*wait, resendLimit)
			again.Reset(wait)
		case <-limit.C:
			return errors.New("softphone: no ACK came for the 200")
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (p *Phone) onAck(req *sip.Request, _ sip.ServerTransaction) {
	c := p.call(req)
	if c == nil {
		return
	}
	c.mu.Lock()
	ack := c.waitAck[req.CSeq().SeqNo]
	c.mu.Unlock()
	if ack == nil {
		return
	}
	select {
	case ack <- req:
	default:
	}
}

// onReinvite takes an INVITE within a call: a new offer, or a refresh.
func (p *Phone) onReinvite(req *sip.Request, tx sip.ServerTransaction) {
	c := p.call(req)
	if c == nil {
		p.refuse(req, tx, sip.StatusCallTransactionDoesNotExists)
		return
	}
	if !c.change.TryLock() {
		p.refuse(req, tx, sip.StatusRequestPending)
		return
	}
	defer c.change.Unlock()
	res, code := c.takeOffer(req)
	if res == nil {
		p.refuse(req, tx, code)
		return
	}
	_ = c.respond(p.ctx, req, res, tx)
}

// onUpdate takes an UPDATE (RFC 3311), with an offer or as a refresh.
func (p *Phone) onUpdate(req *sip.Request, tx sip.ServerTransaction) {
	c := p.call(req)
	if c == nil {
		_ = tx.Respond(p.response(req, sip.StatusCallTransactionDoesNotExists, "No Such Call", nil))
		return
	}
	c.change.Lock()
	defer c.change.Unlock()
	res, code := c.takeOffer(req)
	if res == nil {
		res = p.response(req, code, reasonOf(code), nil)
	}
	_ = tx.Respond(res)
}

// takeOffer agrees to what a request within the call asks, or returns the
// code to refuse it with. An INVITE without an offer gets 488: Asterisk
// always makes one.
func (c *Call) takeOffer(req *sip.Request) (*sip.Response, int) {
	if !c.dialog.receive(req) {
		return nil, sip.StatusInternalServerError
	}
	var body []byte
	if len(req.Body()) > 0 || req.Method == sip.INVITE {
		offer, err := parseSDP(req.Body())
		if err != nil || !offer.ulaw || offer.secure != c.media.secure {
			return nil, sip.StatusNotAcceptableHere
		}
		answer, key := c.media.answer(offer)
		c.mu.Lock()
		answer.session, answer.version = c.ours.session, c.ours.version+1
		c.ours = answer
		c.mu.Unlock()
		if err := c.media.connect(offer, key); err != nil {
			return nil, sip.StatusInternalServerError
		}
		body = answer.marshal()
	}
	res := c.phone.response(req, sip.StatusOK, "OK", body)
	c.timer.grant(c, req, res)
	return res, 0
}
