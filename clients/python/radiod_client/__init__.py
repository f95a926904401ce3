"""A client of radiod: it comes back, goes on where it was, and tells what it lost.

``Radio`` blocks; ``radiod_client.aio`` has the same names for asyncio, ``radiod_client.tx`` for Twisted.
``radiod_client.arrays`` needs NumPy.
"""

from radiod_client._blocking import Radio
from radiod_client._http import HttpPublisher
from radiod_client._version import VERSION
from radiod_client.errors import (
    CallCanceled,
    CallError,
    CallTimeout,
    ConnectFailed,
    Disconnected,
    LoginRefused,
    PublishRefused,
    RadioError,
    RemoteError,
    ServiceError,
)
from radiod_client.samples import Gap, Sample
from radiod_client.services import CurrentCall, Service, current_call

__all__ = [
    "CallCanceled",
    "CallError",
    "CallTimeout",
    "ConnectFailed",
    "CurrentCall",
    "Disconnected",
    "Gap",
    "HttpPublisher",
    "LoginRefused",
    "PublishRefused",
    "Radio",
    "RadioError",
    "RemoteError",
    "Sample",
    "Service",
    "ServiceError",
    "current_call",
]

__version__ = VERSION
