"""The pages' SQL: their own tickets, and what a page reads across the ledgers in few statements."""
