//go:build !race

package recognise_test

// thin takes every second prompt for each disturbance, so that all have their
// turn in two of the four.
const thin = 2
