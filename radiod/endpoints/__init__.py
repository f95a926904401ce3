"""Where radiod listens: from an endpoint's description to an open port, and to what is said of it.

Descriptions are Twisted's (``tcp:8080``, ``ssl:443:privateKey=key.pem``). Every mistake in one is an
``EndpointError`` of one line.
"""

from radiod.endpoints.addresses import address, not_after
from radiod.endpoints.bound import BoundPort
from radiod.endpoints.certificates import Certificates, FixedCertificates, end_of_certificate
from radiod.endpoints.descriptions import EndpointError
from radiod.endpoints.listening import examine, listen

__all__ = [
    "BoundPort",
    "Certificates",
    "EndpointError",
    "FixedCertificates",
    "address",
    "end_of_certificate",
    "examine",
    "listen",
    "not_after",
]
