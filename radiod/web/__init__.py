"""HTTP: publishing, listening, the list of channels, and the live page."""
