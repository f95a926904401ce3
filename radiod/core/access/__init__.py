"""What is kept of accounts, plans, keys, users, usage and audit, and what keeps it."""
