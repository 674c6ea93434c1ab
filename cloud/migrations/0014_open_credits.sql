-- Credit notes with a rest, found without reading everything that a customer still has to pay.
CREATE INDEX documents_with_credit ON documents (tenant_id, customer_id, currency, due_on, document_id) WHERE open_minor < 0;
