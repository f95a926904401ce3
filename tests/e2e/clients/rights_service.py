"""A stock Autobahn|Python client that decides who may come in and what guests may do.

rights_service.py PORT
"""

from __future__ import annotations

import sys
from typing import Any

from autobahn.twisted.component import Component, run

ANN = {"role": "member", "secret": "anns-password", "salt": "salt", "iterations": 100, "keylen": 32}

service = Component(
    transports=f"ws://127.0.0.1:{sys.argv[1]}/ws",
    realm="radio",
    authentication={"ticket": {"authid": "service", "ticket": "service-ticket"}},
)


def authorize(details: dict[str, Any], uri: str, action: str, options: dict[str, Any]) -> bool:
    """Guests may do anything under "open.", and create channels there."""
    return details["authrole"] == "guest" and (uri.startswith("open.") or uri == "radiod.channel.create")


def authenticate(question: dict[str, Any]) -> dict[str, Any] | None:
    """Ann logs in with a password or a ticket."""
    if question["method"] == "ticket":
        return {"role": "member"} if question["details"]["ticket"] == "anns-ticket" else None
    return ANN if question["authid"] == "ann" else None


@service.on_join
async def joined(session: Any, details: Any) -> None:
    """Offer both."""
    await session.register(authorize, "com.example.authorize")
    await session.register(authenticate, "com.example.authenticate")
    print("registered", flush=True)


run([service])
