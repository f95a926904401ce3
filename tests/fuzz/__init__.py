"""``make fuzz``: hostile input of every kind against the real twistd, and an oracle behind it.

``python -m fuzz`` with ``tests`` on the path; docs/fuzzing.md says what is checked.
Clients are this package's own: nothing of radiod makes the bytes, and no client library refuses any.
"""
