// Package storage is the contract for what Callward keeps: patients, visits,
// invoices, agents, consents, calls with their steps, recordings' metadata,
// identification attempts, call-back requests, opt-outs, and the audit log.
//
// What lives here: the types, the [Store] and [Tx] interfaces, and the errors a
// driver may return. Drivers are in storage/sqlite (default); the suite every
// driver must pass is storage/storagetest; sealing of columns that hold health
// information is storage/seal; the exact bytes of an audit entry are
// storage/auditlog.
//
// What never may: SQL, keys, audio, a decision about what is allowed (that is
// policy), and any format verb that prints a patient's data. Types that may
// hold protected health information redact themselves in every fmt verb,
// log/slog and encoding/json; Reveal is the one explicit way out.
//
// All times are UTC and kept to the millisecond. The zero time means "not yet".
package storage
