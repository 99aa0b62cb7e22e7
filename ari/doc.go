// Package ari attaches Go code to live Asterisk channels.
//
// It speaks the Asterisk REST Interface of Asterisk 22.10 and later: events
// and requests over one WebSocket, with HTTP as the way round it while the
// socket is away. A call is a script: [Controller.Serve] runs one
// [Handler.Call] for each channel that enters the Stasis application, and the
// verbs on [Call] and [Leg] return when Asterisk has shown by an event that
// the thing was done, not when it acknowledged the request.
//
// What lives here: the client generated from Asterisk's own description of
// its interface (*_gen.go, made by ari/arigen), the controller that keeps the
// socket and one ordered mailbox per call, and the verbs. What never may:
// anything about patients, consent, recordings, storage or policy. The package
// imports nothing else of this module; the call scripts are in
// internal/callflow, the scripted Asterisk for tests is in ari/aritest.
//
// Digits, caller names and caller numbers are held in types that redact
// themselves when printed, logged or marshalled; Reveal is the one way to
// their content, so a reader can search for it.
package ari
