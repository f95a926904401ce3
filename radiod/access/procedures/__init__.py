"""``radiod.admin.*``: what changes access, and tells of it."""
