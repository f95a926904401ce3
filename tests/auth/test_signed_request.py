"""Signed queries: Crossbar's algorithm, statuses and texts, and nothing twice."""

import base64
import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiod.auth.signed_request import EXPIRED, REPEATED, UNPROVEN, SignedRequests
from radiod.errors import INVALID_ARGUMENT, NOT_AUTHORIZED, BadSignedRequest

SECRET = "s3cr3t-of-station"
SECRETS = {"station": SECRET, "other": "another", "sta": SECRET, "ключ": "тайна"}
NOW = 1_795_694_400.0
"""2026-11-26T12:00:00Z."""

BODY = b'{"topic":"weather.harbour","args":[21.5]}'
EXAMPLE = {
    "key": "station",
    "timestamp": "2026-11-26T12:00:00.000000Z",
    "seq": "1",
    "nonce": "1234567890",
    "signature": "z90jzK6WsTsCj8RFISvM2fjS0KpKIrLZgWag-FOJBAs=",
}


def signed(body=BODY, secret=SECRET, **changes):
    """A query that is signed as its clients do it."""
    query = EXAMPLE | changes
    told = "".join(query[name] for name in ("key", "timestamp", "seq", "nonce")).encode() + body
    digest = hmac.new(secret.encode(), told, hashlib.sha256).digest()
    return query | {"signature": base64.urlsafe_b64encode(digest).decode()}


@pytest.fixture
def requests():
    return SignedRequests(SECRETS.get)


def refusal(requests, query, body=BODY, now=NOW):
    with pytest.raises(BadSignedRequest) as refused:
        requests.check(query, body, now)
    return refused.value


def without(*names):
    return {name: value for name, value in EXAMPLE.items() if name not in names}


def test_the_worked_example_is_right(requests):
    assert signed() == EXAMPLE
    assert requests.check(EXAMPLE, BODY, NOW) == "station"


def test_any_text_names_a_key(requests):
    assert requests.check(signed(key="ключ", secret="тайна"), BODY, NOW) == "ключ"


def test_other_parameters_mean_nothing(requests):
    assert requests.check(EXAMPLE | {"page": "1"}, BODY, NOW) == "station"


class TestWhatIsMissing:
    @pytest.mark.parametrize("name", ["key", "seq", "nonce", "signature"])
    def test_a_field_is_named(self, requests, name):
        refused = refusal(requests, without(name))
        assert (refused.status, refused.uri, refused.is_guess) == (400, INVALID_ARGUMENT, False)
        text = f"REST bridge signature was invalid (missing mandatory field - '{name}' field missing)."
        assert refused.text == text

    def test_a_timestamp_is_named_in_other_words(self, requests):
        words = "signed request required, but mandatory 'timestamp' field missing"
        text = f"REST bridge signature was invalid (missing mandatory field - {words})."
        assert refusal(requests, without("timestamp")).text == text

    @pytest.mark.parametrize(
        ("query", "said"),
        [
            ({}, "'key'"),
            (without("key", "timestamp", "seq", "nonce", "signature"), "'key'"),
            (without("timestamp", "seq", "nonce", "signature"), "'timestamp'"),
            (without("seq", "nonce", "signature") | {"timestamp": "x"}, "invalid timestamp 'x'"),
            (without("seq") | {"timestamp": "2026-11-26T11:00:00.0Z"}, "expired"),
            (without("nonce", "signature") | {"seq": "x"}, "invalid sequence number 'x'"),
            (without("nonce", "signature"), "'nonce'"),
            (without("signature") | {"nonce": "x"}, "invalid nonce 'x'"),
            (without("signature") | {"key": "nobody"}, "'signature'"),
        ],
    )
    def test_the_first_fault_in_crossbars_order_is_told(self, requests, query, said):
        assert said in refusal(requests, query).text


class TestTimestamps:
    @pytest.mark.parametrize("fraction", ["0", "12", "123", "1234", "12345", "123456"])
    def test_a_fraction_has_one_to_six_digits(self, requests, fraction):
        assert requests.check(signed(timestamp=f"2026-11-26T12:00:00.{fraction}Z"), BODY, NOW)

    @pytest.mark.parametrize(
        "timestamp",
        [
            "", "x", "2026-11-26T12:00:00Z", "2026-11-26T12:00:00.Z", "2026-11-26T12:00:00.1234567Z",
            "2026-11-26T12:00:00.0", "2026-11-26T12:00:00.0+00:00", "2026-11-26 12:00:00.0Z",
            " 2026-11-26T12:00:00.0Z", "2026-11-26T12:00:00.0Z\n", "2026-13-26T12:00:00.0Z",
            "2026-02-30T12:00:00.0Z", "0000-11-26T12:00:00.0Z", "2026-11-26T24:00:00.0Z",
            "2026-11-26T12:60:00.0Z", "2026-11-26T12:00:60.0Z", "2026-11-26T12:00:0.0Z",
            "٢٠٢٦-11-26T12:00:00.0Z", "1795694400", "-026-11-26T12:00:00.0Z",
        ],
    )  # fmt: skip
    def test_anything_else_is_malformed(self, requests, timestamp):
        refused = refusal(requests, EXAMPLE | {"timestamp": timestamp})
        assert refused.status == 400
        form = "must be UTC/ISO-8601, e.g. '2011-10-14T16:59:51.123Z'"
        assert (
            refused.text == f"REST bridge signature was invalid (invalid timestamp '{timestamp}' ({form}))."
        )

    @pytest.mark.parametrize("off", [-300, -299.9, 0, 299.9, 300])
    def test_it_may_be_five_minutes_off(self, requests, off):
        assert requests.check(EXAMPLE, BODY, NOW + off)

    @pytest.mark.parametrize("off", [-1e9, -300.1, 300.1, 1e9])
    def test_further_away_it_is_refused_however_it_is_signed(self, requests, off):
        for query in (EXAMPLE, EXAMPLE | {"signature": "x"}, EXAMPLE | {"key": "nobody"}):
            refused = refusal(requests, query, now=NOW + off)
            assert (refused.status, refused.text, refused.is_guess) == (400, EXPIRED, False)


@pytest.mark.parametrize("name", ["seq", "nonce"])
class TestIntegers:
    @pytest.mark.parametrize("value", ["0", "-1", "007", "9007199254740992", "1" * 32])
    def test_any_integer_will_do(self, requests, name, value):
        assert requests.check(signed(**{name: value}), BODY, NOW)

    @pytest.mark.parametrize(
        "value", ["", " ", "x", "1.0", "1e3", "+1", " 1", "1 ", "1\n", "1_0", "٣", "1" * 33]
    )
    def test_anything_else_is_malformed(self, requests, name, value):
        refused = refusal(requests, signed(**{name: value}))
        assert refused.status == 400
        called = {"seq": "sequence number", "nonce": "nonce"}[name]
        assert refused.text.startswith(f"REST bridge signature was invalid (invalid {called} '")

    def test_no_text_is_endless(self, requests, name):
        assert len(refusal(requests, signed(**{name: "x" * 5000})).text) < 200


class TestProof:
    CHANGES = {
        "key": "sta",
        "timestamp": "2026-11-26T12:00:00.000001Z",
        "seq": "2",
        "nonce": "1234567891",
        "signature": "z90jzK6WsTsCj8RFISvM2fjS0KpKIrLZgWag-FOJBAt=",
    }

    def assert_unproven(self, refused):
        assert (refused.status, refused.uri, refused.is_guess) == (401, NOT_AUTHORIZED, True)
        assert refused.text == UNPROVEN

    @pytest.mark.parametrize(("name", "value"), CHANGES.items(), ids=CHANGES)
    def test_whatever_is_changed_is_noticed(self, requests, name, value):
        self.assert_unproven(refusal(requests, EXAMPLE | {name: value}))

    def test_another_body_is_noticed(self, requests):
        self.assert_unproven(refusal(requests, EXAMPLE, BODY + b" "))

    @pytest.mark.parametrize(
        "signature",
        ["", "x", "ä", "\ud800", EXAMPLE["signature"][:-1], EXAMPLE["signature"].replace("-", "+")],
    )
    def test_what_is_no_signature_is_wrong(self, requests, signature):
        self.assert_unproven(refusal(requests, EXAMPLE | {"signature": signature}))

    @pytest.mark.parametrize("key", ["nobody", "", "\ud800", "Station"])
    @pytest.mark.parametrize("secret", [SECRET, "", "nobody's secret"])
    def test_an_unknown_key_looks_like_a_wrong_signature(self, requests, key, secret):
        query = signed(secret=secret, key="nobody") | {"key": key}
        self.assert_unproven(refusal(requests, query))

    def test_a_secret_of_another_key_proves_nothing(self, requests):
        self.assert_unproven(refusal(requests, signed(key="other")))

    def test_a_refused_request_uses_nothing_up(self, requests):
        refusal(requests, EXAMPLE, BODY + b" ")
        assert requests.check(EXAMPLE, BODY, NOW)


class TestTwice:
    def assert_repeated(self, refused):
        assert (refused.status, refused.uri, refused.is_guess) == (401, NOT_AUTHORIZED, False)
        assert refused.text == REPEATED

    def test_a_request_counts_once(self, requests):
        requests.check(EXAMPLE, BODY, NOW)
        self.assert_repeated(refusal(requests, EXAMPLE))
        self.assert_repeated(refusal(requests, EXAMPLE, now=NOW + 300))

    def test_one_from_a_clock_that_is_fast_counts_once_as_long_as_it_is_fresh(self, requests):
        requests.check(EXAMPLE, BODY, NOW - 300)
        self.assert_repeated(refusal(requests, EXAMPLE, now=NOW + 300))
        assert refusal(requests, EXAMPLE, now=NOW + 300.1).text == EXPIRED

    def test_another_body_does_not_make_it_another(self, requests):
        requests.check(EXAMPLE, BODY, NOW)
        self.assert_repeated(refusal(requests, signed(b"{}"), b"{}"))

    def test_digits_that_move_from_nonce_to_seq_do_not_either(self, requests):
        """The signature stays right: whoever overhears a request could make ten of it."""
        requests.check(EXAMPLE, BODY, NOW)
        for moved in range(1, 10):
            digits = "11234567890"
            query = EXAMPLE | {"seq": digits[: moved + 1], "nonce": digits[moved + 1 :]}
            assert query == signed(**{name: query[name] for name in ("seq", "nonce")})
            self.assert_repeated(refusal(requests, query))

    def test_seq_need_not_rise(self, requests):
        for seq, nonce in (("5", "1"), ("1", "2"), ("1", "3"), ("0", "4")):
            assert requests.check(signed(seq=seq, nonce=nonce), BODY, NOW)

    def test_keys_do_not_know_each_other(self, requests):
        assert requests.check(EXAMPLE, BODY, NOW)
        assert requests.check(signed(key="sta"), BODY, NOW) == "sta"


@given(
    st.dictionaries(
        st.sampled_from(list(EXAMPLE)), st.text(max_size=30) | st.text("0123456789-T:.Z", max_size=30)
    ),
    st.binary(max_size=50),
)
def test_any_query_is_signed_or_refused(changes, body):
    query = EXAMPLE | changes
    try:
        key = SignedRequests(SECRETS.get).check(query, body, NOW)
    except BadSignedRequest as refused:
        told = (refused.status, refused.is_guess)
    else:
        told = query == signed(body, SECRETS[key], **changes)
    assert told in (True, (400, False), (401, True))
