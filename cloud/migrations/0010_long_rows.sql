-- SQLite alone: long rows move into tables with rowids. What one commit adds then lies on few pages, one row behind the
-- other, whichever logs it is of; and a tree whose inner pages hold whole leaves would have ten branches a page.
/*sqlite CREATE TABLE leaves_by_row (
    tenant_id TEXT NOT NULL,
    log_no BIGINT NOT NULL,
    idx BIGINT NOT NULL,
    leaf BYTEA NOT NULL,
    leaf_hash BYTEA NOT NULL,
    PRIMARY KEY (tenant_id, log_no, idx)
);
INSERT INTO leaves_by_row SELECT tenant_id, log_no, idx, leaf, leaf_hash FROM leaves ORDER BY tenant_id, log_no, idx;
DROP TABLE leaves;
ALTER TABLE leaves_by_row RENAME TO leaves;
CREATE TABLE checkpoints_by_row (
    tenant_id TEXT NOT NULL,
    log_no BIGINT NOT NULL,
    size BIGINT NOT NULL,
    old_size BIGINT NOT NULL,
    root BYTEA NOT NULL,
    frontier BYTEA NOT NULL,
    note TEXT NOT NULL,
    cosignature TEXT NOT NULL,
    cosigned_s BIGINT NOT NULL,
    quarantined BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, log_no, size)
);
INSERT INTO checkpoints_by_row SELECT tenant_id, log_no, size, old_size, root, frontier, note, cosignature, cosigned_s, quarantined FROM checkpoints;
DROP TABLE checkpoints;
ALTER TABLE checkpoints_by_row RENAME TO checkpoints;
*/
