package ari

import (
	"context"
	"slices"

	"github.com/callward/callward/ari/arigen/spec"
)

//go:generate go run ./arigen -out .

// Described returns the operations and models this package was generated
// from, one line each.
func Described() []string { return slices.Clone(spec.Generated) }

// Drift compares what this package was generated from with what the running
// Asterisk says of itself, and returns one line per difference; none when they
// agree.
func Drift(ctx context.Context, c *Client) ([]string, error) {
	s, err := spec.Load(ctx, c.apiDocs)
	if err != nil {
		return nil, err
	}
	return spec.Diff(spec.Generated, s.Describe()), nil
}
