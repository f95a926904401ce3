"""A client of radiod: it comes back, goes on where it was, and tells what it lost.

``Radio`` blocks; ``radiod_client.aio`` has the same names for asyncio, ``radiod_client.tx`` for Twisted.
``radiod_client.arrays`` needs NumPy.
"""

from radiod_client._blocking import Radio
from radiod_client._version import VERSION
from radiod_client.errors import (
    CallCanceled,
    CallError,
    CallTimeout,
    ConnectFailed,
    Disconnected,
    LoginRefused,
    RadioError,
    RemoteError,
)
from radiod_client.samples import Gap, Sample

__all__ = [
    "CallCanceled",
    "CallError",
    "CallTimeout",
    "ConnectFailed",
    "Disconnected",
    "Gap",
    "LoginRefused",
    "Radio",
    "RadioError",
    "RemoteError",
    "Sample",
]

__version__ = VERSION
