-- Parties, goods, stock, meters, agreements, statements. Quantities are millionths of their unit ("micro"), as integers:
-- a float can lose a piece and SQLite sums anything else as a float. tenant_id comes first in every key.

CREATE TABLE parties (
    tenant_id TEXT NOT NULL,
    party_id TEXT NOT NULL,
    name TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, party_id)
) /*sqlite WITHOUT ROWID*/;

CREATE TABLE sites (
    tenant_id TEXT NOT NULL,
    site_id TEXT NOT NULL,
    name TEXT NOT NULL,
    party_id TEXT NOT NULL,
    zone TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, site_id)
) /*sqlite WITHOUT ROWID*/;

-- `pack`: how many units come in one package; orders are whole packages.
CREATE TABLE items (
    tenant_id TEXT NOT NULL,
    item_id TEXT NOT NULL,
    name TEXT NOT NULL,
    sku TEXT NOT NULL,
    unit TEXT NOT NULL,
    pack BIGINT NOT NULL,
    created_ms BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, item_id)
) /*sqlite WITHOUT ROWID*/;

-- Every version a cabinet's planogram ever had, and its newest one by slot.
CREATE TABLE planograms (
    tenant_id TEXT NOT NULL,
    device_id TEXT NOT NULL,
    version BIGINT NOT NULL,
    body TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, device_id, version)
) /*sqlite WITHOUT ROWID*/;

CREATE TABLE planogram_slots (
    tenant_id TEXT NOT NULL,
    device_id TEXT NOT NULL,
    slot TEXT NOT NULL,
    item_id TEXT NOT NULL,
    capacity BIGINT NOT NULL,
    min_level BIGINT NOT NULL,
    max_level BIGINT NOT NULL,
    confirm TEXT NOT NULL,
    version BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, device_id, slot)
) /*sqlite WITHOUT ROWID*/;

CREATE TABLE badges (
    tenant_id TEXT NOT NULL,
    gateway_id TEXT NOT NULL,
    badge TEXT NOT NULL,
    person TEXT NOT NULL,
    groups TEXT NOT NULL,
    PRIMARY KEY (tenant_id, gateway_id, badge)
) /*sqlite WITHOUT ROWID*/;

-- A move stands under the leaf that made it; `leg` counts the moves of one leaf. Slim on purpose: it is written for every
-- draw. `about_*`: the leaf of the draw that a resolution, reversal or return takes up. Places: warehouse, slot, doubtful,
-- loaned (supplier's title), consumed (customer's), variance (nobody knows).
CREATE TABLE stock_moves (
    tenant_id TEXT NOT NULL,
    device_id TEXT NOT NULL,
    log_no BIGINT NOT NULL,
    idx BIGINT NOT NULL,
    leg BIGINT NOT NULL,
    slot TEXT NOT NULL,
    item_id TEXT NOT NULL,
    micro BIGINT NOT NULL,
    unit TEXT NOT NULL,
    source TEXT NOT NULL,
    target TEXT NOT NULL,
    reason TEXT NOT NULL,
    at_ms BIGINT NOT NULL,
    about_log_no BIGINT,
    about_idx BIGINT,
    PRIMARY KEY (tenant_id, device_id, log_no, idx, leg)
) /*sqlite WITHOUT ROWID*/;

CREATE INDEX stock_moves_about ON stock_moves (tenant_id, device_id, about_log_no, about_idx) WHERE about_idx IS NOT NULL;

-- `counted_log_no`, `counted_idx`: the leaf after which the slot was last counted, -1 for never.
CREATE TABLE stock_balances (
    tenant_id TEXT NOT NULL,
    device_id TEXT NOT NULL,
    slot TEXT NOT NULL,
    item_id TEXT NOT NULL,
    place TEXT NOT NULL,
    micro BIGINT NOT NULL,
    unit TEXT NOT NULL,
    counted_log_no BIGINT NOT NULL,
    counted_idx BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, device_id, slot, item_id, place)
) /*sqlite WITHOUT ROWID*/ /*postgresql WITH (fillfactor = 70)*/;

-- What a person should look at: a fact that does not fit the books. The fact itself stands.
CREATE TABLE discrepancies (
    tenant_id TEXT NOT NULL,
    device_id TEXT NOT NULL,
    log_id TEXT NOT NULL,
    idx BIGINT NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    facts TEXT NOT NULL,
    at_ms BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, device_id, log_id, idx, kind)
) /*sqlite WITHOUT ROWID*/;

-- `order_id` follows from the leaf that caused it, so a replay proposes nothing twice.
CREATE TABLE orders (
    tenant_id TEXT NOT NULL,
    order_id TEXT NOT NULL,
    device_id TEXT NOT NULL,
    slot TEXT NOT NULL,
    item_id TEXT NOT NULL,
    state TEXT NOT NULL,
    quantity BIGINT NOT NULL,
    unit TEXT NOT NULL,
    reason TEXT NOT NULL,
    facts TEXT NOT NULL,
    log_id TEXT NOT NULL,
    idx BIGINT NOT NULL,
    proposed_ms BIGINT NOT NULL,
    changed_ms BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, order_id)
) /*sqlite WITHOUT ROWID*/;

CREATE UNIQUE INDEX orders_open ON orders (tenant_id, device_id, slot) WHERE state IN ('proposed', 'ordered');

-- What agreements declare of a register; texts in kWh and kW, '' for not declared.
CREATE TABLE meter_rules (
    tenant_id TEXT NOT NULL,
    device_id TEXT NOT NULL,
    register TEXT NOT NULL,
    modulus TEXT NOT NULL,
    max_kw TEXT NOT NULL,
    PRIMARY KEY (tenant_id, device_id, register)
) /*sqlite WITHOUT ROWID*/;

-- The last good reading of every register, for the live view; bills are worked out from the leaves.
CREATE TABLE meter_registers (
    tenant_id TEXT NOT NULL,
    device_id TEXT NOT NULL,
    register TEXT NOT NULL,
    value BIGINT NOT NULL,
    scale BIGINT NOT NULL,
    unit TEXT NOT NULL,
    at_ms BIGINT NOT NULL,
    log_id TEXT NOT NULL,
    idx BIGINT NOT NULL,
    number TEXT NOT NULL,
    exchanged BIGINT NOT NULL,
    held BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, device_id, register)
) /*sqlite WITHOUT ROWID*/ /*postgresql WITH (fillfactor = 70)*/;

CREATE TABLE agreements (
    tenant_id TEXT NOT NULL,
    agreement_id TEXT NOT NULL,
    supplier_id TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    currency TEXT NOT NULL,
    zone TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, agreement_id)
) /*sqlite WITHOUT ROWID*/;

CREATE TABLE agreement_versions (
    tenant_id TEXT NOT NULL,
    agreement_id TEXT NOT NULL,
    version BIGINT NOT NULL,
    first TEXT NOT NULL,
    terms TEXT NOT NULL,
    terms_hash TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, agreement_id, version)
) /*sqlite WITHOUT ROWID*/;

-- Which agreement a device is under, `[first, ends)` in local days ('' = open): a device is never under two at once.
CREATE TABLE agreement_devices (
    tenant_id TEXT NOT NULL,
    device_id TEXT NOT NULL,
    agreement_id TEXT NOT NULL,
    first TEXT NOT NULL,
    ends TEXT NOT NULL,
    PRIMARY KEY (tenant_id, device_id, agreement_id)
) /*sqlite WITHOUT ROWID*/;

-- Closed for good. `number` has no gaps within an agreement; `body` is the statement as it was hashed and signed.
CREATE TABLE statements (
    tenant_id TEXT NOT NULL,
    agreement_id TEXT NOT NULL,
    number BIGINT NOT NULL,
    statement_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    revision BIGINT NOT NULL,
    period_first TEXT NOT NULL,
    period_end TEXT NOT NULL,
    total TEXT NOT NULL,
    currency TEXT NOT NULL,
    hash TEXT NOT NULL,
    body TEXT NOT NULL,
    cutoff_ms BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, agreement_id, number),
    UNIQUE (tenant_id, statement_id),
    UNIQUE (tenant_id, agreement_id, period_first, period_end, kind, revision)
) /*sqlite WITHOUT ROWID*/;
