"""Webhooks of the real server: to Python's own server over TLS, and to the documentation's receivers."""

from __future__ import annotations

import re
import shutil
import ssl
import subprocess
import sys
import time

import pytest
import requests
from standardwebhooks.webhooks import Webhook, WebhookVerificationError
from support.config import configuration
from support.receivers import receiver
from support.running import ROOT, environment, free_port, program, radiod, wait_until
from support.tls import Issued

pytestmark = pytest.mark.e2e

SECRET = "whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA="
OLD = "whsec_b29vb29vb29vb29vb29vb29vb29vb29v"
PAGE = (ROOT / "docs" / "webhooks.md").read_text()
HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")


def configured(url, more=""):
    return configuration(
        f"""
        [realms.radio.webhooks.h]
        url = "{url}"
        secret = "{SECRET}"
        channels = ["sample_net", "other_net"]
        {more}
        """
    )


def publish(server, value, topic="sample_net"):
    answer = requests.post(
        f"{server.url}/publish",
        json={"topic": topic, "args": [value]},
        headers={"API-KEY": "sample-key"},
        timeout=10,
    )
    assert answer.status_code == 200, answer.text


def verified(request, secret=SECRET):
    return Webhook(secret).verify(request.body, {name: request.headers[name] for name in HEADERS})


@pytest.fixture
def tls(tmp_path):
    """What a receiver on localhost needs, and a file of who vouches for it."""
    ca = Issued("Test CA", is_ca=True)
    leaf = Issued("localhost", issuer=ca)
    (tmp_path / "ca.pem").write_bytes(ca.certificate_pem())
    (tmp_path / "leaf.pem").write_bytes(leaf.key_pem() + leaf.certificate_pem())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "leaf.pem")
    return context, str(tmp_path / "ca.pem")


def test_events_come_over_tls_in_order_and_the_reference_library_verifies_them(tmp_path, tls):
    context, ca = tls
    with receiver(context) as to:
        config = configured(to.url, f'old_secret = "{OLD}"')
        with radiod(tmp_path, config, variables={"SSL_CERT_FILE": ca}) as server:
            for value in range(20):
                publish(server, {"n": value, "ü": "\u2028"})
            found = [to.next() for _ in range(20)]
            assert server.stop() == 0
    bodies = [verified(request) for request in found]
    assert bodies == [verified(request, OLD) for request in found]
    assert [body["data"]["data"]["n"] for body in bodies] == list(range(20))
    assert {body["data"]["channel"] for body in bodies} == {"sample_net"}
    assert len({request.headers["webhook-id"] for request in found}) == 20
    found[0].body += b" "
    with pytest.raises(WebhookVerificationError):
        verified(found[0])


def test_a_receiver_that_nobody_vouches_for_gets_nothing(tmp_path, tls):
    context, _ = tls
    with receiver(context) as to, radiod(tmp_path, configured(to.url)) as server:
        publish(server, 1)
        wait_for_log(server, "webhook h of realm radio: TLS: certificate verify failed; it is tried again")
        assert to.requests.empty()


def test_a_failure_is_tried_again_with_the_same_id(tmp_path):
    with receiver() as to, radiod(tmp_path, configured(to.url)) as server:
        to.statuses = [500, 302]
        publish(server, 1)
        publish(server, 2)
        tries = [to.next() for _ in range(4)]
        assert [verified(request)["data"]["data"] for request in tries] == [1, 1, 1, 2]
        assert len({request.headers["webhook-id"] for request in tries}) == 2
        times = [int(request.headers["webhook-timestamp"]) for request in tries]
        assert 4 <= times[2] - times[0] <= 60


def test_a_stopping_server_sends_what_waits_and_leaves_a_silent_receiver(tmp_path):
    with receiver() as to:
        with radiod(tmp_path, configured(to.url)) as server:
            for value in range(50):
                publish(server, value)
            assert server.stop() == 0
        assert [verified(to.next())["data"]["data"] for _ in range(50)] == list(range(50))
        to.is_silent = True
        with radiod(tmp_path, configured(to.url)) as server:
            publish(server, 1)
            publish(server, 2)
            to.next()
            began = time.monotonic()
            assert server.stop() == 0
            assert time.monotonic() - began < 8
            assert (
                "webhook h of realm radio: 2 events were not delivered before the end"
                in server.log.read_text()
            )


def wait_for_log(server, text):
    wait_until(lambda: text in server.log.read_text(), server.process, server.log)


def told_by(log):
    return [line for line in log.read_text().splitlines() if line.startswith("channel.event")]


RECEIVERS = {"python": [sys.executable], "js": ["node"]}


@pytest.mark.parametrize("language", RECEIVERS)
def test_the_receivers_of_the_documentation(tmp_path, language):
    assert shutil.which(RECEIVERS[language][0])
    [code] = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    file = tmp_path / f"receiver.{language}"
    file.write_text(code)
    port, log = free_port(), tmp_path / "receiver.log"
    log.touch()
    variables = {**environment(), "PORT": str(port), "WEBHOOK_SECRET": SECRET}
    url = f"http://localhost:{port}/"
    with (
        program([*RECEIVERS[language], str(file)], log, env=variables) as process,
        radiod(tmp_path, configured(url)) as server,
    ):
        for value in range(3):
            publish(server, value)
        wait_until(lambda: len(told_by(log)) == 3, process, log)
        told = told_by(log)
        assert [re.findall(r"['\"]data['\"]: ?(\d+)", line) for line in told] == [["0"], ["1"], ["2"]]
        forged = requests.post(url, data=b"{}", headers=dict.fromkeys(HEADERS, "1"), timeout=10)
        assert forged.status_code == 400


def test_the_documentation_makes_secrets_that_are_taken(tmp_path):
    [command] = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    subprocess.run(["sh", "-c", command], check=True, cwd=tmp_path)
    [table] = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    table = table.replace("billing.secret", str(tmp_path / "billing.secret"))
    with radiod(tmp_path, configuration(table)) as server:
        assert server.stop() == 0
