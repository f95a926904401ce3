"""Centrifugo's server API, for programs that were written for it."""
