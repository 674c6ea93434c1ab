-- Draws that nothing proved: one row each, open until a resolution of the gateway says what became of it. What the
-- owner said at the supplier's desk stands here until the gateway has written it down.

CREATE TABLE unproven_draws (
    tenant_id TEXT NOT NULL,
    device_id TEXT NOT NULL,
    ep TEXT NOT NULL,
    n BIGINT NOT NULL,
    log_id TEXT NOT NULL,
    idx BIGINT NOT NULL,
    slot TEXT NOT NULL,
    item_id TEXT NOT NULL,
    qty BIGINT NOT NULL,
    scale BIGINT NOT NULL,
    unit TEXT NOT NULL,
    person TEXT NOT NULL,
    at_ms BIGINT NOT NULL,
    deadline_ms BIGINT NOT NULL,
    owner TEXT NOT NULL,
    outcome TEXT NOT NULL,
    said TEXT NOT NULL,
    said_because TEXT NOT NULL,
    said_by TEXT NOT NULL,
    PRIMARY KEY (tenant_id, device_id, ep, n)
) /*sqlite WITHOUT ROWID*/;

CREATE INDEX unproven_draws_open ON unproven_draws (tenant_id, outcome, deadline_ms);
