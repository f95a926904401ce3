"""WAMP's broker: subscriptions, publishing, and going on where a subscriber left off."""
