"""Rows 27, 29 and 30 of docs/stream_service.md: what the Python client does by itself."""

import asyncio
import logging
import ssl
import time

import numpy as np
import pytest
from radiod_client import ConnectFailed, Radio, Service, aio

SECONDS = 30


@pytest.fixture
def radio(server):
    url = f"http://127.0.0.1:{server.port}"
    # Its own session of before may be taken over, even if the server still waits for that one.
    with Radio(url, authid="joe", ticket="joe-ticket", timeout=SECONDS) as radio:
        yield radio


@pytest.fixture
def other(server):
    with Radio(f"http://127.0.0.1:{server.port}", timeout=SECONDS) as radio:
        yield radio


def cut(radio):
    """Break its connection, as a network does."""
    session = radio.session
    radio._later(radio._radio.driver.transport.abort)
    end = time.monotonic() + SECONDS
    while radio.session in (session, None):
        assert time.monotonic() < end
        time.sleep(0.005)


class TestRow27Styles:
    def test_a_blocking_program_takes_items_one_by_one(self, radio, other, channel):
        with radio.channel(channel).listen() as listening:
            with pytest.raises(TimeoutError):
                listening.get(0.05)
            for number in range(4):
                other.channel(channel).publish(number)
            assert listening.get(SECONDS).data == 0
            for number, sample in zip((1, 2, 3), listening, strict=False):
                assert sample.data == number

    def test_an_asynchronous_one_gets_the_same_data(self, server, other, channel):
        async def play():
            async with aio.Radio(f"http://127.0.0.1:{server.port}") as radio:
                listening = await radio.channel(channel).listen()
                for number in range(3):
                    await asyncio.to_thread(other.channel(channel).publish, {"number": number})
                assert (await listening.get(SECONDS)).data == {"number": 0}
                async for sample in listening:
                    assert sample.data == {"number": 1}
                    break

        asyncio.run(play())

    def test_both_call_both(self, server, radio, other, channel):
        class Both(Service):
            def rpc_sync(self, value):
                return value

            async def rpc_async(self, value):
                return value

        async def play():
            async with aio.Radio(f"http://127.0.0.1:{server.port}") as caller:
                both = caller.proxy(channel)
                return [await both.sync(1), await both["async"](2)]

        radio.serve(Both(), channel)
        assert [other.proxy(channel).sync(1), other.proxy(channel)["async"](2)] == [1, 2]
        assert asyncio.run(play()) == [1, 2]


class TestRow29Objects:
    def test_arrays_keep_type_and_shape_between_samples_and_in_calls(self, radio, other, channel):
        array = np.arange(6, dtype="<f4").reshape(2, 3)
        with radio.channel(channel).listen() as listening:
            other.channel(channel).publish({"name": "é", "array": array})
            got = listening.get(SECONDS).data
        assert got["name"] == "é"
        assert (got["array"].dtype, got["array"].shape) == (array.dtype, array.shape)
        assert (got["array"] == array).all()
        radio.register(f"{channel}.double", lambda array: array * 2)
        assert (other.call(f"{channel}.double", array) == array * 2).all()

    def test_tls_is_asked_for_by_the_url_and_does_not_fall_back(self, server):
        with pytest.raises(ConnectFailed):
            Radio(f"https://127.0.0.1:{server.port}", tls=ssl.create_default_context()).connect()

    def test_what_goes_wrong_is_logged(self, radio, other, channel, caplog):
        radio.register(f"{channel}.fail", lambda: 1 / 0)
        with caplog.at_level(logging.ERROR, "radiod_client"), pytest.raises(Exception, match="division"):
            other.call(f"{channel}.fail")
        assert f"{channel}.fail raised" in caplog.text


class TestRow30Reconnection:
    def test_everything_comes_back(self, radio, other, channel):
        class Echo(Service):
            def rpc_echo(self, value):
                return value

        radio.serve(Echo(), channel)
        radio.create(f"{channel}.mine", history={"size": 100})
        other.create(channel, history={"size": 100})
        with radio.channel(channel).listen() as listening:
            other.channel(channel).publish(1)
            assert listening.get(SECONDS).data == 1
            cut(radio)
            radio.channel(f"{channel}.mine").publish("mine again")
            assert other.proxy(channel).echo(2) == 2
            other.channel(channel).publish(3)
            assert listening.get(SECONDS).data == 3
