"""Access on several nodes: what one of them is told holds on all. Imported only by nodes of a cluster."""
