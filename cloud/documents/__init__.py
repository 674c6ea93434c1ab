"""Paper: statements and invoices as PDF, CSV and e-invoice, all from one view model."""
