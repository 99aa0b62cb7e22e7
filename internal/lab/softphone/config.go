package softphone

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"time"
)

// Config says who a phone is and where it connects.
type Config struct {
	// Server is host:port of the SIP TLS transport.
	Server string
	// User and Password answer the digest challenge; User is also the name
	// that is registered.
	User, Password string
	// CallerID is the user part of the From header; User when empty.
	CallerID string
	// DisplayName goes into the From header.
	DisplayName string
	// Anonymous blocks the caller id: From is anonymous@anonymous.invalid and
	// Privacy is id (RFC 3323, RFC 3325). Asterisk then knows the endpoint by
	// its digest user name only (identify_by=auth_username).
	Anonymous bool

	// CAFile (PEM) or Roots holds the authority that signed the server's
	// certificate; one of them is needed.
	CAFile string
	Roots  *x509.CertPool
	// ServerName is checked in the certificate; the host of Server when empty.
	ServerName string

	// PlainRTP offers RTP/AVP without keys, to prove that it is refused.
	PlainRTP bool
	// SessionExpires asks for a session timer of this length (RFC 4028, at
	// least 90 s); zero asks for none, and one that the other side asks for
	// is kept either way.
	SessionExpires time.Duration
	// Logger gets what the SIP stack has to say; nil keeps silent.
	Logger *slog.Logger
}

var errConfig = errors.New("softphone: configuration")

// tlsConfig returns the client side of the SIP connection.
func (c Config) tlsConfig() (*tls.Config, error) {
	host, _, err := net.SplitHostPort(c.Server)
	if err != nil {
		return nil, fmt.Errorf("%w: Server must be host:port: %w", errConfig, err)
	}
	if c.User == "" {
		return nil, fmt.Errorf("%w: User is empty; name the endpoint this phone is", errConfig)
	}
	roots := c.Roots
	if c.CAFile != "" {
		pem, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, fmt.Errorf("%w: CAFile: %w", errConfig, err)
		}
		if roots == nil {
			roots = x509.NewCertPool()
		}
		if !roots.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%w: CAFile holds no PEM certificate", errConfig)
		}
	}
	if roots == nil {
		return nil, fmt.Errorf("%w: give CAFile or Roots; the host's own authorities are not used", errConfig)
	}
	name := c.ServerName
	if name == "" {
		name = host
	}
	return &tls.Config{RootCAs: roots, ServerName: name, MinVersion: tls.VersionTLS12}, nil
}
