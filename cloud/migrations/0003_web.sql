-- People at the pages: sessions (behind a cookie) and entry codes (in a link that opens one session). Both are
-- `<id>_<secret>`; the id leads through `directory` (same `kind`) to its tenant, and only a hash of the secret is stored.
-- A ticket ends with the API key it came from, and no later than `expires_ms`, which is real time even in a demonstration.
CREATE TABLE web_tickets (
    tenant_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    ticket_id TEXT NOT NULL,
    secret_hash TEXT NOT NULL,
    key_id TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    expires_ms BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, kind, ticket_id)
) /*sqlite WITHOUT ROWID*/;
