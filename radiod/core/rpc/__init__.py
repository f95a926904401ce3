"""WAMP's dealer: registrations, calls, and the calls that the router makes itself."""
