package ari

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"

	"github.com/coder/websocket"
)

// Client issues the typed requests, grouped as Asterisk groups them:
// client.Channels.Answer(ctx, ari.ChannelsAnswer{ChannelID: id}). They go over
// the event WebSocket while it is up and over HTTP otherwise. A request that
// Asterisk refuses is an [*Error].
type Client struct {
	requests
	cfg    Config
	base   *url.URL
	http   *http.Client
	socket atomic.Pointer[socket]
}

// Longest body Asterisk reads from a WebSocket is 64 KiB; what is longer goes
// over HTTP.
const longestSocketBody = 48 << 10

// NewClient returns a client that uses HTTP only: for a check of the
// configuration, or a program that needs no events. The Controller has its
// own, see Controller.Client.
func NewClient(cfg Config) (*Client, error) {
	cfg, base, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	return newClient(cfg, base), nil
}

func newClient(cfg Config, base *url.URL) *Client {
	c := &Client{cfg: cfg, base: base}
	tlsConfig := cfg.TLS.Clone()
	if tlsConfig == nil {
		tlsConfig = &tls.Config{}
	}
	tlsConfig.MinVersion = max(tlsConfig.MinVersion, tls.VersionTLS12)
	if tlsConfig.ClientSessionCache == nil { // each stream has its own connection: spare it the full handshake
		tlsConfig.ClientSessionCache = tls.NewLRUClientSessionCache(64)
	}
	c.http = &http.Client{
		Transport: &http.Transport{DialContext: gated(cfg.Dial), TLSClientConfig: tlsConfig, TLSHandshakeTimeout: cfg.RequestTimeout,
			MaxIdleConnsPerHost: 4},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	c.requests = newRequests(c)
	return c
}

// Close drops idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

func (c *Client) do(ctx context.Context, q *request, out any) error {
	body, err := c.send(ctx, q)
	if err != nil || out == nil {
		return err
	}
	if err := json.Unmarshal(body, out); err != nil {
		return &Error{Op: q.op, Message: "the answer cannot be read", Err: stripJSONError(err)}
	}
	return nil
}

func (c *Client) raw(ctx context.Context, q *request) ([]byte, error) {
	if q.err != nil {
		return nil, q.err
	}
	ctx, cancel := c.deadline(ctx)
	defer cancel()
	return c.overHTTP(ctx, q, nil)
}

func (c *Client) send(ctx context.Context, q *request) ([]byte, error) {
	if q.err != nil {
		return nil, q.err
	}
	payload, err := q.payload()
	if err != nil {
		return nil, err
	}
	ctx, cancel := c.deadline(ctx)
	defer cancel()
	s := c.socket.Load()
	if s == nil || len(payload) > longestSocketBody {
		return c.overHTTP(ctx, q, payload)
	}
	body, err := s.request(ctx, q, payload)
	if errors.Is(err, ErrInterrupted) && (q.method == http.MethodGet || q.method == http.MethodDelete) {
		return c.overHTTP(ctx, q, payload) // asking twice does no harm
	}
	return body, err
}

func (c *Client) deadline(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, c.cfg.RequestTimeout, ErrNoReply)
}

func (c *Client) overHTTP(ctx context.Context, q *request, payload []byte) ([]byte, error) {
	u := c.url(q.path.String(), q.values())
	r, err := http.NewRequestWithContext(ctx, q.method, u, bytes.NewReader(payload))
	if err != nil {
		return nil, &Error{Op: q.op, Message: "the request cannot be written"}
	}
	if payload != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	r.SetBasicAuth(c.cfg.User, c.cfg.Password)
	resp, err := c.http.Do(r)
	if err != nil {
		return nil, c.noAnswer(ctx, q.op, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, c.cfg.ReadLimit+1))
	if err != nil {
		return nil, c.noAnswer(ctx, q.op, err)
	}
	if int64(len(body)) > c.cfg.ReadLimit {
		return nil, &Error{Op: q.op, Status: resp.StatusCode, Message: "the answer is longer than Config.ReadLimit"}
	}
	if resp.StatusCode/100 != 2 {
		return nil, refused(q.op, resp.StatusCode, body)
	}
	return body, nil
}

func (c *Client) url(path string, query url.Values) string {
	u := *c.base
	u.Path, u.RawPath = "", ""
	prefix := strings.TrimSuffix(c.base.EscapedPath(), "/")
	if !strings.HasSuffix(prefix, "/ari") {
		prefix += "/ari"
	}
	s := u.Scheme + "://" + u.Host + prefix + path
	if len(query) > 0 {
		s += "?" + query.Encode()
	}
	return s
}

// noAnswer turns a transport error into one without the address, in which
// arguments stand.
func (c *Client) noAnswer(ctx context.Context, op string, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		if errors.Is(cause, ErrNoReply) {
			return &Error{Op: op, Message: "no answer within " + c.cfg.RequestTimeout.String(), Err: ErrNoReply}
		}
		return cause
	}
	var withURL *url.Error
	if errors.As(err, &withURL) {
		err = withURL.Err
	}
	return &Error{Op: op, Message: "Asterisk cannot be reached", Err: err, unreachable: true}
}

// refused is the error of a status that is not 2xx.
func refused(op string, status int, body []byte) error {
	var m struct {
		Message string `json:"message"`
		Error   string `json:"error"`
	}
	_ = json.Unmarshal(body, &m)
	if m.Message == "" {
		m.Message = m.Error
	}
	if m.Message == "" {
		m.Message = http.StatusText(status)
	}
	e := &Error{Op: op, Status: status, Message: hideDigits(m.Message)}
	lower := strings.ToLower(m.Message)
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		e.Err = ErrUnauthorized
	case http.StatusNotFound:
		e.Err = ErrGone
	case http.StatusConflict, http.StatusUnprocessableEntity:
		e.Err = ErrState
		if strings.Contains(lower, "not in") && strings.Contains(lower, "stasis") {
			e.Err = ErrNotInStasis
		}
	case http.StatusPreconditionFailed:
		e.Err = ErrState
	}
	return e
}

// hideDigits covers runs of three digits and more: they may be a number
// somebody keyed or was called at.
func hideDigits(s string) string {
	out := []byte(s)
	for i := 0; i < len(out); {
		j := i
		for j < len(out) && out[j] >= '0' && out[j] <= '9' {
			j++
		}
		if j-i >= 3 {
			for k := i; k < j; k++ {
				out[k] = '#'
			}
		}
		i = max(j, i+1)
	}
	return string(out)
}

func (c *Client) upgrade(ctx context.Context, q *request) (*websocket.Conn, error) {
	if q.err != nil {
		return nil, q.err
	}
	conn, _, err := c.dial(ctx, q.op, c.url(q.path.String(), q.values()), nil)
	return conn, err
}

// dial opens a WebSocket and returns the connection below TLS with it.
func (c *Client) dial(ctx context.Context, op, address string, protocols []string) (*websocket.Conn, net.Conn, error) {
	ctx, cancel := c.deadline(ctx)
	defer cancel()
	var below net.Conn
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) { below = i.Conn }})
	header := http.Header{}
	r := http.Request{Header: header}
	r.SetBasicAuth(c.cfg.User, c.cfg.Password)
	conn, resp, err := websocket.Dial(traced, address, &websocket.DialOptions{
		HTTPClient: c.http, HTTPHeader: header, Subprotocols: protocols, CompressionMode: websocket.CompressionDisabled})
	if err != nil {
		if resp != nil && resp.StatusCode != http.StatusSwitchingProtocols {
			body, _ := io.ReadAll(io.LimitReader(resp.Body, 4096))
			return nil, nil, refused(op, resp.StatusCode, body)
		}
		return nil, nil, c.noAnswer(ctx, op, err)
	}
	conn.SetReadLimit(c.cfg.ReadLimit)
	if t, ok := below.(*tls.Conn); ok {
		below = t.NetConn()
	}
	return conn, below, nil
}

// apiDocs reads one file of Asterisk's description of itself.
func (c *Client) apiDocs(ctx context.Context, file string) ([]byte, error) {
	q := newRequest("api-docs", http.MethodGet)
	q.fixed("/api-docs")
	q.fixed("/")
	q.id("file", file)
	return c.raw(ctx, q)
}

// version refuses an Asterisk older than 22.10.
func version(info *AsteriskInfo) error {
	if info.System == nil {
		return fmt.Errorf("%w: it does not tell its version; Asterisk 22.10 or later is needed", ErrOldAsterisk)
	}
	var major, minor int
	text := info.System.Version
	// Asterisk's certified releases and git builds are written otherwise and
	// are refused: nothing tells which fixes are in them.
	if _, err := fmt.Sscanf(text, "%d.%d", &major, &minor); err != nil {
		return fmt.Errorf("%w: version %q is not understood; install a release of Asterisk 22.10 or later", ErrOldAsterisk, text)
	}
	if major < 22 || major == 22 && minor < 10 {
		return fmt.Errorf("%w: version %d.%d; 22.10 fixed security holes of the interface used here: upgrade Asterisk to 22.10.1 or later",
			ErrOldAsterisk, major, minor)
	}
	return nil
}
