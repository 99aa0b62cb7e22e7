//go:build !race

package recognise_test

// thin takes every prompt.
const thin = 1
