// Package seal encrypts the columns that hold health information and computes
// the keyed hashes by which they are found (crypto.at_rest, 45 CFR
// 164.312(a)(2)(iv)).
//
// What lives here: the keyset file and what is done with its keys. What never
// may: a database, a file of sealed data, a key in a log or an error.
//
// Sealing is AES-256-GCM through Tink. Every sealed value starts with Tink's
// prefix, which names the key; its associated data is the place it belongs to
// (table, column, row), so a value moved elsewhere does not open. Lookup is
// HMAC-SHA256 under a key of its own. A lookup hash hides the value from who
// has the database alone, but not that two rows hold the same value.
package seal

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/prf"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/callward/callward/storage"
)

// Algorithm names what columns are sealed with, for policy's facts.
const Algorithm = "AES-256-GCM"

// LookupSize is the length of a lookup hash in bytes.
const LookupSize = 32

// prefixSize is Tink's: a version byte and the key id.
const prefixSize = 5

// Place is where a sealed value belongs. A value opens only there.
type Place struct {
	Table, Column, Row string
}

// bytes is unambiguous: every part is preceded by its length.
func (p Place) bytes() []byte {
	b := make([]byte, 0, 16+len(p.Table)+len(p.Column)+len(p.Row))
	for _, s := range [...]string{p.Table, p.Column, p.Row} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
		b = append(b, s...)
	}
	return b
}

// Keys seals, opens and looks up. A nil *Keys is a missing keyset: its methods
// return storage.ErrSealed. Methods may be called from several goroutines,
// except AddKeys, Retire and Close. It prints as its path only.
type Keys struct {
	path  string
	lock  *lock
	aeads *keyset.Handle
	prfs  *keyset.Handle
	aead  tink.AEAD
	prf   *prf.Set
	old   []uint32 // lookup keys other than the primary, newest first
}

// NewInMemory makes fresh keys without a file, for tests and trials: what they
// seal is lost with the process.
func NewInMemory() (*Keys, error) {
	a, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return nil, fmt.Errorf("seal: make a sealing key: %w", err)
	}
	p, err := keyset.NewHandle(prf.HMACSHA256PRFKeyTemplate())
	if err != nil {
		return nil, fmt.Errorf("seal: make a lookup key: %w", err)
	}
	k := &Keys{}
	return k, k.use(a, p)
}

func (k *Keys) use(a, p *keyset.Handle) error {
	primitive, err := aead.New(a)
	if err != nil {
		return fmt.Errorf("seal: sealing keys: %w", err)
	}
	set, err := prf.NewPRFSet(p)
	if err != nil {
		return fmt.Errorf("seal: lookup keys: %w", err)
	}
	var old []uint32
	for i := p.Len() - 1; i >= 0; i-- {
		e, err := p.Entry(i)
		if err != nil {
			return fmt.Errorf("seal: lookup keys: %w", err)
		}
		if e.KeyID() != set.PrimaryID {
			old = append(old, e.KeyID())
		}
	}
	k.aeads, k.prfs, k.aead, k.prf, k.old = a, p, primitive, set, old
	return nil
}

// Seal encrypts plaintext for a place. Errors: storage.ErrSealed.
func (k *Keys) Seal(at Place, plaintext []byte) ([]byte, error) {
	if k == nil {
		return nil, errNoKeys
	}
	b, err := k.aead.Encrypt(plaintext, at.bytes())
	if err != nil {
		return nil, fmt.Errorf("%w: %s.%s: sealing failed", storage.ErrSealed, at.Table, at.Column)
	}
	return b, nil
}

// Open decrypts what was sealed for a place. Errors: storage.ErrSealed.
func (k *Keys) Open(at Place, sealed []byte) ([]byte, error) {
	if k == nil {
		return nil, errNoKeys
	}
	b, err := k.aead.Decrypt(sealed, at.bytes())
	if err != nil {
		return nil, fmt.Errorf("%w: %s.%s does not authenticate with this keyset", storage.ErrSealed, at.Table, at.Column)
	}
	return b, nil
}

var errNoKeys = fmt.Errorf("%w: no keyset is loaded", storage.ErrSealed)

// Current tells whether a sealed value was sealed with the primary key.
func (k *Keys) Current(sealed []byte) bool {
	return k != nil && bytes.HasPrefix(sealed, k.Prefix())
}

// Prefix is what every value sealed with the primary key begins with.
func (k *Keys) Prefix() []byte {
	b := make([]byte, 1, prefixSize)
	b[0] = 1
	return binary.BigEndian.AppendUint32(b, k.aeads.KeysetInfo().GetPrimaryKeyId())
}

// Lookup is the keyed hash of a value under the primary lookup key. domain
// keeps kinds of values apart. Errors: storage.ErrSealed.
func (k *Keys) Lookup(domain, value string) ([]byte, error) {
	if k == nil {
		return nil, errNoKeys
	}
	return k.lookup(k.prf.PrimaryID, domain, value)
}

// Lookups is the keyed hash under every lookup key of the keyset, the primary
// first: until a rotation is over, a value may be kept under any of them.
// Errors: storage.ErrSealed.
func (k *Keys) Lookups(domain, value string) ([][]byte, error) {
	if k == nil {
		return nil, errNoKeys
	}
	all := make([][]byte, 0, 1+len(k.old))
	for i := -1; i < len(k.old); i++ {
		id := k.prf.PrimaryID
		if i >= 0 {
			id = k.old[i]
		}
		h, err := k.lookup(id, domain, value)
		if err != nil {
			return nil, err
		}
		all = append(all, h)
	}
	return all, nil
}

func (k *Keys) lookup(id uint32, domain, value string) ([]byte, error) {
	in := make([]byte, 0, 4+len(domain)+len(value))
	in = binary.BigEndian.AppendUint32(in, uint32(len(domain)))
	in = append(append(in, domain...), value...)
	h, err := k.prf.PRFs[id].ComputePRF(in, LookupSize)
	if err != nil {
		return nil, fmt.Errorf("%w: lookup hash failed", storage.ErrSealed)
	}
	return h, nil
}

// LookupID names the primary lookup key; 0 for a missing keyset.
func (k *Keys) LookupID() int64 {
	if k == nil {
		return 0
	}
	return int64(k.prf.PrimaryID)
}

// Rotating tells whether the keyset still holds keys of before a rotation.
func (k *Keys) Rotating() bool {
	return k != nil && (k.aeads.Len() > 1 || k.prfs.Len() > 1)
}

// Path is the keyset file; empty for keys in memory.
func (k *Keys) Path() string { return k.path }

// String tells the path only.
func (k *Keys) String() string {
	if k == nil {
		return "keyset (none)"
	}
	return "keyset " + k.path
}

// GoString tells the path only.
func (k *Keys) GoString() string { return k.String() }

// Format tells the path only, whatever the verb.
func (k *Keys) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, k.String()) }

// LogValue tells the path only.
func (k *Keys) LogValue() slog.Value { return slog.StringValue(k.String()) }

// MarshalText tells the path only.
func (k *Keys) MarshalText() ([]byte, error) { return []byte(k.String()), nil }
