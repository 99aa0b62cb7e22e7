//go:build race

package recognise_test

// thin takes every eighth prompt: the race detector makes correlation some
// thirty times slower, and one goroutine does all of it.
const thin = 8
