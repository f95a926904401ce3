"""Webhooks: events go out as HTTP requests to other people's servers, signed by Standard Webhooks 1.0."""
