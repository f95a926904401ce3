"""Sockets: one listening port, the protocols behind it, and the way out of the core to many connections."""
