"""The cloud: receives the gateways' logs, cosigns them, and keeps the ledgers that follow from their records."""
