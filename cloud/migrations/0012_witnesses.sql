-- Somebody else's eyes: keys that may cosign checkpoints beside ours, and what they cosigned.

CREATE TABLE witnesses (
    tenant_id TEXT NOT NULL,
    name TEXT NOT NULL,
    vkey TEXT NOT NULL,
    party_id TEXT NOT NULL,
    added_ms BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, name)
) /*sqlite WITHOUT ROWID*/;

CREATE TABLE witnessed (
    tenant_id TEXT NOT NULL,
    log_no BIGINT NOT NULL,
    name TEXT NOT NULL,
    size BIGINT NOT NULL,
    cosignature TEXT NOT NULL,
    seconds BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, log_no, name, size)
) /*sqlite WITHOUT ROWID*/;
