"""Dynamic authorization: a procedure that a client registered decides what a role may do.

It is called as Crossbar.io calls its authorizers, with the session's details, the URI, the action and the
message's options, and answers true, false or ``{allow, disclose, cache, trustlevel}``. Whatever else it
answers, or when it does not answer at all, the session's request is refused with
``wamp.error.authorization_failed``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct, structs

from radiod.auth.roles import ADMIN, DENIED
from radiod.core.budgets.addresses import network_of_peer
from radiod.core.budgets.seats import Seat, Seats
from radiod.core.promises import Promise, chain
from radiod.core.rates import RateLimit
from radiod.core.rights import Action, Actor, Disclose, Verdict
from radiod.core.sessions.session import describe_session
from radiod.core.timers import Clock
from radiod.errors import AUTHORIZATION_FAILED, RadiodError, Refused
from radiod.wire.options import Options

__all__ = ["Authorizer"]


Question = tuple[int, Action, str, bool, str]
"""Session id, action, match policy, ``force_reregister``, URI."""


class Answer(Struct, frozen=True):
    """What an authorizer may say besides true and false.

    ``disclose``: true reveals who acts, whatever is asked; ``cache``: the same question of the same session
    need not be asked again for a while.
    """

    allow: bool
    disclose: bool = False
    cache: bool = False
    trustlevel: Annotated[int, Meta(ge=0, le=2**53)] | None = None


class Authorizer:
    """``Permissions`` of a role whose rights somebody else decides.

    Pattern-based subscriptions are decided once, with the pattern and its match policy in the options; their
    events are not asked about. Without a session there is nobody to ask about: listeners that speak no WAMP
    are not admitted under such a role. Nobody is asked about ``radiod.admin.*`` either: no answer gives the
    right to give rights.

    Args:
        ask: calls the procedure with these arguments; settles with its first result, or an error.
        clock: for the age of remembered decisions.
        cache_s: seconds for which a decision holds that may be remembered; 0: none is.
        max_cache: decisions remembered; the oldest make room.
        complain: takes one line for the log when the authorizer fails.
        seats: for questions that wait for their answers.
        may_hold_publishers, rate_limit: as ``Permissions`` has them; nobody is asked about these.
    """

    def __init__(
        self,
        ask: Callable[[dict[str, Any], str, str, dict[str, Any]], Promise[Any]],
        clock: Clock,
        *,
        cache_s: float,
        max_cache: int,
        complain: Callable[[str], None],
        seats: Seats,
        may_hold_publishers: bool = True,
        rate_limit: RateLimit | None = None,
    ) -> None:
        self.rate_limit = rate_limit
        self.may_hold_publishers = may_hold_publishers
        self._ask = ask
        self._clock = clock
        self._cache_s = cache_s
        self._max_cache = max_cache
        self._complain = complain
        self._seats = seats
        # question -> decision, and until when it holds (monotonic seconds)
        self._cache: dict[Question, tuple[Verdict, float]] = {}

    def become(self, other: Authorizer) -> None:
        """Decide as ``other`` from now on; what was decided before is asked again."""
        self.rate_limit = other.rate_limit
        self.may_hold_publishers = other.may_hold_publishers
        self._ask = other._ask
        self._cache_s = other._cache_s
        self._max_cache = other._max_cache
        self._cache.clear()

    def decide(self, actor: Actor, action: Action, uri: str, options: Options) -> Verdict | Promise[Verdict]:
        """As ``Permissions.decide``: at once if it is remembered, else later.

        Raises: Refused: ``quota``: too many questions wait, of this role and address, or at all.
        """
        if action is Action.CALL and uri.startswith(ADMIN):
            return DENIED
        key = (
            actor.id,
            action,
            getattr(options, "match", "exact"),
            getattr(options, "force_reregister", False),
            uri,
        )
        remembered = self._cache.get(key)
        if remembered is not None:
            verdict, until = remembered
            if self._clock.seconds() < until:
                return verdict
            del self._cache[key]
        told: Promise[Answer] = Promise()
        seat = self._take_seat(actor)

        def settle(outcome: Any) -> None:
            seat.leave()
            told.settle(self._checked(outcome, uri))

        self._ask(describe_session(actor), uri, action.value, _plain(options)).then(settle)

        def conclude(answer: Answer) -> Verdict:
            return self._conclude(key, answer)

        return chain(told, conclude)

    def _take_seat(self, actor: Actor) -> Seat:
        principal = actor.principal
        network = network_of_peer(actor.outlet.peer) if actor.outlet is not None else None
        return self._seats.take(network and (principal.authrole, network), is_stranger=principal.is_anonymous)

    def _checked(self, outcome: Any, uri: str) -> Answer | Refused:
        try:
            if isinstance(outcome, RadiodError):
                raise ValueError(outcome.text)
            return Answer(outcome) if isinstance(outcome, bool) else msgspec.convert(outcome, Answer)
        except ValueError as error:
            self._complain(f"the authorizer failed on {uri!r}: {error}")
            return Refused(AUTHORIZATION_FAILED, f"the right to use {uri!r} could not be found out")

    def _conclude(self, key: Question, answer: Answer) -> Verdict:
        disclose = Disclose.ALWAYS if answer.disclose else Disclose.ASKED
        verdict = Verdict(
            is_allowed=answer.allow,
            disclose=disclose,
            trustlevel=answer.trustlevel,
            # It was asked with the option.
            may_take_over=answer.allow,
        )
        if answer.cache and self._cache_s > 0:
            if len(self._cache) >= self._max_cache:
                del self._cache[next(iter(self._cache))]
            self._cache[key] = verdict, self._clock.seconds() + self._cache_s
        return verdict

    def allows(self, action: Action, uri: str) -> bool:
        """False: nothing is known at once."""
        return False

    def hides(self, topic: str) -> bool:
        """False: who was allowed a pattern gets its events."""
        return False

    def hides_procedure(self, procedure: str) -> bool:
        """Only of what nobody is asked about is anything known at once."""
        return procedure.startswith(ADMIN)

    def may_act_on_others(self, procedure: str) -> bool:
        """False: nothing is known at once."""
        return False


PRIVATE: Final = "_radiod_"
"""Beginning of radiod's own options. One is a key, and of others the values are not checked yet."""


def _plain(options: Options) -> dict[str, Any]:
    """The options of WAMP that differ from their defaults, as the message had them."""
    return {
        option.encode_name: value
        for option in structs.fields(options)
        if not option.encode_name.startswith(PRIVATE)
        and (value := getattr(options, option.name)) != option.default
    }
