-- A log's later keys, and keys that were taken back. `key_edition` counts every change, so that a process which knows an
-- older edition looks again before it takes a batch. logs.vkey stays the first key.

CREATE TABLE log_keys (
    tenant_id TEXT NOT NULL,
    log_no BIGINT NOT NULL,
    key_no BIGINT NOT NULL,
    vkey TEXT NOT NULL,
    hand_over TEXT NOT NULL,
    at_ms BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, log_no, key_no)
) /*sqlite WITHOUT ROWID*/;

CREATE TABLE key_revocations (
    tenant_id TEXT NOT NULL,
    log_no BIGINT NOT NULL,
    vkey TEXT NOT NULL,
    note TEXT NOT NULL,
    who TEXT NOT NULL,
    at_ms BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, log_no, vkey)
) /*sqlite WITHOUT ROWID*/;

ALTER TABLE log_heads ADD COLUMN key_edition BIGINT NOT NULL DEFAULT 0;
