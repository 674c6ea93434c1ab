-- Tenants, access, gateways, logs. Portable: BIGINT, TEXT, BYTEA; times in milliseconds UTC.
-- tenant_id comes first in every key; `tenants` and `directory` are the only tables that are looked up without one.
-- A comment of the form /*sqlite ...*/ or /*postgresql ...*/ is read by that database alone.

CREATE TABLE tenants (
    tenant_id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    created_ms BIGINT NOT NULL
) /*sqlite WITHOUT ROWID*/;

-- Whose is this? A public id (of an API key, an enrolment code, a log) leads to its tenant; everything after that is keyed.
CREATE TABLE directory (
    kind TEXT NOT NULL,
    public_id TEXT NOT NULL,
    tenant_id TEXT NOT NULL,
    PRIMARY KEY (kind, public_id)
) /*sqlite WITHOUT ROWID*/;

CREATE TABLE api_keys (
    tenant_id TEXT NOT NULL,
    key_id TEXT NOT NULL,
    name TEXT NOT NULL,
    secret_hash TEXT NOT NULL,
    scopes TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    expires_ms BIGINT,
    revoked_ms BIGINT,
    PRIMARY KEY (tenant_id, key_id)
) /*sqlite WITHOUT ROWID*/;

CREATE TABLE idempotency_keys (
    tenant_id TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    request_hash TEXT NOT NULL,
    status BIGINT NOT NULL,
    body TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, idempotency_key)
) /*sqlite WITHOUT ROWID*/;

CREATE TABLE gateways (
    tenant_id TEXT NOT NULL,
    gateway_id TEXT NOT NULL,
    name TEXT NOT NULL,
    site_id TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, gateway_id)
) /*sqlite WITHOUT ROWID*/;

CREATE TABLE devices (
    tenant_id TEXT NOT NULL,
    device_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    gateway_id TEXT NOT NULL,
    site_id TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, device_id)
) /*sqlite WITHOUT ROWID*/;

-- Every gateway a device ever hung on: a moved device's old gateway may still hold records of it.
CREATE TABLE device_gateways (
    tenant_id TEXT NOT NULL,
    gateway_id TEXT NOT NULL,
    device_id TEXT NOT NULL,
    since_ms BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, gateway_id, device_id)
) /*sqlite WITHOUT ROWID*/;

CREATE TABLE enrolment_codes (
    tenant_id TEXT NOT NULL,
    code_id TEXT NOT NULL,
    gateway_id TEXT NOT NULL,
    secret_hash TEXT NOT NULL,
    expires_ms BIGINT NOT NULL,
    tries_left BIGINT NOT NULL,
    used_ms BIGINT,
    log_no BIGINT,
    PRIMARY KEY (tenant_id, code_id)
) /*sqlite WITHOUT ROWID*/;

-- What a gateway should be like, in parts (a planogram, the badges); the version counts every change of any part.
CREATE TABLE desired_parts (
    tenant_id TEXT NOT NULL,
    gateway_id TEXT NOT NULL,
    part TEXT NOT NULL,
    part_key TEXT NOT NULL,
    body TEXT NOT NULL,
    version BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, gateway_id, part, part_key)
) /*sqlite WITHOUT ROWID*/;

CREATE TABLE desired_versions (
    tenant_id TEXT NOT NULL,
    gateway_id TEXT NOT NULL,
    version BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, gateway_id)
) /*sqlite WITHOUT ROWID*/;

CREATE TABLE logs (
    tenant_id TEXT NOT NULL,
    log_no BIGINT NOT NULL,
    log_id TEXT NOT NULL,
    gateway_id TEXT NOT NULL,
    epoch BIGINT NOT NULL,
    origin TEXT NOT NULL,
    vkey TEXT NOT NULL,
    opened_ms BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, log_no),
    UNIQUE (tenant_id, log_id),
    UNIQUE (tenant_id, gateway_id, epoch)
) /*sqlite WITHOUT ROWID*/;

-- The one row a batch locks. `state`: open, frozen (a fork was proven), closed (a newer epoch took over).
-- `refused` counts notes kept as evidence; `anchored_boot` is the last boot whose clock is already anchored.
CREATE TABLE log_heads (
    tenant_id TEXT NOT NULL,
    log_no BIGINT NOT NULL,
    size BIGINT NOT NULL,
    root BYTEA NOT NULL,
    frontier BYTEA NOT NULL,
    state TEXT NOT NULL,
    refused BIGINT NOT NULL,
    anchored_boot TEXT NOT NULL,
    backup_mark BIGINT NOT NULL,
    backed_up_size BIGINT NOT NULL,
    heard_ms BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, log_no)
) /*sqlite WITHOUT ROWID*/ /*postgresql WITH (fillfactor = 50)*/;

-- Every piece that was cosigned: leaves [old_size, size). The frontier at its end is where a repeat of the next piece starts.
CREATE TABLE checkpoints (
    tenant_id TEXT NOT NULL,
    log_no BIGINT NOT NULL,
    size BIGINT NOT NULL,
    old_size BIGINT NOT NULL,
    root BYTEA NOT NULL,
    frontier BYTEA NOT NULL,
    note TEXT NOT NULL,
    cosignature TEXT NOT NULL,
    cosigned_s BIGINT NOT NULL,
    quarantined BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, log_no, size)
) /*sqlite WITHOUT ROWID*/;

CREATE TABLE leaves (
    tenant_id TEXT NOT NULL,
    log_no BIGINT NOT NULL,
    idx BIGINT NOT NULL,
    leaf BYTEA NOT NULL,
    leaf_hash BYTEA NOT NULL,
    PRIMARY KEY (tenant_id, log_no, idx)
) /*sqlite WITHOUT ROWID*/;

-- Which leaf counts for a record. Slim and never partitioned: it catches what a new log epoch seals again.
CREATE TABLE record_keys (
    tenant_id TEXT NOT NULL,
    src TEXT NOT NULL,
    ep TEXT NOT NULL,
    n BIGINT NOT NULL,
    did TEXT,
    log_no BIGINT NOT NULL,
    idx BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, src, ep, n)
) /*sqlite WITHOUT ROWID*/;

CREATE UNIQUE INDEX record_dids ON record_keys (tenant_id, src, did) WHERE did IS NOT NULL;

-- Notes that contradict one another, or that were refused although genuine. `ours` is the note they contradict.
CREATE TABLE evidence (
    tenant_id TEXT NOT NULL,
    log_no BIGINT NOT NULL,
    kind TEXT NOT NULL,
    size BIGINT NOT NULL,
    root BYTEA NOT NULL,
    note TEXT NOT NULL,
    ours TEXT NOT NULL,
    detail TEXT NOT NULL,
    seen_ms BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, log_no, kind, size, root)
) /*sqlite WITHOUT ROWID*/;

CREATE TABLE quarantine (
    tenant_id TEXT NOT NULL,
    log_no BIGINT NOT NULL,
    idx BIGINT NOT NULL,
    src TEXT NOT NULL,
    reason TEXT NOT NULL,
    detail TEXT NOT NULL,
    state TEXT NOT NULL,
    tries BIGINT NOT NULL,
    since_ms BIGINT NOT NULL,
    resolved_ms BIGINT,
    PRIMARY KEY (tenant_id, log_no, idx)
) /*sqlite WITHOUT ROWID*/;

CREATE INDEX quarantine_open ON quarantine (tenant_id, state, since_ms, log_no, idx);

-- What ties a boot's monotonic clock to the world: the first synchronised record, and the tightest cosignature.
CREATE TABLE boot_anchors (
    tenant_id TEXT NOT NULL,
    gateway_id TEXT NOT NULL,
    boot TEXT NOT NULL,
    synchronised_zero_ms BIGINT,
    cosigned_zero_ms BIGINT,
    PRIMARY KEY (tenant_id, gateway_id, boot)
) /*sqlite WITHOUT ROWID*/;
