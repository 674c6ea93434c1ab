-- The journal: records as they were hashed, the gateway's Merkle logs over them, and what the cloud has countersigned.
-- A leaf is never updated. Rows leave only by the prune rule (cosigned, backed up by the cloud, older than 90 days).

CREATE TABLE records (
    id   INTEGER PRIMARY KEY,       -- order of commit
    src  TEXT NOT NULL,
    ep   TEXT NOT NULL,
    n    INTEGER NOT NULL,
    did  TEXT,                      -- the device's own identity of the event, where it has one
    leaf BLOB NOT NULL,
    hash BLOB NOT NULL              -- SHA-256(0x00 || leaf), written with the leaf: finds what integrity_check misses
);
-- ep first: one boot's rows lie together, and its last counters are found without reading it all.
CREATE UNIQUE INDEX records_key ON records (ep, src, n);
CREATE UNIQUE INDEX records_did ON records (src, did) WHERE did IS NOT NULL;

-- Intents whose draw is not recorded yet. `commanded`: the command may have left.
CREATE TABLE attempts (
    src       TEXT NOT NULL,
    ep        TEXT NOT NULL,
    n         INTEGER NOT NULL,
    commanded INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (src, ep, n)
) WITHOUT ROWID;

CREATE TABLE logs (
    log            INTEGER PRIMARY KEY,
    origin         TEXT NOT NULL UNIQUE,
    floor          INTEGER NOT NULL DEFAULT 0,   -- every record with id <= floor has its index
    cosigned       INTEGER NOT NULL DEFAULT 0,   -- the size the cloud last cosigned
    cosigned_at    INTEGER NOT NULL DEFAULT 0,   -- Unix seconds, the cloud's
    backed_up      INTEGER NOT NULL DEFAULT 0,   -- the size the cloud's own backups reach
    pruned         INTEGER NOT NULL DEFAULT 0,   -- entries below are gone; `pruned_peaks` is the frontier there
    pruned_peaks   BLOB NOT NULL DEFAULT x'',
    frozen         TEXT NOT NULL DEFAULT '',     -- why this log is not synced any more (a fork)
    first          INTEGER NOT NULL DEFAULT 0    -- the record that must be entry 0, naming the log before; 0: any
);

CREATE TABLE entries (
    log    INTEGER NOT NULL,
    idx    INTEGER NOT NULL,
    record INTEGER NOT NULL UNIQUE,              -- a record has one index, once
    PRIMARY KEY (log, idx)
) WITHOUT ROWID;

CREATE TABLE notes (
    log         INTEGER NOT NULL,
    size        INTEGER NOT NULL,
    peaks       BLOB NOT NULL,                   -- the frontier at this size
    note        TEXT NOT NULL,                   -- signed; sent again byte for byte after a crash
    cosignature TEXT NOT NULL DEFAULT '',
    cosigned_at INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (log, size)                      -- never two notes of one size
) WITHOUT ROWID;

-- What was taken from and put into slots, of records that were pruned: a shelf's stock has no beginning without it.
CREATE TABLE goods (
    ep   TEXT NOT NULL,
    src  TEXT NOT NULL,
    n    INTEGER NOT NULL,
    id   INTEGER NOT NULL,                       -- of the record, for the order of boots
    leaf BLOB NOT NULL,
    PRIMARY KEY (ep, src, n)
) WITHOUT ROWID;

-- Entries fetched from the cloud's mirror after a restore, until their root is proven.
CREATE TABLE mirrored (
    idx  INTEGER PRIMARY KEY,
    leaf BLOB NOT NULL
);

-- Both notes of a fork, kept for whoever must judge it.
CREATE TABLE evidence (
    number INTEGER PRIMARY KEY,
    log    INTEGER NOT NULL,
    what   TEXT NOT NULL,
    ours   TEXT NOT NULL,
    theirs TEXT NOT NULL
);
