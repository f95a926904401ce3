"""Listens as the article's listener does: a plain WebSocket, and a ping when it is silent for long.

python article_listener.py ws://127.0.0.1:8080/macro/sample/
"""

import asyncio
import contextlib
import json
import sys

import websockets

REPLY_TIMEOUT_S, PING_TIMEOUT_S, SLEEP_S = 10, 5, 5


async def hear(url):
    async with websockets.connect(url) as connection:
        while True:
            try:
                text = await asyncio.wait_for(connection.recv(), REPLY_TIMEOUT_S)
            except TimeoutError:
                await asyncio.wait_for(await connection.ping(), PING_TIMEOUT_S)
            else:
                print(json.loads(text), flush=True)


async def main(url):
    while True:
        with contextlib.suppress(OSError, asyncio.TimeoutError, websockets.ConnectionClosed):
            await hear(url)
        # What is published meanwhile is missed, and nobody knows.
        await asyncio.sleep(SLEEP_S)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main(sys.argv[1]))
