"""Where radiod listens: from an endpoint's description to an open port, and to what is said of it.

Descriptions are Twisted's (``tcp:8080``, ``ssl:443:privateKey=key.pem``). Every mistake in one is an
``EndpointError`` of one line.
"""

from radiod.endpoints.addresses import address
from radiod.endpoints.bound import BoundPort
from radiod.endpoints.descriptions import EndpointError
from radiod.endpoints.listening import listen

__all__ = ["BoundPort", "EndpointError", "address", "listen"]
