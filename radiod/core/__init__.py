"""The pure core: who listens to what, who answers which call, which channels exist.

It knows no reactor, socket, clock or file: decoded messages and time come in by method calls, decisions
leave through ``ports.Outbox``. Reading order: ``ports``, ``realm``, ``broker``, ``dealer``, ``channels``.
"""
