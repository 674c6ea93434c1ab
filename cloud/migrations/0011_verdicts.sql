-- Verdicts on guaranteed outcomes, and time that both sides agreed not to count.

-- `state`: proposed, accepted, disputed, settled, withdrawn (its statement is void). `credit_minor`: net, as proposed or
-- settled. `deadline`: the local day until which the customer may object.
CREATE TABLE verdicts (
    tenant_id TEXT NOT NULL,
    verdict_id TEXT NOT NULL,
    agreement_id TEXT NOT NULL,
    statement_id TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    name TEXT NOT NULL,
    first TEXT NOT NULL,
    end_day TEXT NOT NULL,
    currency TEXT NOT NULL,
    state TEXT NOT NULL,
    proposed_minor BIGINT NOT NULL,
    credit_minor BIGINT NOT NULL,
    deadline TEXT NOT NULL,
    who TEXT NOT NULL,
    reason TEXT NOT NULL,
    proposed TEXT NOT NULL,
    final TEXT NOT NULL,
    made_ms BIGINT NOT NULL,
    changed_ms BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, verdict_id)
) /*sqlite WITHOUT ROWID*/;

CREATE INDEX verdicts_open ON verdicts (tenant_id, deadline) WHERE state IN ('proposed', 'accepted');

CREATE TABLE agreed_exclusions (
    tenant_id TEXT NOT NULL,
    agreement_id TEXT NOT NULL,
    name TEXT NOT NULL,
    from_ms BIGINT NOT NULL,
    to_ms BIGINT NOT NULL,
    cause TEXT NOT NULL,
    who TEXT NOT NULL,
    PRIMARY KEY (tenant_id, agreement_id, name, from_ms)
) /*sqlite WITHOUT ROWID*/;
