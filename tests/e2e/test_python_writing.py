"""Writers, streams, passwords and doubts of the Python client against the real server, in both faces."""

import asyncio
import threading
import time

import pytest
from radiod_client import CallError, Disconnected, LoginRefused, Radio, aio
from support.config import configuration
from support.python_clients import SECONDS, cut, run, wait_for
from support.running import radiod

from radiod.auth.scram import make_scram

pytestmark = pytest.mark.e2e


def user(name, password, kdf, **cost):
    made = make_scram(password, kdf, b"salt of " + name.encode(), **cost)
    memory = "" if made.memory is None else f"memory = {made.memory}, "
    keys = f'stored_key = "{made.stored_key.hex()}", server_key = "{made.server_key.hex()}"'
    return f"""
[realms.radio.users.{name}]
role = "open"
scram = {{ kdf = "{kdf}", salt = "{made.salt.hex()}", iterations = {made.iterations}, {memory}{keys} }}
"""


USERS = user("paul", "pass wörd", "pbkdf2", iterations=100) + user(
    "argo", "pass wörd", "argon2id13", iterations=2, memory=64
)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    text = configuration(USERS + "[realms.radio.channels.kept]\nhistory = { size = 1000 }", demand_hold_s=0.1)
    with radiod(tmp_path_factory.mktemp("writing"), text) as server:
        yield server


@pytest.fixture
def radio(server):
    with Radio(server.url, timeout=SECONDS) as radio:
        yield radio


@pytest.fixture
def other(server):
    with Radio(server.url, timeout=SECONDS) as radio:
        yield radio


class TestWriting:
    def test_only_while_somebody_listens(self, radio, other):
        with radio.channel("wanted").writer() as writer:
            assert (writer.wanted, writer.readers, writer.put(0)) == (False, 0, False)
            assert writer.wait_wanted(0.01) is False
            with other.channel("wanted").listen() as listening:
                assert writer.wait_wanted(SECONDS) is True
                assert writer.readers == 1
                assert writer.put(1) is True
                assert listening.get(SECONDS).data == 1
            wait_for(lambda: not writer.wanted)
            assert writer.put(2) is False

    def test_put_can_wait(self, radio, other):
        done = threading.Event()
        with radio.channel("waited").writer() as writer:
            thread = threading.Thread(target=lambda: (writer.put(1, wait=True), done.set()))
            thread.start()
            assert not done.wait(0.05)
            with other.channel("waited").listen() as listening:
                assert listening.get(SECONDS).data == 1
            thread.join(SECONDS)
        assert done.is_set()

    def test_it_outlives_a_cut(self, radio, other):
        with radio.channel("lasting").writer() as writer:
            cut(radio)
            listening = other.channel("lasting").listen()
            assert writer.wait_wanted(SECONDS)
            cut(radio)
            assert writer.put(1)
            assert listening.get(SECONDS).data == 1
            listening.close()
            wait_for(lambda: not writer.wanted)

    def test_closing_ends_it(self, radio, other):
        writer = radio.channel("closed").writer()
        waiting = []

        def wait():
            try:
                writer.wait_wanted()
            except Disconnected as error:
                waiting.append(error)

        thread = threading.Thread(target=wait)
        thread.start()
        assert other.channel("closed").writer().wanted is False
        writer.close()
        thread.join(SECONDS)
        assert len(waiting) == 1
        with pytest.raises(Disconnected):
            writer.put(1)
        with pytest.raises(Disconnected):
            writer.wait_wanted()

    def test_a_single_writer_is_single(self, radio, other):
        mine = radio.create("single", single_writer=True, history={"size": 5})
        for _ in range(2):
            with mine.writer() as writer:
                assert not writer.wanted
            with pytest.raises(CallError, match="not_authorized"):
                other.channel("single").writer()
            cut(radio)
        mine.publish(1)

    def test_a_private_one(self, radio, other):
        mine = radio.create("private", public=False)
        with pytest.raises(CallError, match="bad_key"):
            other.channel("private", "wrong").writer()
        with other.channel("private", mine.key).writer() as writer:
            listening = mine.listen()
            assert writer.wait_wanted(SECONDS)
            assert writer.put({"a": 1})
            assert listening.get(SECONDS).data == {"a": 1}

    def test_what_cannot_be_sent(self, radio, other):
        with radio.channel("typed").writer() as writer, other.channel("typed").listen():
            assert writer.wait_wanted(SECONDS)
            with pytest.raises(TypeError):
                writer.put(object())
            assert writer.put(1)
        with pytest.raises(CallError, match="not_authorized"):
            radio.channel("forbidden").writer()


class TestStreams:
    def test_a_run_of_samples(self, radio, other):
        with other.channel("kept").listen() as listening:
            with radio.channel("kept").stream("run 1") as stream:
                for n in range(3):
                    stream.put(n)
            got = [listening.get(SECONDS) for _ in range(4)]
        assert [(sample.data, sample.stream) for sample in got] == [
            (0, {"id": "run 1", "counter": 1, "begin": True}),
            (1, {"id": "run 1", "counter": 2}),
            (2, {"id": "run 1", "counter": 3}),
            (None, {"id": "run 1", "counter": 4, "end": True}),
        ]

    def test_the_last_one_can_say_so(self, radio, other):
        with other.channel("ending").listen() as listening:
            with radio.channel("ending").stream(7) as stream:
                stream.put(0)
                stream.put(1, end=True)
                with pytest.raises(ValueError, match="has ended"):
                    stream.put(2)
            with radio.channel("ending").stream() as empty:
                assert len(empty.id) == 16
            radio.channel("ending").publish(3)
            got = [listening.get(SECONDS) for _ in range(3)]
        assert [sample.data for sample in got] == [0, 1, 3]
        assert [(sample.stream or {}).get("end") for sample in got] == [None, True, None]

    def test_what_is_raised_inside_is_what_the_program_sees(self, radio, other):
        with other.channel("raising").listen() as listening:
            with pytest.raises(ZeroDivisionError), radio.channel("raising").stream() as stream:
                stream.put(stream.put(0) or 1 / 0)
            assert listening.get(SECONDS).data == 0
            assert listening.get(SECONDS).stream["end"]

    @pytest.mark.parametrize("id", ["", "x" * 65, 2**53 + 1, True, 1.5], ids=str)
    def test_no_id(self, radio, id):
        with pytest.raises((TypeError, ValueError)):
            radio.channel("x").stream(id)


def test_asyncio_does_the_same(server, other):
    async def play():
        async with aio.Radio(server.url, timeout=SECONDS) as radio, radio.channel("aio").writer() as writer:
            assert not writer.wanted
            assert not await writer.put(1)
            waiting = asyncio.ensure_future(writer.put(2, wait=True))
            listening = await asyncio.to_thread(other.channel("aio").listen)
            assert await waiting
            async with radio.channel("aio").stream("s") as stream:
                await stream.put(3)
            got = [await asyncio.to_thread(listening.get, SECONDS) for _ in range(3)]
            assert [sample.data for sample in got] == [2, 3, None]
            another = await radio.channel("aio2").writer()
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(another.wait_wanted(), 0.01)
            assert not await another.wait_wanted(0.01)
            assert another._writer._waiting == []
            last = asyncio.ensure_future(another.wait_wanted())
            await asyncio.sleep(0)
        with pytest.raises(Disconnected):
            await last

    run(play())


class TestPasswords:
    @pytest.mark.parametrize("authid", ["paul", "argo"])
    def test_a_right_one(self, server, authid):
        with Radio(server.url, authid=authid, password="pass wörd") as radio:
            assert (radio.server["authid"], radio.server["authmethod"]) == (authid, "wamp-scram")
            cut(radio)
            assert radio.call("radiod.echo", 1) == 1

    @pytest.mark.parametrize("authid", ["paul", "argo", "nobody"])
    def test_a_wrong_one_is_refused_at_once(self, server, authid):
        begun = time.monotonic()
        with pytest.raises(LoginRefused) as caught:
            Radio(server.url, authid=authid, password="wrong").connect()
        assert caught.value.reason == "wamp.error.authentication_denied"
        assert time.monotonic() - begun < SECONDS

    def test_of_nobody_or_none_at_all(self, server):
        with pytest.raises(ValueError, match="authid"):
            Radio(server.url, password="x")
        with pytest.raises(ValueError, match="SASLprep"):
            Radio(server.url, authid="paul", password="\0")


def test_a_typo_is_no_silence(radio, other, caplog):
    with radio.channel("sampel_net").listen(), radio.channel("kept").listen():
        other.channel("kept").publish(1)
        wait_for(lambda: "sampel_net" in caplog.text)
    assert [record.name for record in caplog.records] == ["radiod_client"]
    assert "Is the name right?" in caplog.text
