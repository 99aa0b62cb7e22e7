package storage

import "encoding/hex"

// Digest is a SHA-256 hash; as text it is hex. A [32]byte assigns to it.
type Digest [32]byte

// IsZero tells whether no hash was set.
func (d Digest) IsZero() bool { return d == Digest{} }

// String is the hash in hex.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// MarshalText is the hash in hex.
func (d Digest) MarshalText() ([]byte, error) { return []byte(d.String()), nil }
