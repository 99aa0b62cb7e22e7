package softphone

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"strconv"

	"github.com/emiago/sipgo/sip"
)

// DialOption changes how a call is dialled.
type DialOption func(*dialling)

type dialling struct{ progress func(code int) }

// OnProgress is called with each provisional answer: 180 when it rings.
func OnProgress(f func(code int)) DialOption { return func(d *dialling) { d.progress = f } }

// Dial calls a user at the server and returns when it is answered. It returns
// *Refused when it is not, and when the context ends it sends CANCEL and
// returns the context's cause.
func (p *Phone) Dial(ctx context.Context, user string, opts ...DialOption) (*Call, error) {
	var how dialling
	for _, o := range opts {
		o(&how)
	}
	p.mu.Lock()
	local := p.line.local.Addr()
	p.mu.Unlock()
	m, err := newMedia(local, !p.cfg.PlainRTP)
	if err != nil {
		return nil, err
	}
	offer := m.describe()
	early := false
	res, tx, req, err := p.invite(ctx, p.newInvite(user, offer), func(res *sip.Response) {
		early = early || len(res.Body()) > 0
		if how.progress != nil {
			how.progress(res.StatusCode)
		}
	})
	if err != nil {
		m.stop()
		return nil, err
	}
	c := newCall(p, callerDialog(req, res), m, user, offer)
	c.tx = tx
	if err := c.taken(res, early); err != nil {
		hangup, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeGrace)
		defer cancel()
		_ = c.Hangup(hangup)
		return nil, err
	}
	return c, nil
}

// taken settles a 200 to our first INVITE.
func (c *Call) taken(res *sip.Response, early bool) error {
	c.tx.OnRetransmission(func(res *sip.Response) {
		if res.IsSuccess() {
			_ = c.acknowledge(res)
		}
	})
	answer, err := parseSDP(res.Body())
	if err == nil {
		var key masterKey
		if key, err = answeredKey(c.ours, answer); err == nil {
			err = c.media.connect(answer, key)
		}
	}
	if early {
		c.media.drain()
	}
	if err == nil {
		err = c.begin()
	}
	if ackErr := c.acknowledge(res); err == nil {
		err = ackErr
	}
	if err == nil {
		c.timer.agreed(c, res)
	}
	return err
}

// describe is the first offer of a session.
func (m *media) describe() description {
	d := description{
		addr: m.local(), secure: m.secure, ulaw: true, event: payloadEvent, dir: sendRecv,
		session: newSession(), version: 1,
	}
	if m.secure {
		d.crypto = []crypto{{tag: 1, key: m.key}}
	}
	return d
}

var errAnswer = errors.New("softphone: answer does not fit the offer")

// answeredKey checks an answer against our offer and returns their key.
func answeredKey(offer, answer description) (masterKey, error) {
	switch {
	case answer.secure != offer.secure:
		return masterKey{}, fmt.Errorf("%w: its profile is another", errAnswer)
	case !answer.ulaw:
		return masterKey{}, fmt.Errorf("%w: no PCMU", errAnswer)
	case !offer.secure:
		return masterKey{}, nil
	case len(answer.crypto) != 1 || answer.crypto[0].tag != offer.crypto[0].tag:
		return masterKey{}, fmt.Errorf("%w: not the one key that was asked for", errAnswer)
	}
	return answer.crypto[0].key, nil
}

// newInvite is the first request of a call.
func (p *Phone) newInvite(user string, offer description) *sip.Request {
	host, port := p.serverHostPort()
	to := sip.Uri{Scheme: "sip", User: user, Host: host, Port: port}
	to.UriParams.Add("transport", "tls")
	req := sip.NewRequest(sip.INVITE, to)
	from := sip.FromHeader{DisplayName: p.cfg.DisplayName, Address: sip.Uri{Scheme: "sip", User: p.cfg.CallerID, Host: host}}
	if p.cfg.CallerID == "" {
		from.Address.User = p.cfg.User
	}
	if p.cfg.Anonymous {
		from = sip.FromHeader{DisplayName: "Anonymous", Address: sip.Uri{Scheme: "sip", User: "anonymous", Host: "anonymous.invalid"}}
		req.AppendHeader(sip.NewHeader("Privacy", "id"))
	}
	from.Params.Add("tag", sip.GenerateTagN(16))
	id, forwards, contact := sip.CallIDHeader(newCallID()), sip.MaxForwardsHeader(70), p.contact()
	req.AppendHeader(&from)
	req.AppendHeader(&sip.ToHeader{Address: sip.Uri{Scheme: "sip", User: user, Host: host}})
	req.AppendHeader(&id)
	req.AppendHeader(&sip.CSeqHeader{SeqNo: 1, MethodName: sip.INVITE})
	req.AppendHeader(&forwards)
	req.AppendHeader(&contact)
	req.AppendHeader(sip.NewHeader("Allow", allow))
	req.AppendHeader(sip.NewHeader("Content-Type", "application/sdp"))
	askSession(req, p.cfg.SessionExpires)
	req.SetBody(offer.marshal())
	return req
}

// invite sends an INVITE, answers a challenge, and returns its 200 with the
// transaction and the request as it was accepted.
func (p *Phone) invite(ctx context.Context, req *sip.Request, progress func(*sip.Response)) (*sip.Response, sip.ClientTransaction, *sip.Request, error) {
	tx, err := p.client.TransactionRequest(ctx, req, p.prepare)
	for attempt := 0; ; attempt++ {
		if err != nil {
			return nil, nil, nil, p.lostOr(ctx, fmt.Errorf("softphone: INVITE: %w", err))
		}
		res, err := p.finalAnswer(ctx, tx, req, progress)
		if err != nil {
			return nil, nil, nil, err
		}
		if res.IsSuccess() {
			return res, tx, req, nil
		}
		tx.Terminate()
		if !challenged(res) || attempt == maxChallenges {
			return nil, nil, nil, refusedBy("INVITE", res)
		}
		req = req.Clone()
		tx, err = p.client.TransactionDigestAuth(ctx, req, res, p.digest())
		if err != nil {
			return nil, nil, nil, p.lostOr(ctx, fmt.Errorf("softphone: INVITE: %w", err))
		}
	}
}

// maxChallenges allows for one nonce that has become stale.
const maxChallenges = 2

// finalAnswer waits for the final answer to an INVITE.
func (p *Phone) finalAnswer(ctx context.Context, tx sip.ClientTransaction, req *sip.Request, progress func(*sip.Response)) (*sip.Response, error) {
	provisional := false
	for {
		select {
		case res := <-tx.Responses():
			if !res.IsProvisional() {
				return res, nil
			}
			provisional = true
			if progress != nil {
				progress(res)
			}
		case <-tx.Done():
			return nil, p.lostOr(ctx, fmt.Errorf("softphone: INVITE: %w", tx.Err()))
		case <-ctx.Done():
			p.giveUp(ctx, tx, req, provisional)
			return nil, context.Cause(ctx)
		}
	}
}

// giveUp cancels an INVITE (RFC 3261, 9.1): not before a provisional answer,
// and with ACK and BYE when it was answered all the same.
func (p *Phone) giveUp(ctx context.Context, tx sip.ClientTransaction, req *sip.Request, provisional bool) {
	defer tx.Terminate()
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), closeGrace)
	defer stop()
	cancelled := false
	for {
		if provisional && !cancelled {
			cancelled = true
			if _, err := p.client.Do(ctx, cancelOf(req), p.prepare); err != nil {
				return
			}
		}
		select {
		case res := <-tx.Responses():
			if res.IsProvisional() {
				provisional = true
				continue
			}
			if res.IsSuccess() {
				c := &Call{phone: p, dialog: callerDialog(req, res)}
				_ = c.acknowledge(res)
				_, _ = p.request(ctx, c.dialog.request(sip.BYE, 0))
			}
			return
		case <-tx.Done():
			return
		case <-ctx.Done():
			return
		}
	}
}

// cancelOf builds the CANCEL of an INVITE that was sent.
func cancelOf(invite *sip.Request) *sip.Request {
	req := sip.NewRequest(sip.CANCEL, *invite.Recipient.Clone())
	forwards := sip.MaxForwardsHeader(70)
	req.AppendHeader(sip.HeaderClone(invite.Via()))
	req.AppendHeader(sip.HeaderClone(invite.From()))
	req.AppendHeader(sip.HeaderClone(invite.To()))
	req.AppendHeader(sip.HeaderClone(invite.CallID()))
	req.AppendHeader(&sip.CSeqHeader{SeqNo: invite.CSeq().SeqNo, MethodName: sip.CANCEL})
	req.AppendHeader(&forwards)
	return req
}

// serverHostPort splits Config.Server; New has checked that it can be.
func (p *Phone) serverHostPort() (string, int) {
	host, port, _ := net.SplitHostPort(p.cfg.Server)
	n, _ := strconv.Atoi(port)
	return host, n
}

func newCallID() string {
	var b [16]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

func newSession() uint64 {
	var b [8]byte
	rand.Read(b[:])
	return binary.BigEndian.Uint64(b[:]) >> 2
}
