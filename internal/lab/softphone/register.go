package softphone

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/emiago/sipgo/sip"
)

// registerFor is the registration time asked for, in seconds.
const registerFor = 600

// registration is what a phone knows of its own.
type registration struct {
	active bool
	callID string
	cseq   uint32
	stop   context.CancelFunc // ends the refreshing
}

// Register tells the server where this phone is and keeps telling it until
// Close or Unregister. Incoming calls arrive over the same TLS connection.
// It returns *Refused when the server says no.
func (p *Phone) Register(ctx context.Context) error {
	granted, err := p.register(ctx, registerFor)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return ErrClosed
	}
	if p.reg.stop != nil {
		p.reg.stop()
	}
	keep, stop := context.WithCancel(p.ctx)
	p.reg.active, p.reg.stop = true, stop
	p.tasks.Go(func() { p.refresh(keep, granted) })
	return nil
}

// Unregister takes the registration back.
func (p *Phone) Unregister(ctx context.Context) error {
	if !p.registered() {
		return nil
	}
	return p.unregister(ctx)
}

func (p *Phone) unregister(ctx context.Context) error {
	p.mu.Lock()
	p.reg.active = false
	if p.reg.stop != nil {
		p.reg.stop()
	}
	p.mu.Unlock()
	_, err := p.register(ctx, 0)
	return err
}

func (p *Phone) registered() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.reg.active
}

// refresh registers again when half of the granted time is over. A failure
// ends it: the loss of the connection is told by LostConnection.
func (p *Phone) refresh(ctx context.Context, granted time.Duration) {
	timer := time.NewTimer(granted / 2)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		again, err := p.register(ctx, registerFor)
		if err != nil {
			return
		}
		timer.Reset(again / 2)
	}
}

// register sends one REGISTER and returns the time granted.
func (p *Phone) register(ctx context.Context, seconds int) (time.Duration, error) {
	host, port := p.serverHostPort()
	req := sip.NewRequest(sip.REGISTER, sip.Uri{Scheme: "sip", Host: host, Port: port})
	own := sip.Uri{Scheme: "sip", User: p.cfg.User, Host: host}
	from := sip.FromHeader{DisplayName: p.cfg.DisplayName, Address: own}
	from.Params.Add("tag", sip.GenerateTagN(16))
	p.mu.Lock()
	if p.reg.callID == "" {
		p.reg.callID = newCallID()
	}
	p.reg.cseq += 2 // one more when challenged
	id, cseq := sip.CallIDHeader(p.reg.callID), p.reg.cseq
	p.mu.Unlock()
	forwards, expires, contact := sip.MaxForwardsHeader(70), sip.ExpiresHeader(seconds), p.contact()
	req.AppendHeader(&from)
	req.AppendHeader(&sip.ToHeader{Address: own})
	req.AppendHeader(&id)
	req.AppendHeader(&sip.CSeqHeader{SeqNo: cseq, MethodName: sip.REGISTER})
	req.AppendHeader(&forwards)
	req.AppendHeader(&contact)
	req.AppendHeader(&expires)
	res, err := p.request(ctx, req)
	if err != nil {
		return 0, err
	}
	if !res.IsSuccess() {
		return 0, refusedBy("REGISTER", res)
	}
	return granted(res, contact), nil
}

// granted reads how long a registration stands.
func granted(res *sip.Response, ours sip.ContactHeader) time.Duration {
	for _, h := range res.GetHeaders("Contact") {
		var c sip.ContactHeader
		if known, ok := h.(*sip.ContactHeader); ok {
			c = *known
		} else if parsed := res.Contact(); parsed != nil {
			c = *parsed
		}
		if c.Address.Port != ours.Address.Port {
			continue
		}
		if text, ok := c.Params.Get("expires"); ok {
			if n, err := strconv.Atoi(text); err == nil && n > 0 {
				return time.Duration(n) * time.Second
			}
		}
	}
	if h := res.GetHeader("Expires"); h != nil {
		if n, err := strconv.Atoi(h.Value()); err == nil && n > 0 {
			return time.Duration(n) * time.Second
		}
	}
	return registerFor * time.Second
}

// Refused is the answer of a server, or of who was called, that said no.
type Refused struct {
	Method  string
	Code    int
	Reason  string
	Warning string // Warning header, when there is one
	Q850    int    // cause of the Reason header; 0 when there is none
}

// Error says what was refused and how.
func (r *Refused) Error() string {
	text := fmt.Sprintf("softphone: %s refused: %d %s", r.Method, r.Code, r.Reason)
	if r.Warning != "" {
		text += " (" + r.Warning + ")"
	}
	return text
}

func refusedBy(method string, res *sip.Response) *Refused {
	r := &Refused{Method: method, Code: res.StatusCode, Reason: res.Reason}
	if h := res.GetHeader("Warning"); h != nil {
		r.Warning = h.Value()
	}
	r.Q850 = q850(res.GetHeaders("Reason"))
	return r
}
