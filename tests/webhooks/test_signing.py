"""Signatures, by the specification's reference library and a fixed vector."""

import base64
import json
import secrets
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from radiod.webhooks.signing import Signer, key_of

SECRET = "whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA="
OTHER = "whsec_" + base64.b64encode(b"o" * 24).decode()
BODY = b'{"type":"channel.event","timestamp":"2026-11-26T12:00:00Z","data":{"x":1}}'


def headers(signer, body=BODY, seconds=None):
    seconds = int(time.time()) if seconds is None else seconds
    return {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(seconds),
        "webhook-signature": signer.signature("msg_1", seconds, body),
    }


def test_the_vector():
    signature = Signer([SECRET]).signature("msg_0001", 1795694400, BODY)
    assert signature == "v1,je4fl0h+F/WL1iduIp6kjbQ36in1nwCKT/DZiXmoFeU="
    assert (
        Webhook(SECRET).sign("msg_0001", datetime.fromtimestamp(1795694400, UTC), BODY.decode()) == signature
    )


@given(st.binary(min_size=24, max_size=64), st.text())
def test_the_reference_library_verifies_ours(key, text):
    secret = "whsec_" + base64.b64encode(key).decode()
    body = b'{"x":' + json.dumps(text).encode() + b"}"
    assert Webhook(secret).verify(body, headers(Signer([secret]), body)) == {"x": text}


def test_while_secrets_rotate_receivers_may_know_either():
    sent = headers(Signer([SECRET, OTHER]))
    assert sent["webhook-signature"].count(" ") == 1
    for known in (SECRET, OTHER):
        assert Webhook(known).verify(BODY, sent)
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()).verify(BODY, sent)


def test_what_was_changed_is_not_verified():
    sent = headers(Signer([SECRET]))
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(BODY + b" ", sent)
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(BODY, {**sent, "webhook-id": "msg_2"})
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(BODY, headers(Signer([SECRET]), seconds=int(time.time()) - 301))


@pytest.mark.parametrize("text", ["", "whsec_!", "AQID", "whsec_AQI", "WHSEC_AQID", "whsec_é"])
def test_what_is_no_secret_is_refused_without_being_told(text):
    with pytest.raises(ValueError, match="no secret: it is whsec_ and base64"):
        key_of(text)
