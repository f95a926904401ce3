"""Several nodes as one router: what a realm does otherwise when other nodes serve it, too (ADR 64)."""
