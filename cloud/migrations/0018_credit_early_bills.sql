-- What early bills of the open period have asked for services: it is in their invoices, so it is not unbilled as well.
ALTER TABLE credit_accruals ADD COLUMN asked_minor BIGINT NOT NULL DEFAULT 0;
