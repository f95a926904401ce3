"""What NATS says and is told in JSON, as structs. Unknown fields are ignored: servers tell more each year."""

from __future__ import annotations

from typing import Final

import msgspec

__all__ = [
    "UNREADABLE",
    "ApiAnswer",
    "ApiError",
    "ConnectOptions",
    "Info",
    "PubAck",
    "Purged",
    "Replica",
    "Republish",
    "StoredInJson",
    "StreamCluster",
    "StreamConfig",
    "StreamInfo",
    "StreamState",
]


UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What reading JSON raises that is none of these."""


class Info(msgspec.Struct, frozen=True, kw_only=True):
    """INFO: what a server says of itself.

    ``max_payload``: bytes of headers and payload together; 0: it named no limit. ``ldm``: lame duck mode, it
    is going away. ``nonce``: what an nkey has to sign; empty: no key is asked for.
    """

    server_id: str = ""
    server_name: str = ""
    version: str = ""
    max_payload: int = 0
    headers: bool = False
    jetstream: bool = False
    auth_required: bool = False
    tls_required: bool = False
    tls_available: bool = False
    nonce: str = ""
    ldm: bool = False
    cluster: str = ""
    client_id: int = 0


class ConnectOptions(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """CONNECT: what a client wants, and who it is. Its first fields are always written."""

    verbose: bool | None = None
    pedantic: bool | None = None
    echo: bool | None = None
    headers: bool | None = None
    no_responders: bool | None = None
    protocol: int = 0
    lang: str = ""
    version: str = ""
    name: str = ""
    tls_required: bool = False
    auth_token: str = ""
    user: str = ""
    password: str = msgspec.field(default="", name="pass")
    jwt: str = ""
    nkey: str = ""
    sig: str = ""


# --- JetStream


class ApiError(msgspec.Struct, frozen=True):
    """Why JetStream did not do it. ``code``: as of HTTP; ``err_code``: exactly what."""

    code: int = 0
    err_code: int = 0
    description: str = ""


class ApiAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What all answers have."""

    error: ApiError | None = None


class Republish(msgspec.Struct, frozen=True):
    """Stored messages go out again: those of ``src`` as ``dest``, both patterns of subjects."""

    src: str
    dest: str


class StreamConfig(msgspec.Struct, frozen=True, kw_only=True):
    """A stream, as it is made and as it is. Times in nanoseconds; -1: without a limit."""

    name: str
    subjects: list[str] = []
    retention: str = "limits"
    storage: str = "file"
    discard: str = "old"
    num_replicas: int = 1
    max_msgs_per_subject: int = -1
    max_msgs: int = -1
    max_bytes: int = -1
    max_age: int = 0
    max_msg_size: int = -1
    duplicate_window: int = 60_000_000_000
    allow_direct: bool = True
    allow_msg_ttl: bool = True
    republish: Republish | None = None


class StreamState(msgspec.Struct, frozen=True, kw_only=True):
    """What a stream holds. ``subjects``: messages of each, if it was asked for."""

    messages: int = 0
    bytes: int = 0
    first_seq: int = 0
    last_seq: int = 0
    num_subjects: int = 0
    num_deleted: int = 0
    subjects: dict[str, int] | None = None


class Replica(msgspec.Struct, frozen=True, kw_only=True):
    """One follower. ``current``: whether it has all; ``lag``: messages that it has not."""

    name: str = ""
    current: bool = False
    offline: bool = False
    active: int = 0
    lag: int = 0


class StreamCluster(msgspec.Struct, frozen=True, kw_only=True):
    """Who has a stream. ``leader``: empty: nobody leads it."""

    leader: str = ""
    replicas: list[Replica] = []


class StreamInfo(ApiAnswer, frozen=True, kw_only=True):
    """A stream. ``total``: subjects, of which ``offset`` and those behind are in ``state``."""

    config: StreamConfig | None = None
    created: str = ""
    state: StreamState = StreamState()
    cluster: StreamCluster = StreamCluster()
    total: int = 0
    offset: int = 0


class PubAck(ApiAnswer, frozen=True, kw_only=True):
    """A message is stored. ``seq``: its sequence in the stream; ``duplicate``: it was there before."""

    stream: str = ""
    seq: int = 0
    duplicate: bool = False


class StoredInJson(msgspec.Struct, frozen=True, kw_only=True):
    """One message of a stream. Bytes are base 64."""

    subject: str = ""
    seq: int = 0
    hdrs: bytes | None = None
    data: bytes = b""
    time: str = ""


class MessageAnswer(ApiAnswer, frozen=True, kw_only=True):
    """The answer of ``STREAM.MSG.GET``."""

    message: StoredInJson = StoredInJson()


class Purged(ApiAnswer, frozen=True, kw_only=True):
    """How many messages are gone."""

    purged: int = 0
