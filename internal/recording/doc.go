// Package recording turns the two tracks of a call into one sealed file, and
// opens, verifies and recovers such files.
//
// Audio comes in as it left Asterisk (G.711 mu-law, 8 kHz, 20 ms frames of 160
// bytes, in batches), is put on one timeline, and is encrypted to public age
// recipients (https://age-encryption.org/v1) before it reaches a file. What may
// never live here: a way to write plaintext to a disk, an identity on the
// machine that records, knowledge of ARI, of consent or of storage. Whether a
// call may be recorded is decided by policy and carried out by callflow; the
// facts of a sealed file ([Result]) are kept by storage.
//
// # The file
//
// One age file holds one WAV stream: format tag 7 (mu-law), two channels (0 the
// patient, 1 what the patient hears), 8 kHz. A LIST/INFO chunk with the ids of
// recording, call and consent and the start time stands before the data, so a
// file says what it is even when its end is missing. The RIFF and data sizes
// are those of a stream (0x7FFFF000, as sox writes to a pipe and takes without a
// warning), for the length is not known when the header is sealed. Without us it
// opens by `age -d -i identity id.wav.age > id.wav`.
//
// # Names on disk
//
//	stateDiagram-v2
//	    [*] --> part: Start (id.wav.age.part, mode 0600, flock held)
//	    part --> sealed: Stop, or a failure that still let the last chunk be written (id.wav.age)
//	    part --> truncated: a write failed, or Recover found a dead process's file (id.truncated.age)
//	    part --> [*]: Discard
//	    sealed --> [*]
//	    truncated --> [*]
//
// Seal is: last age chunk, fsync, rename, fsync of the directory. While a file
// is live, id.wav.age.tail beside it holds what age has not sealed yet (tail.go);
// a truncated file keeps it as id.truncated.tail.age.
//
// # A session
//
//	stateDiagram-v2
//	    [*] --> live: Start
//	    live --> paused: Pause
//	    paused --> live: Resume
//	    live --> settled: Stop, StopOrDiscard, Discard
//	    paused --> settled: Stop, StopOrDiscard, Discard
//	    live --> settled: write error, disk full, stalled track (Failed)
//	    paused --> settled: stalled track (Failed)
//	    settled --> [*]
//
// A paused stretch is not written at all: the file's clock stands still and
// [Result].Marks says where. Silence of the same length would say how long a
// newcomer thought about consent, and would be kept for years for nothing.
//
// Sources: 45 CFR 164.312(a)(2)(iv), (c)(1), (c)(2), (e)(2)(i).
package recording
