-- Times are milliseconds since 1970 in UTC; NULL is "not yet".
-- Columns named sealed hold AEAD output bound to table, column and row id;
-- columns of keyed hashes stand beside lookup_key, which names the key.

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT;

-- The leaf is the entry; call and patient are read out of it, so that there is
-- no second copy to change. hashes: see package auditlog.
CREATE TABLE audit (
    n       INTEGER PRIMARY KEY,
    leaf    TEXT NOT NULL,
    hashes  BLOB NOT NULL,
    call    TEXT GENERATED ALWAYS AS (json_extract(leaf, '$.call')) VIRTUAL,
    patient TEXT GENERATED ALWAYS AS (json_extract(leaf, '$.patient')) VIRTUAL
) STRICT;
CREATE INDEX audit_call ON audit (call) WHERE call <> '';
CREATE INDEX audit_patient ON audit (patient) WHERE patient <> '';
CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;

CREATE TABLE audit_facts (
    n      INTEGER PRIMARY KEY REFERENCES audit (n),
    sealed BLOB NOT NULL
) STRICT;

CREATE TABLE checkpoint (
    size INTEGER NOT NULL,
    at   INTEGER NOT NULL,
    note TEXT NOT NULL,
    PRIMARY KEY (size, note)
) STRICT, WITHOUT ROWID;

CREATE TABLE patient (
    id         TEXT PRIMARY KEY,
    source     BLOB UNIQUE,
    lookup_key INTEGER NOT NULL,
    sealed     BLOB NOT NULL
) STRICT;

CREATE TABLE identifier (
    kind    TEXT NOT NULL,
    hash    BLOB NOT NULL,
    patient TEXT NOT NULL REFERENCES patient (id) ON DELETE CASCADE,
    PRIMARY KEY (kind, hash, patient)
) STRICT, WITHOUT ROWID;
CREATE INDEX identifier_patient ON identifier (patient, kind);

CREATE TABLE visit (
    id         TEXT PRIMARY KEY,
    key        BLOB NOT NULL UNIQUE,
    patient    TEXT NOT NULL REFERENCES patient (id) ON DELETE CASCADE,
    lookup_key INTEGER NOT NULL,
    sealed     BLOB NOT NULL
) STRICT;
CREATE INDEX visit_patient ON visit (patient);

CREATE TABLE invoice (
    id         TEXT PRIMARY KEY,
    key        BLOB NOT NULL UNIQUE,
    patient    TEXT NOT NULL REFERENCES patient (id) ON DELETE CASCADE,
    lookup_key INTEGER NOT NULL,
    sealed     BLOB NOT NULL
) STRICT;
CREATE INDEX invoice_patient ON invoice (patient);

CREATE TABLE attempt (
    id      INTEGER PRIMARY KEY,
    call    TEXT NOT NULL,
    at      INTEGER NOT NULL,
    result  TEXT NOT NULL,
    offered TEXT NOT NULL
) STRICT;
CREATE INDEX attempt_call ON attempt (call);
CREATE TABLE attempt_patient (
    patient TEXT NOT NULL REFERENCES patient (id) ON DELETE CASCADE,
    attempt INTEGER NOT NULL REFERENCES attempt (id),
    PRIMARY KEY (patient, attempt)
) STRICT, WITHOUT ROWID;
CREATE INDEX attempt_patient_attempt ON attempt_patient (attempt);

CREATE TABLE agent (
    id                 TEXT PRIMARY KEY,
    name               TEXT NOT NULL,
    spoken_name        TEXT NOT NULL,
    organisation       TEXT NOT NULL,
    endpoint           TEXT NOT NULL,
    on_duty            INTEGER NOT NULL,
    recording_consent  INTEGER NOT NULL,
    state              TEXT NOT NULL,
    languages          TEXT NOT NULL,
    hired_at           INTEGER,
    last_call_ended_at INTEGER
) STRICT;
CREATE TABLE training (
    agent          TEXT NOT NULL REFERENCES agent (id) ON DELETE CASCADE,
    position       INTEGER NOT NULL,
    course         TEXT NOT NULL,
    policy_version TEXT NOT NULL,
    completed_at   INTEGER,
    expires_at     INTEGER,
    PRIMARY KEY (agent, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE call (
    id               TEXT PRIMARY KEY,
    version          INTEGER NOT NULL,
    step             TEXT NOT NULL,
    language         TEXT NOT NULL,
    intent           TEXT NOT NULL,
    verified_patient TEXT NOT NULL,
    verified_at      INTEGER,
    verified_by      TEXT NOT NULL,
    agent            TEXT NOT NULL,
    agent_channel    TEXT NOT NULL,
    bridge           TEXT NOT NULL,
    recording        TEXT NOT NULL,
    started_at       INTEGER,
    answered_at      INTEGER,
    ended_at         INTEGER,
    disposition      TEXT NOT NULL,
    reason           TEXT NOT NULL,
    hangup_cause     INTEGER NOT NULL
) STRICT;
CREATE INDEX call_open ON call (started_at) WHERE ended_at IS NULL;
CREATE INDEX call_started ON call (started_at);

CREATE TABLE step (
    call   TEXT NOT NULL REFERENCES call (id),
    number INTEGER NOT NULL,
    name   TEXT NOT NULL,
    at     INTEGER,
    entry  INTEGER,
    PRIMARY KEY (call, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE consent (
    id             INTEGER PRIMARY KEY,
    call           TEXT NOT NULL REFERENCES call (id),
    patient        TEXT NOT NULL,
    party          TEXT NOT NULL,
    party_kind     TEXT NOT NULL,
    purpose        TEXT NOT NULL,
    answer         TEXT NOT NULL,
    how            TEXT NOT NULL,
    prompt         TEXT NOT NULL,
    prompt_version TEXT NOT NULL,
    language       TEXT NOT NULL,
    at             INTEGER
) STRICT;
CREATE INDEX consent_call ON consent (call);
CREATE TRIGGER consent_no_update BEFORE UPDATE ON consent
BEGIN SELECT RAISE(ABORT, 'consents are append-only'); END;

CREATE TABLE recording (
    id            TEXT PRIMARY KEY,
    call          TEXT NOT NULL REFERENCES call (id),
    segment       INTEGER NOT NULL,
    consent       INTEGER NOT NULL REFERENCES consent (id),
    patient       TEXT NOT NULL,
    status        TEXT NOT NULL,
    reason        TEXT NOT NULL,
    path          TEXT NOT NULL,
    started_at    INTEGER,
    last_frame_at INTEGER,
    stopped_at    INTEGER,
    withdrawn_at  INTEGER,
    duration      INTEGER NOT NULL,
    bytes         INTEGER NOT NULL,
    frames0       INTEGER NOT NULL,
    frames1       INTEGER NOT NULL,
    lost0         INTEGER NOT NULL,
    lost1         INTEGER NOT NULL,
    late0         INTEGER NOT NULL,
    late1         INTEGER NOT NULL,
    sha256        BLOB NOT NULL
) STRICT;
CREATE INDEX recording_call ON recording (call);
CREATE INDEX recording_started ON recording (started_at);

CREATE TABLE callback (
    id           INTEGER PRIMARY KEY,
    call         TEXT NOT NULL,
    patient      TEXT NOT NULL,
    language     TEXT NOT NULL,
    intent       TEXT NOT NULL,
    requested_at INTEGER,
    done_at      INTEGER,
    sealed       BLOB NOT NULL
) STRICT;

CREATE TABLE optout (
    id         INTEGER PRIMARY KEY,
    phone      BLOB,
    patient    TEXT NOT NULL,
    channel    TEXT NOT NULL,
    call       TEXT NOT NULL,
    at         INTEGER,
    lookup_key INTEGER NOT NULL,
    sealed     BLOB NOT NULL
) STRICT;
CREATE INDEX optout_phone ON optout (phone) WHERE phone IS NOT NULL;
CREATE INDEX optout_patient ON optout (patient) WHERE patient <> '';
