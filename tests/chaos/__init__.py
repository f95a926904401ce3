"""``make chaos``: machines and crowds that misbehave, against the real twistd, with a bystander in each.

``python -m chaos`` with ``tests`` on the path; docs/chaos.md says what is promised.
"""
