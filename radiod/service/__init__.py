"""The service that Twisted runs: configuration to realms, listeners and an HTTP tree."""
