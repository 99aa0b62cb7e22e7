package ari

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Config is how to reach Asterisk. URL, App, User and Password are required.
type Config struct {
	URL      string // https://host:port, with Asterisk's HTTP prefix as path if it has one; http only for a loopback host
	App      string // Stasis application name: letters, digits, - and _
	User     string
	Password string
	TLS      *tls.Config // roots to verify Asterisk's certificate against; nil is the system's

	Logger *slog.Logger // nil is slog.Default()
	// Dial opens the connection below TLS; nil is a net.Dialer. Tests hand in
	// one that returns a net.Pipe.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// OnState hears every change of the connection. It must return soon.
	OnState func(State)
	// OnUnrouted hears events that belong to no call. It must return soon.
	OnUnrouted func(Event)

	RequestTimeout time.Duration // one request and the event that proves it; default 5 s
	PingInterval   time.Duration // default 5 s; an unanswered ping closes the socket after as long again
	ReconnectMin   time.Duration // first wait before connecting again; default 100 ms
	ReconnectMax   time.Duration // longest wait; default 5 s
	ReadLimit      int64         // longest message from Asterisk, bytes; default 16 MiB
	MailboxLimit   int           // events waiting for one call before it is ended; default 4096
	GiveUpAfter    time.Duration // calls of an Asterisk away for longer end as lost; default 1 min
	StallAfter     time.Duration // a media stream without a frame for this long is lost; default 1 s

	Now  func() time.Time // default time.Now
	Rand func() float64   // jitter in [0,1); default math/rand/v2
	// Instance sets our ids apart from those of an earlier run against the
	// same Asterisk; default derived from Now.
	Instance string
}

// String hides the password.
func (c Config) String() string {
	return fmt.Sprintf("ari.Config{URL:%s App:%s User:%s}", c.URL, c.App, c.User)
}

// GoString hides the password.
func (c Config) GoString() string { return c.String() }

// Format hides the password whatever the verb.
func (c Config) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, c.String()) }

// LogValue hides the password.
func (c Config) LogValue() slog.Value {
	return slog.GroupValue(slog.String("url", c.URL), slog.String("app", c.App), slog.String("user", c.User))
}

// Phase is where the connection is.
type Phase string

// Phases, in the order a connection goes through them.
const (
	Connecting   Phase = "connecting"
	Resyncing    Phase = "resyncing"
	Connected    Phase = "connected"    // events flow, states were read back
	Disconnected Phase = "disconnected" // Err tells why, RetryIn when it is tried again
	Stopped      Phase = "stopped"
)

// State is one change of the connection.
type State struct {
	Phase   Phase
	Err     error
	Attempt int           // connects tried since it was last Connected
	RetryIn time.Duration // wait before the next try
	Gap     Gap           // set with Connected after a Disconnected
}

func (c Config) withDefaults() (Config, *url.URL, error) {
	fail := func(key, mend string) (Config, *url.URL, error) {
		return c, nil, fmt.Errorf("ari: %s: %s", key, mend)
	}
	u, err := url.Parse(c.URL)
	switch {
	case err != nil || u.Host == "":
		return fail("URL", "give Asterisk's address as https://host:port")
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return fail("URL", "http would carry the password and the call in clear: use https, or an address of this host")
	case u.Scheme != "https" && u.Scheme != "http":
		return fail("URL", "scheme must be https")
	case u.User != nil:
		return fail("URL", "put user and password in their own settings")
	case c.App == "":
		return fail("App", "name the Stasis application")
	case strings.Trim(c.App, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != "":
		return fail("App", "use letters, digits, - and _ only")
	case c.User == "":
		return fail("User", "name a user of Asterisk's ari.conf")
	case c.Password == "":
		return fail("Password", "give the password of the user in Asterisk's ari.conf")
	}
	if c.TLS != nil && c.TLS.InsecureSkipVerify {
		return fail("TLS", "verification may not be off: trust Asterisk's certificate in RootCAs instead")
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Dial == nil {
		c.Dial = (&net.Dialer{Timeout: 10 * time.Second}).DialContext
	}
	if c.OnState == nil {
		c.OnState = func(State) {}
	}
	if c.OnUnrouted == nil {
		c.OnUnrouted = func(Event) {}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Rand == nil {
		c.Rand = defaultRand
	}
	c.RequestTimeout = orDefault(c.RequestTimeout, 5*time.Second)
	c.PingInterval = orDefault(c.PingInterval, 5*time.Second)
	c.ReconnectMin = orDefault(c.ReconnectMin, 100*time.Millisecond)
	c.ReconnectMax = orDefault(c.ReconnectMax, 5*time.Second)
	c.ReadLimit = orDefault(c.ReadLimit, 16<<20)
	c.MailboxLimit = orDefault(c.MailboxLimit, 4096)
	c.GiveUpAfter = orDefault(c.GiveUpAfter, time.Minute)
	c.StallAfter = orDefault(c.StallAfter, time.Second)
	if c.Instance == "" {
		c.Instance = strconv.FormatInt(c.Now().UnixMilli(), 36)
	}
	return c, u, nil
}

func orDefault[T int | int64 | time.Duration](v, d T) T {
	if v <= 0 {
		return d
	}
	return v
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
