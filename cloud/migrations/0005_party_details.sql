-- What papers and e-invoices say of a party beside its name. `body`: JSON of address, tax numbers, account.
CREATE TABLE party_details (
    tenant_id TEXT NOT NULL,
    party_id TEXT NOT NULL,
    body TEXT NOT NULL,
    changed_ms BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, party_id)
) /*sqlite WITHOUT ROWID*/;
