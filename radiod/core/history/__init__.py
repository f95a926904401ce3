"""What is kept of topics: events, positions, and the room that they share."""
