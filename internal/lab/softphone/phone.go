package softphone

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"
)

// ErrClosed is returned by a phone that was closed.
var ErrClosed = errors.New("softphone: the phone is closed")

// allow lists the methods a phone answers.
const allow = "INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE"

// closeGrace bounds each farewell that Close and loss of a call send.
const closeGrace = 2 * time.Second

// Phone is one telephone: one TLS connection, one registration, any number of
// calls. Its methods may be called from several goroutines.
type Phone struct {
	cfg    Config
	tls    *tls.Config
	ua     *sipgo.UserAgent
	client *sipgo.Client
	server *sipgo.Server

	ctx      context.Context
	cancel   context.CancelCauseFunc
	tasks    sync.WaitGroup
	incoming chan *Invite

	mu      sync.Mutex
	line    *line
	calls   map[string]*Call   // by Call-ID
	invites map[string]*Invite // by Call-ID
	closed  bool
	reg     registration
}

// quiet keeps what the SIP stack says for all phones of the process, and can
// be given to no single one, out of the process's log.
var quiet = sync.OnceFunc(func() { sip.SetDefaultLogger(slog.New(slog.DiscardHandler)) })

// New connects a phone to its server. Nothing is registered yet. The error
// wraps what TCP, TLS or the certificate check said.
func New(ctx context.Context, cfg Config) (*Phone, error) {
	conf, err := cfg.tlsConfig()
	if err != nil {
		return nil, err
	}
	quiet()
	log := cfg.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	p := &Phone{
		cfg: cfg, tls: conf,
		incoming: make(chan *Invite, 16),
		calls:    map[string]*Call{}, invites: map[string]*Invite{},
	}
	p.ctx, p.cancel = context.WithCancelCause(context.Background())
	p.ua, err = sipgo.NewUA(
		sipgo.WithUserAgent(cfg.User),
		sipgo.WithUserAgenTLSConfig(conf),
		sipgo.WithUserAgentTransportLayerOptions(sip.WithTransportLayerLogger(log)),
		sipgo.WithUserAgentTransactionLayerOptions(
			sip.WithTransactionLayerLogger(log),
			sip.WithTransactionLayerTerminateOnConnClose(),
			sip.WithTransactionLayerUnhandledResponseHandler(func(*sip.Response) {}),
		),
	)
	if err != nil {
		return nil, fmt.Errorf("softphone: %w", err)
	}
	if p.client, err = sipgo.NewClient(p.ua, sipgo.WithClientLogger(log)); err == nil {
		p.server, err = sipgo.NewServer(p.ua, sipgo.WithServerLogger(log))
	}
	if err != nil {
		p.ua.Close()
		return nil, fmt.Errorf("softphone: %w", err)
	}
	p.answerRequests()
	if err := p.connect(ctx); err != nil {
		p.ua.Close()
		return nil, err
	}
	return p, nil
}

// answerRequests tells what is done with each request that comes.
func (p *Phone) answerRequests() {
	p.server.OnInvite(p.onInvite)
	p.server.OnAck(p.onAck)
	p.server.OnBye(p.onBye)
	p.server.OnUpdate(p.onUpdate)
	p.server.OnOptions(func(req *sip.Request, tx sip.ServerTransaction) {
		_ = tx.Respond(p.response(req, sip.StatusOK, "OK", nil))
	})
	refuse := func(req *sip.Request, tx sip.ServerTransaction) {
		_ = tx.Respond(p.response(req, sip.StatusMethodNotAllowed, "Method Not Allowed", nil))
	}
	p.server.OnNoRoute(refuse)
	p.server.OnCancel(func(req *sip.Request, tx sip.ServerTransaction) {
		_ = tx.Respond(p.response(req, sip.StatusCallTransactionDoesNotExists, "No Such Transaction", nil))
	})
	p.server.OnNotify(func(req *sip.Request, tx sip.ServerTransaction) {
		_ = tx.Respond(p.response(req, sip.StatusOK, "OK", nil))
	})
}

// response builds an answer with what every answer of a phone carries.
func (p *Phone) response(req *sip.Request, code int, reason string, body []byte) *sip.Response {
	res := sip.NewResponseFromRequest(req, code, reason, body)
	res.AppendHeader(sip.NewHeader("Allow", allow))
	res.AppendHeader(sip.NewHeader("Supported", "timer"))
	contact := p.contact()
	res.AppendHeader(&contact)
	if len(body) > 0 {
		res.AppendHeader(sip.NewHeader("Content-Type", "application/sdp"))
	}
	return res
}

// contact is where this phone is reached: over the connection it made.
func (p *Phone) contact() sip.ContactHeader {
	p.mu.Lock()
	defer p.mu.Unlock()
	local := p.line.local
	c := sip.ContactHeader{Address: sip.Uri{
		Scheme: "sip", User: p.cfg.User, Host: local.Addr().String(), Port: int(local.Port()),
	}}
	if local.Addr().Is6() {
		c.Address.Host = "[" + c.Address.Host + "]"
	}
	c.Address.UriParams.Add("transport", "tls")
	return c
}

// prepare completes a request on its way out: Via, length, and the one
// connection there is. Without it nothing is sent, since the SIP stack would
// make a second one.
func (p *Phone) prepare(c *sipgo.Client, req *sip.Request) error {
	if err := p.Lost(); err != nil {
		return err
	}
	p.mu.Lock()
	remote := p.line.remote
	p.mu.Unlock()
	req.SetTransport("TLS")
	req.SetDestination(remote)
	if req.Body() == nil {
		req.SetBody(nil)
	}
	if req.Via() != nil {
		return nil
	}
	return sipgo.ClientRequestAddVia(c, req)
}

// request sends a request other than INVITE and waits for its final answer,
// answering a digest challenge once.
func (p *Phone) request(ctx context.Context, req *sip.Request) (*sip.Response, error) {
	res, err := p.client.Do(ctx, req, p.prepare)
	if err == nil && challenged(res) {
		again := req.Clone()
		res, err = p.client.DoDigestAuth(ctx, again, res, p.digest())
		req.CSeq().SeqNo = again.CSeq().SeqNo
	}
	switch {
	case err != nil:
		return nil, p.lostOr(ctx, fmt.Errorf("softphone: %s: %w", req.Method, err))
	case res == nil:
		return nil, p.lostOr(ctx, fmt.Errorf("softphone: %s: no answer", req.Method))
	}
	return res, nil
}

func (p *Phone) digest() sipgo.DigestAuth {
	return sipgo.DigestAuth{Username: p.cfg.User, Password: p.cfg.Password}
}

func challenged(res *sip.Response) bool {
	return res.StatusCode == sip.StatusUnauthorized || res.StatusCode == sip.StatusProxyAuthRequired
}

// Calls returns the calls that have been answered and have not ended.
func (p *Phone) Calls() []*Call {
	p.mu.Lock()
	defer p.mu.Unlock()
	var live []*Call
	for _, c := range p.calls {
		live = append(live, c)
	}
	return live
}

func (p *Phone) call(req *sip.Request) *Call {
	id := req.CallID()
	if id == nil {
		return nil
	}
	p.mu.Lock()
	c := p.calls[id.Value()]
	p.mu.Unlock()
	if c == nil {
		return nil
	}
	if tag, _ := req.To().Params.Get("tag"); tag != c.dialog.tag() {
		return nil
	}
	return c
}

// Close hangs up, unregisters, closes the connection, and waits for all of
// it. It may be called twice.
func (p *Phone) Close() error {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		p.tasks.Wait()
		return nil
	}
	p.closed = true
	var invites []*Invite
	for _, i := range p.invites {
		invites = append(invites, i)
	}
	p.mu.Unlock()

	ctx, cancel := context.WithTimeout(context.Background(), closeGrace)
	defer cancel()
	var farewell sync.WaitGroup
	for _, c := range p.Calls() {
		farewell.Go(func() { _ = c.Hangup(ctx) })
	}
	for _, i := range invites {
		farewell.Go(func() { _ = i.Reject(ctx, sip.StatusTemporarilyUnavailable) })
	}
	farewell.Wait()
	var err error
	if p.registered() && p.Lost() == nil {
		err = p.unregister(ctx)
	}
	p.cancel(ErrClosed)
	p.hangUpLine()
	p.tasks.Wait()
	p.ua.Close()
	return err
}
