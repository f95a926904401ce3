"""One realm: what each message does, in which order, and what others are told of it."""
