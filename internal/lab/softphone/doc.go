// Package softphone is a scripted SIP telephone for tests and the demo: it
// speaks SIP over TLS and SRTP keyed by SDES to a real Asterisk, presses keys
// (RFC 4733), speaks given samples, and keeps what it hears on a timeline
// aligned to the wall clock. Several phones live in one process.
//
// Only what a telephone does lives here. Starting Asterisk is package lab's
// work, saying which prompt was heard is package recognise's, and nothing here
// may be imported by what serves real calls.
//
// A call, from either side:
//
//	stateDiagram-v2
//	    [*] --> Calling: Dial (INVITE)
//	    [*] --> Ringing: INVITE came (Incoming)
//	    Calling --> Talking: 200, ACK sent
//	    Calling --> [*]: Refused, or CANCEL when ctx ended
//	    Ringing --> Talking: Answer (200), ACK came
//	    Ringing --> [*]: Reject, or CANCEL came
//	    Talking --> Talking: re-INVITE, UPDATE, OPTIONS
//	    Talking --> Ended: BYE from either side, or connection lost
//	    Ended --> [*]
//
// Sound is G.711 mu-law at 8 kHz in frames of 20 ms, and samples are int16.
package softphone
