"""Channels: which there are, who may use them, who writes, who listens."""
