package softphone

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"
)

// sessionTimer keeps one call's session timer (RFC 4028): this side either
// refreshes at half of the interval, or ends the call when the other side did
// not. It is guarded by the call's mu.
type sessionTimer struct {
	interval time.Duration
	ours     bool // we refresh
	running  *time.Timer
}

// minSession is the least interval there is (RFC 4028, 5).
const minSession = 90 * time.Second

// askSession asks for a timer in the first INVITE.
func askSession(req *sip.Request, interval time.Duration) {
	req.AppendHeader(sip.NewHeader("Supported", "timer"))
	if interval > 0 {
		req.AppendHeader(sip.NewHeader("Session-Expires", seconds(max(interval, minSession))))
	}
}

func seconds(d time.Duration) string { return strconv.Itoa(int(d / time.Second)) }

// parseSession reads a Session-Expires header.
func parseSession(value string) (interval time.Duration, refresher string, ok bool) {
	text, params, _ := strings.Cut(value, ";")
	n, err := strconv.ParseUint(strings.TrimSpace(text), 10, 31)
	if err != nil || n == 0 {
		return 0, "", false
	}
	for param := range strings.SplitSeq(params, ";") {
		name, who, _ := strings.Cut(strings.TrimSpace(param), "=")
		if strings.EqualFold(name, "refresher") {
			refresher = strings.ToLower(who)
		}
	}
	return time.Duration(n) * time.Second, refresher, true
}

func sessionOf(m interface{ GetHeader(string) sip.Header }) (time.Duration, string, bool) {
	if h := m.GetHeader("Session-Expires"); h != nil {
		return parseSession(h.Value())
	}
	return 0, "", false
}

// offer puts the running timer into a re-INVITE of ours.
func (t *sessionTimer) offer(c *Call, req *sip.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	req.AppendHeader(sip.NewHeader("Supported", "timer"))
	if t.interval == 0 {
		return
	}
	refresher := "uas"
	if t.ours {
		refresher = "uac"
	}
	req.AppendHeader(sip.NewHeader("Session-Expires", fmt.Sprintf("%s;refresher=%s", seconds(t.interval), refresher)))
}

// agreed takes the timer from a 200 to our INVITE.
func (t *sessionTimer) agreed(c *Call, res *sip.Response) {
	interval, refresher, ok := sessionOf(res)
	t.run(c, interval, ok, refresher == "uac")
}

// grant takes the timer from a request that came and writes it into our 200:
// the other side refreshes unless it asked us to.
func (t *sessionTimer) grant(c *Call, req *sip.Request, res *sip.Response) {
	interval, refresher, ok := sessionOf(req)
	if ok {
		if refresher == "" {
			refresher = "uac"
		}
		res.AppendHeader(sip.NewHeader("Require", "timer"))
		res.AppendHeader(sip.NewHeader("Session-Expires", fmt.Sprintf("%s;refresher=%s", seconds(interval), refresher)))
	}
	t.run(c, interval, ok, refresher == "uas")
}

// run starts the timer anew, or stops it when there is none any more.
func (t *sessionTimer) run(c *Call, interval time.Duration, on, ours bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t.stop()
	if !on || !c.endedAt.IsZero() {
		t.interval = 0
		return
	}
	t.interval, t.ours = interval, ours
	if ours {
		t.running = time.AfterFunc(interval/2, c.refresh)
		return
	}
	t.running = time.AfterFunc(interval-min(32*time.Second, interval/3), c.expire)
}

func (t *sessionTimer) stop() {
	if t.running != nil {
		t.running.Stop()
		t.running = nil
	}
}

// refresh sends a re-INVITE that changes nothing.
func (c *Call) refresh() {
	ctx, cancel := context.WithTimeout(c.phone.ctx, 32*time.Second)
	defer cancel()
	c.mu.Lock()
	dir := c.ours.dir
	c.mu.Unlock()
	if err := c.reoffer(ctx, dir); err != nil {
		c.expire()
	}
}

// expire ends a call that was not refreshed (RFC 4028, 10).
func (c *Call) expire() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.phone.ctx), closeGrace)
	defer cancel()
	select {
	case <-c.done:
		return
	default:
	}
	_, _ = c.phone.request(ctx, c.dialog.request(sip.BYE, 0))
	c.end(Cause{By: ByLoss, Text: "session timer ran out"})
}
