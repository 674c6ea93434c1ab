-- What arrived of a source since a statement was closed, without reading what others sent.
CREATE INDEX counted_events_by_arrival ON counted_events (tenant_id, source, serial);
