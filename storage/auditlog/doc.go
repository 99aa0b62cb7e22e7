// Package auditlog is the exact form of the audit log: the bytes of an entry
// (a leaf) and the hashes of the Merkle tree over the leaves.
//
// What lives here: encoding, strict decoding, and the append-only tree as a
// driver keeps it. What never may: a database, a key, a clock. Signing and
// verifying whole logs is internal/audit.
//
// # The leaf
//
// A leaf is one line of JSON without a line break, keys always all present and
// in this order, no white space between tokens:
//
//	{"v":1,"n":42,"at":"2026-11-23T10:00:00.123Z","actor":"callward","call":"c1","patient":"p-1","action":"StartRecording","outcome":"allow","rules":["recording.consent.required"],"profile":"default","facts":"<64 hex digits, or nothing>","detail":{"prompt":"ask_consent"}}
//
// Why JSON: an auditor reads the log with sqlite3 or jq alone, and any driver
// can index a field out of the leaf itself, so that no second copy of a field
// exists which could be changed without changing the hash. Why not any JSON: a
// hash needs one encoding per entry. Text is therefore printable ASCII without
// the quotation mark and the backslash, so nothing is ever escaped; it is also
// a coarse net that keeps free text, such as a name with an accent, out of the
// log. Numbers are decimal without sign, leading zero or exponent; the instant
// has exactly three decimals; rules keep the order of the decision; detail keys
// are unique and in ascending order of bytes. [Decode] accepts exactly what
// [Append] writes.
//
// Why the number is inside: a leaf moved to another place no longer says where
// it is, so an entry that was moved names itself.
//
// "v" is the version of this form. A change of form is a new version beside
// this one; leaves already written are never rewritten.
//
// # The tree
//
// Hashes are those of RFC 6962, as golang.org/x/mod/sumdb/tlog computes them:
// SHA-256(0x00 | leaf) and SHA-256(0x01 | left | right). Beside each leaf a
// driver keeps the hashes that the leaf completes, lowest first: its own, and
// then that of every full subtree it is the last leaf of. That is two hashes an
// entry on average and at most 1+log2(n), written in the same row, so that an
// append reads nothing and writes one row, every inner node can still be had
// for proofs, and a changed leaf can be named and not only noticed.
package auditlog
