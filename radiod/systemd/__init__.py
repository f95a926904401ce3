"""What systemd is told of the server: that it is ready, how it does, that its loop turns."""
