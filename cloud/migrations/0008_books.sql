-- The money ledger: double entry, append-only. Units are minor units of a currency, or millionths of a piece of goods.

-- `entry_id` names the event, so that no event is booked twice; `seq` and `hash` chain the entries of a tenant.
CREATE TABLE book_entries (
    tenant_id TEXT NOT NULL,
    entry_id TEXT NOT NULL,
    seq BIGINT NOT NULL,
    kind TEXT NOT NULL,
    on_day TEXT NOT NULL,
    at_ms BIGINT NOT NULL,
    agreement_id TEXT NOT NULL,
    text TEXT NOT NULL,
    hash TEXT NOT NULL,
    PRIMARY KEY (tenant_id, entry_id),
    UNIQUE (tenant_id, seq)
) /*sqlite WITHOUT ROWID*/;

CREATE INDEX book_entries_of_agreements ON book_entries (tenant_id, agreement_id, at_ms);

CREATE TABLE book_postings (
    tenant_id TEXT NOT NULL,
    entry_id TEXT NOT NULL,
    no BIGINT NOT NULL,
    account TEXT NOT NULL,
    commodity TEXT NOT NULL,
    units BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, entry_id, no)
) /*sqlite WITHOUT ROWID*/;

CREATE TABLE book_balances (
    tenant_id TEXT NOT NULL,
    account TEXT NOT NULL,
    commodity TEXT NOT NULL,
    units BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, account, commodity)
) /*sqlite WITHOUT ROWID*/;

-- The row a booking run holds: newest entry, its hash.
CREATE TABLE book_heads (
    tenant_id TEXT NOT NULL,
    seq BIGINT NOT NULL,
    hash TEXT NOT NULL,
    PRIMARY KEY (tenant_id)
) /*sqlite WITHOUT ROWID*/;

-- Up to which leaf a log's moves are booked.
CREATE TABLE book_marks (
    tenant_id TEXT NOT NULL,
    log_no BIGINT NOT NULL,
    idx BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, log_no)
) /*sqlite WITHOUT ROWID*/;

-- What of an agreement's income invoices have asked for, by income account.
CREATE TABLE book_billed (
    tenant_id TEXT NOT NULL,
    agreement_id TEXT NOT NULL,
    account TEXT NOT NULL,
    minor BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, agreement_id, account)
) /*sqlite WITHOUT ROWID*/;

-- Goods in a cabinet at cost: a moving average, so that value and quantity run out together.
CREATE TABLE book_stock (
    tenant_id TEXT NOT NULL,
    device_id TEXT NOT NULL,
    item_id TEXT NOT NULL,
    currency TEXT NOT NULL,
    micro BIGINT NOT NULL,
    minor BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, device_id, item_id)
) /*sqlite WITHOUT ROWID*/;

-- What a unit of an item costs us, from a UTC day on; a plain decimal text.
CREATE TABLE item_costs (
    tenant_id TEXT NOT NULL,
    item_id TEXT NOT NULL,
    first TEXT NOT NULL,
    cost TEXT NOT NULL,
    currency TEXT NOT NULL,
    PRIMARY KEY (tenant_id, item_id, first)
) /*sqlite WITHOUT ROWID*/;
