"""What several test modules share: wires in memory, and real servers."""
