package softphone

import (
	"sync"

	"github.com/emiago/sipgo/sip"
)

// dialog is the SIP relation of one call (RFC 3261, 12).
type dialog struct {
	callID string

	mu         sync.Mutex
	local      sip.FromHeader // our side, as From of what we send
	remote     sip.ToHeader
	target     sip.Uri
	routes     []string // Route values in the order they are sent
	contact    sip.ContactHeader
	cseq       uint32 // of the last request we sent
	remoteCSeq uint32
}

// callerDialog is made from our INVITE and its 200.
func callerDialog(req *sip.Request, res *sip.Response) *dialog {
	d := &dialog{
		callID:  req.CallID().Value(),
		local:   *sip.HeaderClone(req.From()).(*sip.FromHeader),
		remote:  *sip.HeaderClone(res.To()).(*sip.ToHeader),
		target:  *req.Recipient.Clone(),
		contact: *req.Contact().Clone(),
		cseq:    req.CSeq().SeqNo,
	}
	if c := res.Contact(); c != nil {
		d.target = *c.Address.Clone()
	}
	routes := res.GetHeaders("Record-Route")
	for i := len(routes) - 1; i >= 0; i-- {
		d.routes = append(d.routes, routes[i].Value())
	}
	return d
}

// calleeDialog is made from an INVITE that came, under our tag.
func calleeDialog(req *sip.Request, tag string, contact sip.ContactHeader) *dialog {
	from, to := req.From(), req.To()
	d := &dialog{
		callID:     req.CallID().Value(),
		local:      sip.FromHeader{DisplayName: to.DisplayName, Address: *to.Address.Clone()},
		remote:     sip.ToHeader{DisplayName: from.DisplayName, Address: *from.Address.Clone(), Params: from.Params.Clone()},
		contact:    contact,
		remoteCSeq: req.CSeq().SeqNo,
	}
	d.local.Params.Add("tag", tag)
	if c := req.Contact(); c != nil {
		d.target = *c.Address.Clone()
	}
	for _, r := range req.GetHeaders("Record-Route") {
		d.routes = append(d.routes, r.Value())
	}
	return d
}

// request builds a request within the dialog. ACK takes the number of the
// INVITE it acknowledges.
func (d *dialog) request(method sip.RequestMethod, inviteCSeq uint32) *sip.Request {
	d.mu.Lock()
	defer d.mu.Unlock()
	number := inviteCSeq
	if method != sip.ACK {
		d.cseq++
		number = d.cseq
	}
	req := sip.NewRequest(method, *d.target.Clone())
	for _, r := range d.routes {
		req.AppendHeader(sip.NewHeader("Route", r))
	}
	req.AppendHeader(sip.HeaderClone(&d.local))
	req.AppendHeader(sip.HeaderClone(&d.remote))
	id, forwards := sip.CallIDHeader(d.callID), sip.MaxForwardsHeader(70)
	req.AppendHeader(&id)
	req.AppendHeader(&sip.CSeqHeader{SeqNo: number, MethodName: method})
	req.AppendHeader(&forwards)
	req.AppendHeader(d.contact.Clone())
	return req
}

// reached notes the number of a request that was sent again with credentials.
func (d *dialog) reached(cseq uint32) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.cseq = max(d.cseq, cseq)
}

// receive checks the order of a request that came within the dialog and takes
// a new target from it (RFC 3261, 12.2.2).
func (d *dialog) receive(req *sip.Request) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if req.CSeq().SeqNo <= d.remoteCSeq && d.remoteCSeq != 0 {
		return false
	}
	d.remoteCSeq = req.CSeq().SeqNo
	if req.Method == sip.INVITE || req.Method == sip.UPDATE {
		if c := req.Contact(); c != nil {
			d.target = *c.Address.Clone()
		}
	}
	return true
}

// tag is our tag in the dialog.
func (d *dialog) tag() string {
	tag, _ := d.local.Params.Get("tag")
	return tag
}
