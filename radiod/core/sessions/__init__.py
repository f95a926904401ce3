"""Who is there, and what the router asks of the connection behind a session."""
