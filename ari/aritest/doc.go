// Package aritest is a scripted Asterisk for tests of what is built on package
// ari.
//
// It speaks Asterisk's side of the protocol - events and requests over the
// WebSocket, requests over HTTP, media sockets - in the same process, over
// pipes in memory, so that it works inside testing/synctest. Unscripted it
// behaves as the real one was seen to: channels ring and answer, playbacks take
// their time, bridges join, snoops hear. Scripted it does what the real one
// will not do on demand: lose events, answer late, refuse, acknowledge and do
// nothing, restart, fall silent.
//
// What lives here: that, and nothing of how a caller behaves beyond keys and
// hang-ups. What never may: assertions about a call's outcome; those belong to
// the test that uses it. Nothing is proven here alone: the same calls run on a
// real Asterisk in test/e2e.
package aritest
