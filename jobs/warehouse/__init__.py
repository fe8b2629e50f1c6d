"""The warehouse: where it is, how it starts, its schema, and the ledger of runs."""
