package softphone

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/pion/srtp/v3"
)

// suite is the one SRTP suite spoken here (RFC 4568, 6.2.1).
const suite = "AES_CM_128_HMAC_SHA1_80"

const (
	keyLen  = 16
	saltLen = 14
)

var errSDES = errors.New("softphone: SDES")

// masterKey is a master key with its salt (RFC 3711, 3.2.1).
type masterKey [keyLen + saltLen]byte

func newMasterKey() (k masterKey) {
	rand.Read(k[:])
	return k
}

// context returns the SRTP state of one direction under k.
func (k masterKey) context() (*srtp.Context, error) {
	return srtp.CreateContext(k[:keyLen], k[keyLen:], srtp.ProtectionProfileAes128CmHmacSha1_80,
		srtp.SRTPReplayProtection(1024))
}

// crypto is one a=crypto attribute (RFC 4568, 9.1).
type crypto struct {
	tag int
	key masterKey
}

// value returns the attribute's value, without "crypto:".
func (c crypto) value() string {
	return fmt.Sprintf("%d %s inline:%s", c.tag, suite, base64.StdEncoding.EncodeToString(c.key[:]))
}

// errOtherSuite marks a well-formed attribute of a suite not spoken here.
var errOtherSuite = fmt.Errorf("%w: suite is not "+suite, errSDES)

// parseCrypto reads the value of an a=crypto attribute. A lifetime is
// accepted and not counted, no call here comes near it; an MKI, several keys
// and session parameters that change the packet format are refused.
func parseCrypto(value string) (crypto, error) {
	fields := strings.Fields(value)
	if len(fields) < 3 {
		return crypto{}, fmt.Errorf("%w: tag, suite and key are needed", errSDES)
	}
	tag, err := strconv.ParseUint(fields[0], 10, 31)
	if err != nil || len(fields[0]) > 9 {
		return crypto{}, fmt.Errorf("%w: tag is not a number of 1 to 9 digits", errSDES)
	}
	if fields[1] != suite {
		return crypto{}, errOtherSuite
	}
	if len(fields) > 3 {
		return crypto{}, fmt.Errorf("%w: session parameters are not spoken here", errSDES)
	}
	inline, ok := strings.CutPrefix(fields[2], "inline:")
	if !ok || strings.Contains(inline, ";") {
		return crypto{}, fmt.Errorf("%w: exactly one inline key is needed", errSDES)
	}
	text, rest, _ := strings.Cut(inline, "|")
	if strings.Contains(rest, ":") {
		return crypto{}, fmt.Errorf("%w: an MKI is not spoken here", errSDES)
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || len(raw) != keyLen+saltLen {
		return crypto{}, fmt.Errorf("%w: key is not base64 of %d bytes", errSDES, keyLen+saltLen)
	}
	c := crypto{tag: int(tag)}
	copy(c.key[:], raw)
	return c, nil
}
