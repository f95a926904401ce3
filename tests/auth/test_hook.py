"""The hook, against a real server on the loopback interface."""

import json

import pytest
import pytest_twisted
from treq.client import HTTPClient
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.web.client import Agent
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site

from radiod.auth.dynamic import CallDirectory
from radiod.auth.hook import MAX_ANSWER, MAX_PENDING, HttpHook
from radiod.errors import QUOTA, RUNTIME_ERROR, TIMEOUT, Refused
from radiod.testing import ALLOW_ALL, FakeClock
from radiod.transport.clock import ReactorClock

QUESTION = {"method": "ticket", "authid": "jöe", "realm": "radio", "details": {"ticket": "very-secret"}}


class Service(Resource):
    """Answers with ``status`` and ``body``, or half of it, or never; keeps what it was asked."""

    isLeaf = True

    def __init__(self):
        super().__init__()
        self.status, self.body, self.headers = 200, b"null", {}
        self.is_silent = self.is_slow = False
        self.requests = []
        self.gone = Deferred()

    def render(self, request):
        self.requests.append((request.method, request.path, json.loads(request.content.read())))
        self.asked_with = request.getAllHeaders()
        request.notifyFinish().addErrback(lambda _: self.gone.called or self.gone.callback(None))
        request.setResponseCode(self.status)
        for name, value in self.headers.items():
            request.setHeader(name, value)
        if self.is_silent:
            return NOT_DONE_YET
        request.write(self.body)
        if self.is_slow:
            return NOT_DONE_YET
        request.finish()
        return NOT_DONE_YET


class World:
    def __init__(self, reactor):
        self.service = Service()
        self.clock = ReactorClock(reactor)
        self.port = reactor.listenTCP(0, Site(self.service), interface="127.0.0.1")
        self.url = f"http://127.0.0.1:{self.port.getHost().port}/auth"
        self.client = HTTPClient(Agent(reactor))

    def hook(self, **settings):
        return HttpHook(
            self.client, self.url, self.clock, self.clock.timers, **{"timeout_s": 10.0, **settings}
        )

    async def ask(self, **settings):
        came = Deferred()
        self.hook(**settings).ask(QUESTION).then(lambda outcome: came.callback([outcome]))
        (outcome,) = await came
        return outcome

    async def answer(self, status, body, **headers):
        self.service.status, self.service.body, self.service.headers = status, body, headers
        return await self.ask()


@pytest_twisted.async_yield_fixture
async def world():
    from twisted.internet import reactor

    made = World(reactor)
    yield made
    await maybeDeferred(made.port.stopListening)
    made.clock.stop()


@pytest_twisted.ensureDeferred
async def test_the_question_goes_out_as_json(world):
    await world.ask(headers={"Authorization": "Bearer x"})
    assert world.service.requests == [(b"POST", b"/auth", QUESTION)]
    assert world.service.asked_with[b"content-type"] == b"application/json"
    assert world.service.asked_with[b"authorization"] == b"Bearer x"


@pytest_twisted.ensureDeferred
async def test_an_object_or_null_is_the_answer(world):
    assert await world.answer(200, '{"role": "é"}'.encode()) == {"role": "é"}
    assert await world.answer(200, b"{}") == {}
    assert await world.answer(200, b" null ") is None


@pytest_twisted.ensureDeferred
async def test_403_and_404_say_that_there_is_nobody(world):
    for status in (403, 404):
        assert await world.answer(status, b"<html>") is None


@pytest_twisted.ensureDeferred
async def test_other_statuses_are_errors_and_redirects_are_not_followed(world):
    for status in (201, 204, 301, 302, 307, 308, 400, 401, 500, 503):
        error = await world.answer(status, b"" if status == 204 else b"null", location=world.url.encode())
        assert (error.uri, error.text) == (RUNTIME_ERROR, f"the hook answered with status {status}")
    assert len(world.service.requests) == 10


@pytest_twisted.ensureDeferred
async def test_what_is_no_json_object_is_an_error(world):
    deep = b'{"a":' * 9000 + b"1" + b"}" * 9000
    for body in (b"", b"[]", b"1", b"true", b'"x"', b"{", b'{"a": NaN}', b"\xff", b'{"a": "\xff"}', deep):
        error = await world.answer(200, body)
        assert isinstance(error, Refused), body
        assert error.text == "the hook's answer is no JSON object and not null"


@pytest_twisted.ensureDeferred
async def test_an_answer_may_have_64_kib_and_no_more(world):
    body = b'{"a": "' + b"x" * (MAX_ANSWER - 9) + b'"}'
    assert len(body) == MAX_ANSWER
    assert len((await world.answer(200, body))["a"]) == MAX_ANSWER - 9
    world.service.is_slow = True  # the end never comes, and need not
    error = await world.answer(200, body + b" ")
    assert error.text == f"the hook's answer has over {MAX_ANSWER} bytes"
    await world.service.gone


@pytest.mark.parametrize("way", ["is_silent", "is_slow"])
@pytest_twisted.ensureDeferred
async def test_a_service_that_takes_its_time_is_left(world, way):
    setattr(world.service, way, True)
    error = await world.ask(timeout_s=0.1)
    assert (error.uri, error.text) == (TIMEOUT, "the hook did not answer in time")
    await world.service.gone
    assert len(world.clock.timers) == 0


@pytest_twisted.ensureDeferred
async def test_a_service_that_is_not_there_is_an_error_that_tells_nothing(world):
    await world.port.stopListening()
    error = await world.ask()
    assert (error.uri, error.text) == (RUNTIME_ERROR, "the hook cannot be asked: ConnectionRefusedError")
    assert len(world.clock.timers) == 0


@pytest_twisted.ensureDeferred
async def test_a_directory_can_ask_it(world):
    world.service.body = b'{"role": "member", "authid": "joseph"}'
    directory = CallDirectory(
        world.hook().ask, "radio", {"member": ALLOW_ALL}, world.clock, world.clock.timers
    )
    came = Deferred()
    directory.find("ticket", "joe", {"ticket": "t"}).then(came.callback)
    user = await came
    assert (user.authid, user.ticket) == ("joseph", None)
    assert world.service.requests[0][2] == {
        "method": "ticket",
        "authid": "joe",
        "realm": "radio",
        "details": {"ticket": "t"},
    }


@pytest_twisted.ensureDeferred
async def test_questions_that_wait_are_bounded(world):
    class Silent:
        """A client whose requests end when they are cancelled."""

        async def post(self, *_args, **_kwargs):
            await Deferred()

    clock = FakeClock()
    hook = HttpHook(Silent(), world.url, clock, clock.timers, timeout_s=5.0)
    outcomes = []
    for _ in range(MAX_PENDING):
        hook.ask(QUESTION).then(outcomes.append)
    with pytest.raises(Refused) as refusal:
        hook.ask(QUESTION)
    assert refusal.value.uri == QUOTA
    clock.advance(5.1)
    assert [outcome.uri for outcome in outcomes] == [TIMEOUT] * MAX_PENDING
    hook.ask(QUESTION)
