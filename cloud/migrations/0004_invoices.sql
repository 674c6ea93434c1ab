-- Invoices, credit notes, cancellations; what waits for the next invoice; drafts of statements. Money in minor units.

-- One row a series of numbers; whoever takes the next one holds the row until it is committed, so no number is lost.
-- `head` is the hash of the series' newest document.
CREATE TABLE number_series (
    tenant_id TEXT NOT NULL,
    series TEXT NOT NULL,
    last BIGINT NOT NULL,
    head TEXT NOT NULL,
    PRIMARY KEY (tenant_id, series)
) /*sqlite WITHOUT ROWID*/;

-- A statement that may still change: worked out again as often as one likes, numbered by nobody.
CREATE TABLE statement_drafts (
    tenant_id TEXT NOT NULL,
    agreement_id TEXT NOT NULL,
    period_first TEXT NOT NULL,
    period_end TEXT NOT NULL,
    revision BIGINT NOT NULL,
    total TEXT NOT NULL,
    currency TEXT NOT NULL,
    body TEXT NOT NULL,
    made_ms BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, agreement_id, period_first, period_end, revision)
) /*sqlite WITHOUT ROWID*/;

-- `body` is the document as it was hashed, for good; `state` (final, void), `open_minor` and `step` live on.
CREATE TABLE documents (
    tenant_id TEXT NOT NULL,
    document_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    series TEXT NOT NULL,
    number BIGINT NOT NULL,
    number_text TEXT NOT NULL,
    supplier_id TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    agreement_id TEXT NOT NULL,
    statement_id TEXT NOT NULL,
    about TEXT NOT NULL,
    currency TEXT NOT NULL,
    issued_on TEXT NOT NULL,
    due_on TEXT NOT NULL,
    net_minor BIGINT NOT NULL,
    tax_minor BIGINT NOT NULL,
    gross_minor BIGINT NOT NULL,
    open_minor BIGINT NOT NULL,
    state TEXT NOT NULL,
    step TEXT NOT NULL,
    disputed BIGINT NOT NULL,
    hash TEXT NOT NULL,
    body TEXT NOT NULL,
    issued_ms BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, document_id),
    UNIQUE (tenant_id, series, number)
) /*sqlite WITHOUT ROWID*/;

CREATE UNIQUE INDEX documents_of_statements ON documents (tenant_id, statement_id, kind) WHERE statement_id <> '' AND kind = 'invoice';
CREATE INDEX documents_open ON documents (tenant_id, customer_id, currency, due_on, document_id) WHERE open_minor <> 0;
CREATE INDEX documents_of_agreements ON documents (tenant_id, agreement_id, document_id);

-- What is charged or credited beside the statement's lines: guarantee credits, coupons, deposits, fees, agreed amounts.
-- `document_id` '' while it waits. The item's id names its cause, so that the same cause waits once.
CREATE TABLE waiting_items (
    tenant_id TEXT NOT NULL,
    agreement_id TEXT NOT NULL,
    item_id TEXT NOT NULL,
    due_first TEXT NOT NULL,
    document_id TEXT NOT NULL,
    body TEXT NOT NULL,
    added_ms BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, agreement_id, item_id)
) /*sqlite WITHOUT ROWID*/;

-- `state`: final or void; a void statement stays in the chain and its period is closed anew by the next revision.
ALTER TABLE statements ADD COLUMN state TEXT NOT NULL DEFAULT 'final';
ALTER TABLE statements ADD COLUMN voided_ms BIGINT;
ALTER TABLE statements ADD COLUMN void_reason TEXT NOT NULL DEFAULT '';
ALTER TABLE statements ADD COLUMN void_who TEXT NOT NULL DEFAULT '';
