// Package recognise says which prompt a telephone heard, and where, by
// correlating what was heard with the audio of every prompt it could be.
// It is exact, not a guess at words: two prompts of the same voice that begin
// alike are told apart where they part.
//
// Only signal comparison lives here. It knows neither calls nor files, takes
// samples from any [Source], and never decides anything about a caller.
//
// How a match comes about, in samples of 8 kHz:
//
//  1. Heard sound is decimated to 2 kHz and correlated by FFT with the first
//     0.7 s of every prompt; a normalised correlation above a threshold makes
//     a hypothesis "prompt P began here".
//  2. Hypotheses are followed block by block (125 ms) at 8 kHz, at the exact
//     sample; gaps and jitter of the network are followed by moving the lag.
//  3. A prompt is known when it has been heard for long enough and no rival
//     explains as much of what was heard.
//  4. It has ended when its last block was heard, or when two blocks in a row
//     did not follow: then it was cut, and Fraction says how much was heard.
//
// The states of a hypothesis:
//
//	stateDiagram-v2
//	    [*] --> Followed: prefix correlates
//	    Followed --> [*]: a rival explains more, or it breaks off too early
//	    Followed --> Known: no rival is left
//	    Known --> Ended: last block heard (Fraction 1), or cut
//	    Ended --> [*]
package recognise
