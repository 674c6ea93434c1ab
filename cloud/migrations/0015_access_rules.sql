-- What a site's rules said, version by version; the newest is what its gateway is sent. PINs only as hashes.
CREATE TABLE access_rules (
    tenant_id TEXT NOT NULL,
    gateway_id TEXT NOT NULL,
    version BIGINT NOT NULL,
    body TEXT NOT NULL,
    made_by TEXT NOT NULL,
    at_ms BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, gateway_id, version)
) /*sqlite WITHOUT ROWID*/;

-- Tools that are lent, one row a loan: so much of it is still out.
CREATE TABLE loans (
    tenant_id TEXT NOT NULL,
    device_id TEXT NOT NULL,
    log_no BIGINT NOT NULL,
    idx BIGINT NOT NULL,
    ep TEXT NOT NULL,
    n BIGINT NOT NULL,
    person TEXT NOT NULL,
    account TEXT NOT NULL,
    slot TEXT NOT NULL,
    item_id TEXT NOT NULL,
    serial TEXT NOT NULL,
    qty BIGINT NOT NULL,
    scale BIGINT NOT NULL,
    unit TEXT NOT NULL,
    lent_ms BIGINT NOT NULL,
    due_ms BIGINT,
    out_qty BIGINT NOT NULL,
    ended TEXT NOT NULL,
    ended_ms BIGINT,
    PRIMARY KEY (tenant_id, device_id, log_no, idx)
) /*sqlite WITHOUT ROWID*/;

CREATE INDEX loans_by_key ON loans (tenant_id, device_id, ep, n);
