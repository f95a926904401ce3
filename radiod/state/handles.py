"""What clients hold a handle to beside realms, as sections of a state.

Cookies, keys of requests that were answered, signatures that came, what signs listen tokens; and what waits
to be sent to webhooks. Each is written as it is held: cookies as hashes; the secret of tokens as it is, since
without it no token is good.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, Protocol

import msgspec
from msgspec import Struct

from radiod.auth.cookie import CookieJar
from radiod.auth.replays import Replays
from radiod.auth.tokens import Tokens
from radiod.core.budgets.idempotency import Answers, Kept, Remembered
from radiod.core.rights import Principal
from radiod.core.timers import Clock
from radiod.state.format import Section
from radiod.state.sections import sections
from radiod.webhooks.waiting import Letter
from radiod.wire.answer import Answer

__all__ = ["Admission", "Handles", "HandlesState", "handle_sections"]

COOKIE: Final = b"cook"
ANSWER: Final = b"answ"
SIGNED: Final = b"sign"
TOKENS: Final = b"tokn"
LETTERS: Final = b"lett"


class Admission(Protocol):
    """Who may come back to a realm, as ``service.admission.Admission`` is."""

    @property
    def cookies(self) -> CookieJar | None:
        """Who has one; None: nobody may come back by one."""

    def returning(self, authid: str, role: str, method: str, provider: str) -> Principal | None:
        """Somebody who logged in when another process ran, with the rights of now; None: nobody any more."""


class Webhooks(Protocol):
    """What waits to be sent, as ``service.webhooks.Webhooks`` has it."""

    def kept(self) -> list[tuple[str, str, list[Letter]]]:
        """Realm, name, letters."""

    def resume(self, realm: str, name: str, letters: Iterable[Letter]) -> None:
        """Have sent what waited in another process, if there is such a webhook."""


class Handles(Protocol):
    """Where they are, as ``service.radio.Radio`` has them."""

    @property
    def clock(self) -> Clock: ...

    @property
    def admissions(self) -> Mapping[str, Admission]: ...

    @property
    def webhooks(self) -> Webhooks: ...

    answers: Answers
    replays: Replays
    tokens: Tokens


class KeptCookie(Struct, frozen=True, kw_only=True):
    """One of a realm. ``left``: seconds that it is good for; who has it: as a ``Principal`` tells it."""

    realm: str
    hashed: bytes
    left: float
    authid: str
    role: str
    method: str
    provider: str


class KeptAnswer(Struct, frozen=True, kw_only=True):
    """One request that was answered, by HTTP (``answer``), or in Centrifugo's dialect (``reply``)."""

    realm: str
    id: str
    path: str
    key: str
    digest: bytes
    size: int
    left: float
    answer: Answer | None = None
    reply: dict[str, Any] | None = None


class Signed(Struct, frozen=True):
    """The signed requests of one key: when each is stamped, and its digest."""

    key: str
    floor: float
    requests: list[tuple[float, bytes]]


class TokenSecret(Struct, frozen=True):
    """What the server signs listen tokens with."""

    secret: str


class Letters(Struct, frozen=True):
    """What waits to be sent to one webhook."""

    realm: str
    name: str
    letters: list[Letter]


class HandlesState:
    """What was read of them."""

    def __init__(self) -> None:
        self._read: dict[bytes, list[Any]] = {kind: [] for kind in _KINDS}

    def read(self, kind: bytes, body: Any) -> None:
        """One section; what is not known is skipped. Raises: MsgspecError."""
        of = _KINDS.get(kind)
        if of is not None:
            self._read[kind].append(msgspec.msgpack.decode(body, type=of))

    def restore(self, radio: Handles, away: float) -> None:
        """Have them be good again. ``away``: seconds since they were written."""
        for secret in self._read[TOKENS]:
            radio.tokens.resume(secret.secret)
        for one in self._read[SIGNED]:
            radio.replays.resume(one.key, one.floor, one.requests)
        now = radio.clock.seconds()
        for one in self._read[ANSWER]:
            kept = Kept(one.digest, one.reply if one.answer is None else one.answer, one.size, now)
            kept.until += one.left - away
            radio.answers.resume(Remembered((one.realm, one.id), one.path, one.key, kept))
        for one in self._read[COOKIE]:
            _resume_cookie(radio.admissions.get(one.realm), one, away)
        for one in self._read[LETTERS]:
            radio.webhooks.resume(one.realm, one.name, one.letters)


_KINDS: Final = {
    COOKIE: KeptCookie,
    ANSWER: KeptAnswer,
    SIGNED: Signed,
    TOKENS: TokenSecret,
    LETTERS: Letters,
}


def _resume_cookie(admission: Admission | None, one: KeptCookie, away: float) -> None:
    jar = None if admission is None else admission.cookies
    if admission is not None and jar is not None:
        principal = admission.returning(one.authid, one.role, one.method, one.provider)
        if principal is not None:
            jar.resume(one.hashed, principal, one.left - away)


def handle_sections(radio: Handles) -> Iterator[Section]:
    """All of them."""
    secret = radio.tokens.secret
    yield from sections(TOKENS, [] if secret is None else [TokenSecret(secret)])
    yield from sections(SIGNED, (Signed(*one) for one in radio.replays.kept()))
    yield from sections(ANSWER, _answers(radio.answers, radio.clock.seconds()))
    yield from sections(LETTERS, (Letters(*one) for one in radio.webhooks.kept() if one[-1]))
    for name, admission in radio.admissions.items():
        if admission.cookies is not None:
            yield from sections(COOKIE, _cookies(name, admission.cookies))


def _answers(answers: Answers, now: float) -> Iterator[KeptAnswer]:
    for one in answers:
        # As ``web.repeats`` has it: whoever asks by HTTP.
        holder: Any = one.holder
        realm, id = holder
        answer = one.kept.answer
        yield KeptAnswer(
            realm=realm,
            id=id,
            path=one.path,
            key=one.key,
            digest=one.kept.digest,
            size=one.kept.size,
            left=one.kept.until - now,
            answer=answer if isinstance(answer, Answer) else None,
            reply=answer if isinstance(answer, dict) else None,
        )


def _cookies(realm: str, jar: CookieJar) -> Iterator[KeptCookie]:
    for hashed, principal, left in jar.kept():
        yield KeptCookie(
            realm=realm,
            hashed=hashed,
            left=left,
            authid=principal.authid,
            role=principal.authrole,
            method=principal.authmethod,
            provider=principal.authprovider,
        )
