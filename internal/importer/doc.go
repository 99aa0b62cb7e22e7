// Package importer reads patients, visits and invoices from files and writes
// them through storage: FHIR R4 (a Bundle, one resource, or NDJSON as bulk
// exports are made) and CSV. What may never live here: a database driver, a
// decision, or a copy of what was read: files are streamed, a row that is
// refused is named by file, line and reason, and no reason quotes a value.
//
// # Two passes
//
// Files may come in any order and an Encounter may stand before its Patient, so
// all patients are read first and then everything that belongs to one. Files are
// therefore read twice and cannot be pipes.
//
// # FHIR
//
// Patient: id; identifier of type MR (record number), MB (member id), AN
// (account); the official name; birthDate; telecom phone and sms; address;
// communication; deceased. What is marked old or has ended is left out. A Patient
// that was replaced by another (link replaced-by) is left out with a note.
// Encounter: id, status, period.start, subject as Patient/ID, an absolute URL,
// urn:uuid:, Patient?identifier=system|value, or by identifier. The visit's date
// is the one written in period.start, whatever its offset. Other resources are
// counted and ignored.
//
// # CSV
//
// UTF-8, commas, a header line. Columns may come in any order; an unknown one
// refuses the file. The columns say what the rows are:
//
//	patients  record_number, family, given, birth_date, phones, street, city,
//	          state, zip, language, deceased, member_id, account
//	visits    record_number, date, status, visit (the source's own id, optional)
//	invoices  record_number, invoice, date, status
//
// Dates are YYYY-MM-DD. phones, member_id and account may hold several values
// with ; between them. Without the column visit, one patient has one visit a day.
//
// # What is made of it
//
// Values are kept in the canonical form of policy's normalisers, for lookup is
// exact (rule identity.match.normalise). A value that cannot be read (a phone
// number of another country, half a birth date) is left out with a note and the
// row is kept: that identifier is then unavailable, not wrong. Importing the
// same files again changes nothing but the audit log, which gets one entry for
// each transaction that wrote something and one for the import.
package importer
