-- Counted events from outside (click, view, lead, action, order, sale). `(source, event_id)` is unique for ever; `serial`
-- is given once in the order of arrival, in the transaction that keeps the event, so that a statement can say up to
-- which one it had them in hand. `body` is the event as it is hashed and billed.
CREATE TABLE counted_events (
    tenant_id TEXT NOT NULL,
    serial BIGINT NOT NULL,
    source TEXT NOT NULL,
    event_id TEXT NOT NULL,
    at_ms BIGINT NOT NULL,
    content_hash TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (tenant_id, serial)
) /*sqlite WITHOUT ROWID*/;

CREATE UNIQUE INDEX counted_event_keys ON counted_events (tenant_id, source, event_id);
CREATE INDEX counted_events_by_time ON counted_events (tenant_id, source, at_ms);

CREATE TABLE counted_serials (
    tenant_id TEXT NOT NULL,
    last BIGINT NOT NULL,
    PRIMARY KEY (tenant_id)
) /*sqlite WITHOUT ROWID*/;

-- The same (source, id) with another content: shown, never billed.
CREATE TABLE counted_conflicts (
    tenant_id TEXT NOT NULL,
    source TEXT NOT NULL,
    event_id TEXT NOT NULL,
    content_hash TEXT NOT NULL,
    body TEXT NOT NULL,
    seen_ms BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, source, event_id, content_hash)
) /*sqlite WITHOUT ROWID*/;

-- Who signed which version of an agreement: `note` is the signed note over the hash of the whole terms.
CREATE TABLE agreement_signatures (
    tenant_id TEXT NOT NULL,
    agreement_id TEXT NOT NULL,
    version BIGINT NOT NULL,
    party_id TEXT NOT NULL,
    vkey TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    note TEXT NOT NULL,
    signed_ms BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, agreement_id, version, party_id)
) /*sqlite WITHOUT ROWID*/;
