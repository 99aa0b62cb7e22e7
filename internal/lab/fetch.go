package lab

import (
	"context"
	"errors"
)

// FetchOptions says where to put what is fetched and who watches.
type FetchOptions struct {
	// Dir is the cache. Empty: CALLWARD_CACHE, else "callward" in the user's cache directory.
	Dir string
	// Progress is told what is being done ("index", "download", "unpack", "check") and
	// how far it is. Calls come one at a time. May be nil.
	Progress func(stage string, done, total int64)
}

// Fetch returns a real Asterisk, from the cache when it is there.
func Fetch(ctx context.Context, o FetchOptions) (Install, error) {
	return Install{}, errors.ErrUnsupported
}
