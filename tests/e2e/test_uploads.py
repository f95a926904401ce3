"""Uploads of lines, and calls, by the clients that people have: curl, requests, httpx, and fetch of Node."""

from __future__ import annotations

import contextlib
import functools
import gzip
import json
import select
import shutil
import socket
import subprocess
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
import requests
from support.programs import Program

pytestmark = pytest.mark.e2e

HERE = Path(__file__).parent / "js"
SECONDS = 60
MIB = 1024
OK = {"status": 200, "message": "OK"}
LINES = {"API-KEY": "sample-key", "Content-Type": "application/x-ndjson"}
CURL = ("curl", "-sS", "-N", "--max-time", str(SECONDS), "-H", "API-KEY: sample-key")
CALLS = """
[realms.radio.keys.sample]
call = ["*"]

[limits]
max_upload_bytes = 268435456
"""


@pytest.fixture(scope="module")
def server(shared_world):
    return shared_world.serve(CALLS)


def line(n):
    return json.dumps({"network": "sample_net", "data": {"n": n}}).encode() + b"\n"


def curl(*arguments, data=b""):
    """What curl prints."""
    return subprocess.run(
        [*CURL, *arguments], input=data, capture_output=True, check=True, timeout=SECONDS
    ).stdout


KIND = ("-H", "Content-Type: application/x-ndjson")


@pytest.mark.parametrize("arguments", [("--data-binary", "@-"), ("-X", "POST", "-T", "-"), ("-T", "-")])
def test_curl_sends_lines_and_prints_results(server, arguments):
    # Uploads by PUT are the same.
    printed = curl(*KIND, *arguments, f"{server.url}/publish", data=b"".join(map(line, range(500))))
    assert [json.loads(one) for one in printed.splitlines()] == [OK] * 500


def test_curl_prints_results_before_it_has_sent_everything(server):
    # It looks for results whenever there is something to send.
    command = [*CURL, *KIND, "-X", "POST", "-T", "-", f"{server.url}/publish"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        sent = 0
        while not select.select([process.stdout], [], [], 0.05)[0]:
            process.stdin.write(line(sent))
            process.stdin.flush()
            sent += 1
        assert json.loads(process.stdout.readline()) == OK
        process.stdin.close()
        assert [json.loads(one) for one in process.stdout] == [OK] * (sent - 1)
    assert process.returncode == 0


def test_curl_sends_an_array_once_whatever_it_repeats(server):
    arguments = ("-H", "Idempotency-Key: array", "-H", "Prefer: return=minimal", "--data-binary", "@-", "-i")
    body = json.dumps([{"network": "sample_net", "data": {}}, {"network": "secret_net", "data": {}}])
    printed = [curl(*arguments, f"{server.url}/publish", data=body.encode()) for _ in range(2)]
    for one in printed:
        head, _, content = one.partition(b"\r\n\r\n")
        assert b"Preference-Applied: return=minimal" in head
        assert [result.get("status") for result in json.loads(content)] == [403, None]
    assert b"Idempotency-Replayed: true" not in printed[0]
    assert b"Idempotency-Replayed: true" in printed[1]


def test_requests_sends_what_a_generator_makes(server):
    answer = requests.post(
        f"{server.url}/publish", data=map(line, range(500)), headers=LINES, timeout=SECONDS
    )
    assert [json.loads(one) for one in answer.iter_lines()] == [OK] * 500


def test_httpx_sends_what_a_generator_makes(server):
    with httpx.Client(timeout=SECONDS) as client:
        answer = client.post(f"{server.url}/publish", content=map(line, range(500)), headers=LINES)
        assert [json.loads(one) for one in answer.iter_lines()] == [OK] * 500
        # The connection goes on.
        assert client.get(f"{server.url}/healthz").status_code == 200


def test_a_compressed_file_is_sent_as_it_is(server):
    data = gzip.compress(b"".join(map(line, range(500))))
    headers = {**LINES, "Content-Encoding": "gzip"}
    answer = requests.post(f"{server.url}/publish", data=data, headers=headers, timeout=SECONDS)
    assert answer.text.count('"OK"') == 500


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_fetch_sends_a_stream_and_reads_results_beside_it(server):
    done = subprocess.run(
        ["node", "--no-warnings", "upload.mjs", server.url, "50"],
        cwd=HERE,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=True,
    )
    assert json.loads(done.stdout) == {"status": 200, "results": 50, "good": 50, "early": True}


@pytest.mark.parametrize("megabytes", [20, pytest.param(100, marks=pytest.mark.soak)])
class TestMemory:
    """Megabytes of lines need none of the server's memory, however the client reads."""

    def block(self, megabytes):
        one = line(0).rstrip(b"\n") + b" " * 60 + b"\n"
        piece = one * 640
        count = megabytes * 1_000_000 // len(piece)
        return piece, count

    def test_of_a_client_that_sends_everything_before_it_reads(self, server, megabytes):
        piece, count = self.block(megabytes)
        before = server.resident_kib()
        headers = {**LINES, "Prefer": "return=minimal"}
        answer = requests.post(
            f"{server.url}/publish", data=(piece for _ in range(count)), headers=headers, timeout=600
        )
        assert answer.json() == {"items": count * 640, "failed": 0}
        assert server.resident_kib() - before <= 16 * MIB

    def test_of_a_client_that_reads_beside(self, server, megabytes):
        piece, count = self.block(megabytes)
        before = server.resident_kib()
        command = [
            *CURL[:3],
            "--max-time",
            "600",
            *CURL[5:],
            *KIND,
            "-X",
            "POST",
            "-T",
            "-",
            f"{server.url}/publish",
        ]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            counting = subprocess.Popen(["grep", "-c", '"OK"'], stdin=process.stdout, stdout=subprocess.PIPE)
            process.stdout.close()
            for _ in range(count):
                process.stdin.write(piece)
            process.stdin.close()
            told, _ = counting.communicate(timeout=600)
        assert int(told) == count * 640
        assert server.resident_kib() - before <= 16 * MIB


@functools.cache
def bomb(gibibytes):
    """Zeros, compressed a thousandfold."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    mebibyte = bytes(1 << 20)
    return b"".join(packer.compress(mebibyte) for _ in range(gibibytes << 10)) + packer.flush()


@pytest.mark.parametrize("kind", ["application/json", "application/x-ndjson"])
@pytest.mark.parametrize("path", ["/publish", "/call"])
def test_a_bomb_of_a_gibibyte_costs_no_memory(server, path, kind):
    before = server.resident_kib()
    headers = {**LINES, "Content-Encoding": "gzip", "Content-Type": kind}
    with contextlib.suppress(requests.exceptions.ConnectionError, requests.exceptions.ChunkedEncodingError):
        answer = requests.post(f"{server.url}{path}", data=bomb(1), headers=headers, timeout=SECONDS)
        assert answer.status_code == 413
    assert server.resident_kib() - before <= 16 * MIB
    assert requests.get(f"{server.url}/healthz", timeout=SECONDS).status_code == 200


class TestCalls:
    def test_of_the_routers_own_procedures(self, server):
        body = {"procedure": "wamp.session.count"}
        answer = requests.post(f"{server.url}/call", json=body, headers=LINES, timeout=SECONDS)
        assert (answer.status_code, answer.json()) == (200, {"args": [0]})

    def test_are_answered_by_any_program(self, server):
        with contextlib.closing(Program(server.port)) as callee, httpx.Client(timeout=SECONDS) as client:
            callee.register("double")
            with ThreadPoolExecutor(1) as others:
                body = {"procedure": "double", "args": [21]}
                answer = others.submit(client.post, f"{server.url}/call", json=body, headers=LINES)
                invocation = callee.asked()
                callee.give(invocation, 2 * invocation[4][0])
                assert answer.result(SECONDS).json() == {"args": [42]}

    def test_a_client_that_hangs_up_cancels_its_call(self, server):
        with contextlib.closing(Program(server.port)) as callee:
            callee.register("slow")
            body = b'{"procedure":"slow"}'
            head = "POST /call HTTP/1.1\r\nHost: localhost\r\nAPI-KEY: sample-key\r\nContent-Length: %d"
            with socket.create_connection(("127.0.0.1", server.port), SECONDS) as caller:
                caller.sendall((head % len(body)).encode() + b"\r\n\r\n" + body)
                invocation = callee.asked()
            assert callee.asked()[:2] == [69, invocation[1]]
