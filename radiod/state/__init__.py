"""What outlives a restart and is in no store: written when the server stops, read once by the next."""
