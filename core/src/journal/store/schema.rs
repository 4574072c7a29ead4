//! The journal's tables and every statement for them.

pub(super) const APPLICATION: i64 = 0x4d54_4a31;
pub(super) const SCHEMA_VERSION: i64 = 2;
/// The tables of version 1.
pub(super) const SCHEMA: &str = "
    CREATE TABLE state (name TEXT PRIMARY KEY, value BLOB NOT NULL, digest BLOB NOT NULL) STRICT;
    CREATE TABLE document (name TEXT PRIMARY KEY, bytes BLOB NOT NULL) STRICT;
    CREATE TABLE stream (
        stream BLOB PRIMARY KEY, license BLOB NOT NULL, product TEXT NOT NULL,
        epoch INTEGER NOT NULL, seq INTEGER NOT NULL, head BLOB NOT NULL,
        acked INTEGER NOT NULL, send INTEGER NOT NULL, digest BLOB NOT NULL) STRICT;
    CREATE TABLE cell (
        stream BLOB NOT NULL, key BLOB NOT NULL, base INTEGER NOT NULL,
        sealed INTEGER NOT NULL, acked INTEGER NOT NULL, digest BLOB NOT NULL,
        PRIMARY KEY (stream, key)) STRICT;
    CREATE TABLE segment (
        id INTEGER PRIMARY KEY, stream BLOB NOT NULL, epoch INTEGER NOT NULL,
        seq INTEGER NOT NULL, hash BLOB NOT NULL, bytes BLOB NOT NULL,
        UNIQUE (stream, epoch, seq)) STRICT;
    CREATE TABLE receipt (
        id INTEGER PRIMARY KEY, stream BLOB NOT NULL, epoch INTEGER NOT NULL,
        seq INTEGER NOT NULL, bytes BLOB NOT NULL, UNIQUE (stream, epoch, seq)) STRICT;
";
/// What version 2 added.
pub(super) const SECOND: &str = "
    CREATE TABLE durable (
        kind INTEGER NOT NULL, key BLOB NOT NULL, value INTEGER NOT NULL, digest BLOB NOT NULL,
        PRIMARY KEY (kind, key)) STRICT, WITHOUT ROWID;
    CREATE TABLE event (
        id INTEGER PRIMARY KEY AUTOINCREMENT, stream BLOB NOT NULL, name TEXT NOT NULL,
        bytes BLOB NOT NULL, digest BLOB NOT NULL, disputed INTEGER NOT NULL DEFAULT 0,
        sealed INTEGER NOT NULL DEFAULT 0, UNIQUE (stream, name)) STRICT;
    CREATE INDEX event_sealed ON event (stream, sealed, id);
    CREATE TABLE fold (
        stream BLOB NOT NULL, epoch INTEGER NOT NULL, bytes BLOB NOT NULL,
        PRIMARY KEY (stream, epoch)) STRICT;
";
pub(super) const SELECT_STATE: &str = "SELECT value, digest FROM state WHERE name = ?1";
pub(super) const UPSERT_STATE: &str = "INSERT INTO state (name, value, digest) VALUES (?1, ?2, ?3)
    ON CONFLICT (name) DO UPDATE SET value = excluded.value, digest = excluded.digest";
pub(super) const DELETE_STATE: &str = "DELETE FROM state WHERE name = ?1";
pub(super) const SELECT_DOCUMENTS: &str = "SELECT name, bytes FROM document ORDER BY name";
pub(super) const UPSERT_DOCUMENT: &str = "INSERT INTO document (name, bytes) VALUES (?1, ?2)
    ON CONFLICT (name) DO UPDATE SET bytes = excluded.bytes";
pub(super) const DELETE_DOCUMENT: &str = "DELETE FROM document WHERE name = ?1";
pub(super) const SELECT_STREAM: &str =
    "SELECT stream, license, product, epoch, seq, head, acked, send, digest
    FROM stream WHERE stream = ?1";
pub(super) const UPSERT_STREAM: &str = "INSERT INTO stream
    (stream, license, product, epoch, seq, head, acked, send, digest)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
    ON CONFLICT (stream) DO UPDATE SET epoch = excluded.epoch, seq = excluded.seq,
        head = excluded.head, acked = excluded.acked, send = excluded.send,
        digest = excluded.digest";
pub(super) const SELECT_CELLS: &str =
    "SELECT key, base, sealed, acked, digest FROM cell WHERE stream = ?1";
pub(super) const SELECT_STREAM_LICENSES: &str = "SELECT stream, license FROM stream";
pub(super) const SELECT_UNSENT: &str = "SELECT stream FROM stream WHERE send <= seq ORDER BY rowid";
pub(super) const UPSERT_CELL: &str = "INSERT INTO cell (key, base, sealed, acked, digest, stream)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (stream, key) DO UPDATE SET base = excluded.base,
        sealed = excluded.sealed, acked = excluded.acked, digest = excluded.digest";
pub(super) const INSERT_SEGMENT: &str =
    "INSERT INTO segment (stream, epoch, seq, hash, bytes) VALUES (?1, ?2, ?3, ?4, ?5)";
pub(super) const SELECT_HASH: &str =
    "SELECT hash FROM segment WHERE stream = ?1 AND epoch = ?2 AND seq = ?3";
pub(super) const SELECT_SEGMENT: &str =
    "SELECT hash, bytes FROM segment WHERE stream = ?1 AND epoch = ?2 AND seq = ?3";
pub(super) const INSERT_RECEIPT: &str = "INSERT INTO receipt (stream, epoch, seq, bytes)
    VALUES (?1, ?2, ?3, ?4) ON CONFLICT (stream, epoch, seq) DO NOTHING";
/// Those of epochs that were left; those of the open one are folded.
pub(super) const PRUNE_SEGMENTS: &str = "DELETE FROM segment WHERE stream = ?1 AND
    epoch < ?2 AND id <= (SELECT MAX(id) FROM segment) - ?3";
pub(super) const PRUNE_FOLDS: &str = "DELETE FROM fold WHERE stream = ?1 AND epoch < ?2 AND
    NOT EXISTS (SELECT 1 FROM segment WHERE segment.stream = ?1 AND segment.epoch = fold.epoch)";
pub(super) const SELECT_OLDEST: &str =
    "SELECT MIN(seq) FROM segment WHERE stream = ?1 AND epoch = ?2";
pub(super) const SELECT_FOLD: &str = "SELECT bytes FROM fold WHERE stream = ?1 AND epoch = ?2";
pub(super) const SELECT_FOLDS: &str = "SELECT bytes FROM fold WHERE stream = ?1 ORDER BY epoch";
pub(super) const UPSERT_FOLD: &str = "INSERT INTO fold (stream, epoch, bytes) VALUES (?1, ?2, ?3)
    ON CONFLICT (stream, epoch) DO UPDATE SET bytes = excluded.bytes";
pub(super) const FOLD_SEGMENTS: &str =
    "DELETE FROM segment WHERE stream = ?1 AND epoch = ?2 AND seq <= ?3";
pub(super) const PRUNE_RECEIPTS: &str = "DELETE FROM receipt WHERE stream = ?1 AND
    (epoch < ?2 AND id <= (SELECT MAX(id) FROM receipt) - ?4 OR epoch = ?2 AND seq < ?3 - ?4)";
pub(super) const SELECT_DURABLE: &str = "SELECT kind, key, value, digest FROM durable";
/// No row ever falls: another process may have written a later value.
pub(super) const UPSERT_DURABLE: &str = "INSERT INTO durable (kind, key, value, digest)
    VALUES (?1, ?2, ?3, ?4) ON CONFLICT (kind, key) DO UPDATE
    SET value = excluded.value, digest = excluded.digest WHERE excluded.value > value";
pub(super) const INSERT_EVENT: &str = "INSERT INTO event (stream, name, bytes, digest)
    VALUES (?1, ?2, ?3, ?4) ON CONFLICT (stream, name) DO NOTHING";
pub(super) const SPAN_EVENTS: &str = "SELECT COALESCE(MAX(id) - MIN(id), 0) FROM event";
pub(super) const COUNT_EVENTS: &str = "SELECT COUNT(*) FROM (SELECT 1 FROM event
    WHERE stream = ?1 AND sealed = 0 LIMIT ?2)";
pub(super) const SELECT_EVENTS: &str = "SELECT id, disputed, bytes, digest FROM event
    WHERE stream = ?1 AND (sealed = 0 OR sealed > ?2) ORDER BY id LIMIT ?3";
pub(super) const SEAL_EVENT: &str = "UPDATE event SET sealed = ?2 WHERE id = ?1";
pub(super) const UNSEAL_EVENTS: &str =
    "UPDATE event SET sealed = 0 WHERE stream = ?1 AND sealed > ?2";
pub(super) const EVENTS_AGAIN: &str = "UPDATE event SET sealed = 0, disputed = MAX(disputed, ?2)
    WHERE stream = ?1 AND sealed > 0";
pub(super) const MOVE_EVENTS: &str = "UPDATE OR IGNORE event SET stream = ?2 WHERE stream = ?1";
pub(super) const DELETE_EVENTS: &str =
    "DELETE FROM event WHERE stream = ?1 AND sealed > 0 AND sealed <= ?2";
pub(super) const DELETE_SEGMENTS: &str =
    "DELETE FROM segment WHERE stream = ?1 AND epoch = ?2 AND seq > ?3";
