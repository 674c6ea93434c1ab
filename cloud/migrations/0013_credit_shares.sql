-- What services (energy, fees) have run up since the last invoice, by agreement: counted again now and then.
CREATE TABLE credit_accruals (
    tenant_id TEXT NOT NULL,
    agreement_id TEXT NOT NULL,
    minor BIGINT NOT NULL,
    at_ms BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, agreement_id)
) /*sqlite WITHOUT ROWID*/;

-- A share is smaller only when the gateway has said that it knows: `left_minor` is the most it may give by any document
-- it may hold (and counts as used), `next_minor` what it may give by the newest, which is in `version`.
ALTER TABLE credit_delegations ADD COLUMN next_minor BIGINT NOT NULL DEFAULT 0;
ALTER TABLE credit_delegations ADD COLUMN version BIGINT NOT NULL DEFAULT 0;
ALTER TABLE credit_delegations ADD COLUMN agreement_id TEXT NOT NULL DEFAULT '';
ALTER TABLE credit_delegations ADD COLUMN until_ms BIGINT NOT NULL DEFAULT 0;
UPDATE credit_delegations SET next_minor = left_minor;
