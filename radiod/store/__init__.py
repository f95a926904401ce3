"""What outlives the process: durable channels and their history, in one SQLite file."""
