-- The live view of registers judges by what the bill judges by: what the meter said of its register, the good reading
-- before the last one (in the last one's unit and scale), and the transformers' ratios that agreements declare.
ALTER TABLE meter_registers ADD COLUMN modulus TEXT NOT NULL DEFAULT '';
ALTER TABLE meter_registers ADD COLUMN max_kw TEXT NOT NULL DEFAULT '';
ALTER TABLE meter_registers ADD COLUMN before_value BIGINT NOT NULL DEFAULT 0;
ALTER TABLE meter_registers ADD COLUMN before_ms BIGINT NOT NULL DEFAULT 0;
ALTER TABLE meter_rules ADD COLUMN ratios TEXT NOT NULL DEFAULT '[]';

-- What a meter said of a register before that was read for the first time.
CREATE TABLE meter_facts (
    tenant_id TEXT NOT NULL,
    device_id TEXT NOT NULL,
    register TEXT NOT NULL,
    number TEXT NOT NULL,
    modulus TEXT NOT NULL,
    max_kw TEXT NOT NULL,
    PRIMARY KEY (tenant_id, device_id, register)
) /*sqlite WITHOUT ROWID*/;
