"""A client of radiod's own for NATS: core messages, and the requests to JetStream that a cluster needs.

It knows nothing of WAMP, and of radiod only its errors: whoever puts a cluster together gives it time,
subjects, and what to do with messages. It is imported where ``[cluster]`` is configured, and nowhere else.

``wire``: bytes to messages and back, without a socket. ``subjects``: WAMP's names as NATS's. Both are pure.
``link``: one connection from its first byte to its last. ``client``: connections that follow each other,
what is subscribed, requests. ``streams``: JetStream. ADR 65 says why it is not a library.
"""
