"""For trial, which looks for what a test leaves in the reactor; ``RADIO_URL`` says where radiod is."""

import os

from radiod_client import ConnectFailed, Disconnected
from radiod_client.tx import HttpPublisher, Radio
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

URL = os.environ["RADIO_URL"]


class Left(TestCase):
    async def test_listeners_callbacks_and_calls(self):
        async with Radio(URL) as radio, Radio(URL) as other:
            listening = await radio.channel("left").listen()
            heard = listening.get(20)
            await other.channel("left").publish(1)
            assert (await heard).data == 1
            waiting = listening.get(20)
            await radio.channel("hanging").subscribe(lambda sample: Deferred())
            await other.channel("hanging").publish(1)
        await self.assertFailure(waiting, Disconnected)

    async def test_a_connection_that_breaks(self):
        radio = await Radio(URL).connect()
        radio._inner.driver.transport.abort()
        await radio.close()

    async def test_closed_at_once(self):
        radio = Radio(URL)
        connecting = radio.connect()
        await radio.close()
        await self.assertFailure(connecting, Disconnected)

    async def test_nobody_there(self):
        await self.assertFailure(Radio("http://127.0.0.1:1").connect(), ConnectFailed)

    async def test_samples_by_http(self):
        async with HttpPublisher(URL, "sample-key", "sample_net") as publisher:
            await publisher.publish({})
