"""Several nodes and their NATS servers, killed, paused, cut off and restarted under load; all is counted.

docs/cluster.md has the table, docs/chaos.md what must hold.
"""
