-- A log whose books contradict themselves: nothing of it is billed until a person decides. A row stays for ever; `state` is
-- open or released, and a release says who decided and why.

CREATE TABLE log_holds (
    tenant_id TEXT NOT NULL,
    log_no BIGINT NOT NULL,
    kind TEXT NOT NULL,
    since_ms BIGINT NOT NULL,
    detail TEXT NOT NULL,
    state TEXT NOT NULL,
    seen_ms BIGINT NOT NULL,
    released_ms BIGINT,
    released_by TEXT NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (tenant_id, log_no, kind, since_ms)
) /*sqlite WITHOUT ROWID*/;

CREATE INDEX log_holds_open ON log_holds (tenant_id, log_no) WHERE state = 'open';
