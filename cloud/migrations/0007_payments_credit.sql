-- Payments and what they settle; use first, pay later. Money in minor units.

-- `free_minor`: what of it settles nothing yet. `bank_ref`: the bank's own reference, so that a file read twice counts once.
-- `state`: unmatched (nobody knows whose), matched, returned.
CREATE TABLE payments (
    tenant_id TEXT NOT NULL,
    payment_id TEXT NOT NULL,
    account TEXT NOT NULL,
    bank_ref TEXT NOT NULL,
    supplier_id TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    currency TEXT NOT NULL,
    amount_minor BIGINT NOT NULL,
    free_minor BIGINT NOT NULL,
    booked_on TEXT NOT NULL,
    payer TEXT NOT NULL,
    payer_account TEXT NOT NULL,
    remittance TEXT NOT NULL,
    state TEXT NOT NULL,
    matched_by TEXT NOT NULL,
    at_ms BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, payment_id),
    UNIQUE (tenant_id, account, bank_ref)
) /*sqlite WITHOUT ROWID*/;

CREATE INDEX payments_free ON payments (tenant_id, customer_id, currency, booked_on, payment_id) WHERE free_minor <> 0;

-- `source_id`: a payment or a credit note. `undone_ms`: the payment was returned, or the document became void.
CREATE TABLE allocations (
    tenant_id TEXT NOT NULL,
    source_id TEXT NOT NULL,
    document_id TEXT NOT NULL,
    no BIGINT NOT NULL,
    minor BIGINT NOT NULL,
    at_ms BIGINT NOT NULL,
    undone_ms BIGINT,
    PRIMARY KEY (tenant_id, source_id, document_id, no)
) /*sqlite WITHOUT ROWID*/;

CREATE INDEX allocations_of_documents ON allocations (tenant_id, document_id);

-- Whose account money comes from.
CREATE TABLE payer_accounts (
    tenant_id TEXT NOT NULL,
    payer_account TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    PRIMARY KEY (tenant_id, payer_account)
) /*sqlite WITHOUT ROWID*/;

-- Each step a document reached, once.
CREATE TABLE dunning_notices (
    tenant_id TEXT NOT NULL,
    document_id TEXT NOT NULL,
    step TEXT NOT NULL,
    on_day TEXT NOT NULL,
    open_minor BIGINT NOT NULL,
    at_ms BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, document_id, step)
) /*sqlite WITHOUT ROWID*/;

CREATE TABLE coupons (
    tenant_id TEXT NOT NULL,
    code TEXT NOT NULL,
    body TEXT NOT NULL,
    redeemed BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, code)
) /*sqlite WITHOUT ROWID*/;

-- One row a customer and supplier and currency: whoever decides about credit holds it. `limit_minor` NULL: the grade's.
-- `state`: active, suspended (too much is overdue; ends by itself), stopped (by a person).
CREATE TABLE credit_lines (
    tenant_id TEXT NOT NULL,
    supplier_id TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    currency TEXT NOT NULL,
    score BIGINT NOT NULL,
    limit_minor BIGINT,
    state TEXT NOT NULL,
    reason TEXT NOT NULL,
    receivable_minor BIGINT NOT NULL,
    unbilled_minor BIGINT NOT NULL,
    accrued_minor BIGINT NOT NULL,
    changed_ms BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, supplier_id, customer_id, currency)
) /*sqlite WITHOUT ROWID*/;

-- A decision for a draw that has not happened yet. `state`: open, used, void; one past `expires_ms` holds nothing.
CREATE TABLE credit_reservations (
    tenant_id TEXT NOT NULL,
    reservation_id TEXT NOT NULL,
    agreement_id TEXT NOT NULL,
    supplier_id TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    currency TEXT NOT NULL,
    device_id TEXT NOT NULL,
    intent TEXT NOT NULL,
    minor BIGINT NOT NULL,
    state TEXT NOT NULL,
    at_ms BIGINT NOT NULL,
    expires_ms BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, reservation_id)
) /*sqlite WITHOUT ROWID*/;

CREATE INDEX credit_reserved ON credit_reservations (tenant_id, supplier_id, customer_id, currency) WHERE state = 'open';
CREATE UNIQUE INDEX credit_intents ON credit_reservations (tenant_id, device_id, intent) WHERE intent <> '';

-- What draws owe until a statement bills them: one row a leaf that drew or gave back.
CREATE TABLE credit_draws (
    tenant_id TEXT NOT NULL,
    agreement_id TEXT NOT NULL,
    device_id TEXT NOT NULL,
    log_no BIGINT NOT NULL,
    idx BIGINT NOT NULL,
    item_id TEXT NOT NULL,
    minor BIGINT NOT NULL,
    at_ms BIGINT NOT NULL,
    billed BIGINT NOT NULL,
    flag TEXT NOT NULL,
    PRIMARY KEY (tenant_id, agreement_id, device_id, log_no, idx, item_id)
) /*sqlite WITHOUT ROWID*/;

-- What a gateway may still let go on its own; it counts as used.
CREATE TABLE credit_delegations (
    tenant_id TEXT NOT NULL,
    supplier_id TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    currency TEXT NOT NULL,
    gateway_id TEXT NOT NULL,
    limit_minor BIGINT NOT NULL,
    left_minor BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, supplier_id, customer_id, currency, gateway_id)
) /*sqlite WITHOUT ROWID*/;

-- The agreement whose credit a device's draws use, '' for none: read with the row that posting locks anyway.
ALTER TABLE devices ADD COLUMN credit_agreement TEXT NOT NULL DEFAULT '';
