"""WebSockets: the handshake, and connections after it."""
