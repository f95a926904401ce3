"""What sends, against a receiver of Python's own on the loopback interface."""

import ssl

import pytest
import pytest_twisted
from support.receivers import receiver
from support.running import free_port
from support.tls import certificate
from twisted.internet.defer import CancelledError
from twisted.internet.threads import deferToThread

from radiod import __version__
from radiod.transport.clock import ReactorClock
from radiod.webhooks.schedule import Outcome
from radiod.webhooks.sending import MAX_ANSWER, TIMEOUT_S, HttpSender

HEADERS = {"webhook-id": "msg_1"}
BODY = b'{"x":"\xc3\xa9"}'


class World:
    def __init__(self, reactor, to):
        self.to = to
        self.reactor = reactor
        self.made = []
        self.clock = ReactorClock(reactor)

    def sender(self, url=None, **options):
        made = HttpSender(self.reactor, url or self.to.url, self.clock, self.clock.timers, **options)
        self.made.append(made)
        return made

    async def post(self, **options):
        return await self.sender(**options).post(HEADERS, BODY)

    async def answer(self, status, body=b"", *, sender=None, **headers):
        self.to.status, self.to.body, self.to.headers = status, body, headers
        return await (sender or self.sender()).post(HEADERS, BODY)

    @property
    def requests(self):
        return self.to.requests.qsize()


@pytest_twisted.async_yield_fixture
async def world():
    from twisted.internet import reactor

    with receiver() as to:
        made = World(reactor, to)
        yield made
        assert len(made.clock.timers) == 0
        for sender in made.made:
            sender.close()
        made.clock.stop()


def test_a_receiver_has_fifteen_seconds():
    assert TIMEOUT_S == 15


@pytest_twisted.ensureDeferred
async def test_a_body_is_posted_as_it_is(world):
    assert await world.post() == Outcome(204, "status 204")
    request = world.to.next()
    assert (request.path, request.body) == ("/hook", BODY)
    assert request.headers["content-type"] == "application/json"
    assert request.headers["user-agent"] == f"radiod/{__version__}"
    assert request.headers["webhook-id"] == "msg_1"
    assert request.headers["content-length"] == str(len(BODY))


@pytest_twisted.ensureDeferred
async def test_a_connection_is_used_again_and_cookies_are_not_kept(world):
    sender = world.sender()
    for _ in range(3):
        await world.answer(200, b"thanks", sender=sender, **{"Set-Cookie": "a=b"})
    first, *others = [world.to.next() for _ in range(3)]
    assert {other.peer for other in others} == {first.peer}
    assert "cookie" not in others[-1].headers


@pytest_twisted.ensureDeferred
async def test_a_receiver_may_have_an_address_of_ip_6(world):
    with receiver(host="::1") as to:
        url = f"http://[::1]:{to.port}/hook"
        assert await world.post(url=url) == Outcome(204, "status 204")
        assert to.next().headers["host"] == f"[::1]:{to.port}"


@pytest_twisted.ensureDeferred
async def test_redirects_are_failures_and_not_followed(world):
    for status in (301, 302, 303, 307, 308):
        outcome = await world.answer(status, Location=world.to.url)
        assert (outcome, outcome.is_delivered) == (Outcome(status, f"status {status}"), False)
    assert world.requests == 5


@pytest_twisted.ensureDeferred
async def test_retry_after_is_read(world):
    outcome = await world.answer(503, **{"Retry-After": "120"})
    assert outcome == Outcome(503, "status 503", 120.0)


@pytest_twisted.ensureDeferred
async def test_a_receiver_that_is_silent_is_left(world):
    world.to.is_silent = True
    assert await world.post(timeout_s=0.2) == Outcome(None, "no answer in time")


@pytest_twisted.ensureDeferred
async def test_an_answer_whose_end_does_not_come_counts_by_its_status(world):
    world.to.is_slow = True
    world.to.status = 200
    assert await world.post(timeout_s=0.2) == Outcome(200, "status 200")


@pytest_twisted.ensureDeferred
async def test_of_a_long_answer_not_much_is_read(world):
    world.to.is_slow = True
    world.to.status, world.to.body = 200, b"x" * (4 * MAX_ANSWER)
    # Long before its time is over.
    assert await world.post(timeout_s=3600.0) == Outcome(200, "status 200")


@pytest_twisted.ensureDeferred
async def test_a_receiver_that_is_not_there_is_named_by_the_error_alone(world):
    outcome = await world.post(url=f"http://127.0.0.1:{free_port()}/?secret")
    assert outcome == Outcome(None, "ConnectionRefusedError")


@pytest_twisted.ensureDeferred
async def test_a_receiver_that_hangs_up_is_a_failure(world):
    world.to.is_silent = True
    world.to.release.set()
    outcome = await world.post()
    assert (outcome.status, outcome.why) in [(None, "ConnectionDone"), (None, "ConnectionLost")]


@pytest_twisted.ensureDeferred
async def test_what_is_canceled_ends(world):
    world.to.is_silent = True
    asking = world.sender().post(HEADERS, BODY)
    await deferToThread(world.to.next)
    asking.cancel()
    with pytest.raises(CancelledError):
        await asking


@pytest_twisted.ensureDeferred
async def test_https_needs_a_certificate_that_somebody_vouches_for(world, tmp_path):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate(tmp_path))
    with receiver(context) as to:
        outcome = await world.post(url=to.url)
        assert (outcome.status, outcome.why) == (None, "TLS: certificate verify failed")
        assert to.requests.empty()
