"""Listeners that speak no WAMP: plain WebSockets, HTTP streams and polls."""
