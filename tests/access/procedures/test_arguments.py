"""Whatever ``radiod.admin.*`` is given, it answers, or refuses with a URI that is documented."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.books import Books

from radiod import errors
from radiod.access.procedures import checks
from radiod.core.arguments import REQUIRED
from radiod.core.sessions.session import Session
from radiod.errors import INVALID_ARGUMENT, INVALID_URI, Refused
from radiod.testing import make_principal
from radiod.wire.codecs import CBOR, JSON, MSGPACK, Payload

BOOKS = Books(most=100_000)
TABLE = {
    name: entry for name, entry in BOOKS.realm.procedures.table.items() if name.startswith("radiod.admin.")
}
DOCUMENTED = {
    value
    for name, value in vars(errors).items()
    if name.isupper() and isinstance(value, str) and value.startswith(("wamp.error.", "radiod.error."))
}
EXPECTED = {
    errors.INVALID_ARGUMENT,
    errors.INVALID_URI,
    errors.NO_SUCH_KEY,
    errors.NO_SUCH_ACCOUNT,
    errors.NO_SUCH_USER,
    errors.QUOTA,
}
ISSUED = BOOKS.issue(listen=["a"])["id"]
BOOKS.ask("account.set", "acme")
BOOKS.ask("user.set", "ann", "reader", ticket="t", account="acme")

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats()
    | st.text(max_size=8)
    | st.binary(max_size=8)
    | st.sampled_from(
        [
            ISSUED, "acme", "ann", "reader", "nobody", "radio", "elsewhere", "active", "suspended", "revoked",
            "*", "a.*", "a..b", "a*", "", " ", "\0", "é" * 300, "2027-12-31T00:00:00Z", "9999-99-99T99:99:9",
            "https://www.example.org", "10.0.0.0/8", "10.1", "unix", "socket:0", "k_123456789012", 64 * "a",
            0, 1, 86_400, 1e300, -0.0, 2**53,
        ]
    )
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
SCRAM = st.fixed_dictionaries(
    {},
    optional={
        "kdf": st.sampled_from(["argon2id13", "pbkdf2", "x"]),
        "salt": st.sampled_from(["00", "0", 7]),
        "iterations": st.sampled_from([1, 0, 10**8, 1.0]),
        "memory": st.sampled_from([None, 8, 7]),
        "stored_key": st.sampled_from([64 * "0", "0"]),
        "server_key": st.sampled_from([64 * "0", None]),
    },
)


def arguments(name):
    """Those that a procedure has, and others."""
    signature = TABLE[name][0]
    known = {
        each: VALUES | SCRAM if each == "scram" else VALUES
        for each, default in signature.items()
        if default is not REQUIRED
    }
    needed = {each: SCALARS for each, default in signature.items() if default is REQUIRED}
    return st.fixed_dictionaries(needed, optional=known) | st.dictionaries(
        st.sampled_from([*signature, "other"]), VALUES, max_size=4
    )


CALLS = st.sampled_from(sorted(TABLE)).flatmap(
    lambda name: st.tuples(st.just(name), st.lists(VALUES, max_size=2), arguments(name))
)


@given(CALLS, st.sampled_from([JSON, MSGPACK, CBOR]))
def test_any_arguments_are_answered(call, codec):
    name, args, kwargs = call
    session = Session(1, make_principal("boss"), None)
    payload = _payload(codec, args, kwargs)
    told = []
    try:
        answer = BOOKS.realm.procedures.call(session, name, payload)
    except Refused as refusal:
        told.append(refusal)
    else:
        if hasattr(answer, "then"):
            answer.then(told.append)
        else:
            told.append(answer)
    BOOKS.clock.advance(0)
    (outcome,) = told
    if isinstance(outcome, Refused):
        assert outcome.uri in EXPECTED & DOCUMENTED
        assert outcome.text.isprintable()
        assert len(outcome.text) < 1000
    else:
        (value,), rest = outcome.values()
        assert isinstance(value, dict)
        assert rest == {}
        # Whatever it is, it can be told in JSON.
        JSON.dump(value)


def _payload(codec, args, kwargs):
    """As a message would bring it; where a serializer cannot say it, in one that can."""
    try:
        return Payload(codec, codec.dump(args), codec.dump(kwargs))
    except (TypeError, ValueError, OverflowError):
        return Payload(CBOR, CBOR.dump(args), CBOR.dump(kwargs))


class TestChecks:
    """What is refused, and what is made of what is not."""

    @pytest.mark.parametrize("value", [["a"], ["a.b.*", "a..c", "*"], ("a",), []])
    def test_patterns(self, value):
        assert checks.patterns("x", value) == tuple(value)

    @pytest.mark.parametrize("value", ["a", None, {}, [1], [None], ["a"] * 1001])
    def test_what_is_no_list_of_patterns(self, value):
        assert refused(checks.patterns, value) == INVALID_ARGUMENT

    @pytest.mark.parametrize("value", ["", "a*", "*a", "a.*.b", "a..*", ".*", "a b", "a.#", "x" * 256, "**"])
    def test_what_is_no_pattern(self, value):
        assert refused(checks.patterns, [value]) == INVALID_URI

    @pytest.mark.parametrize(
        ("value", "date"), [(None, None), (0, 0.0), (1.5, 1.5), ("2027-12-31T00:00:00Z", 1_830_211_200.0)]
    )
    def test_dates(self, value, date):
        assert checks.date("x", value) == date

    @pytest.mark.parametrize(
        "value", [True, -1, 1e300, float("nan"), float("inf"), "", "2027-12-31", "soon", [], 2**63]
    )
    def test_what_is_no_date(self, value):
        assert refused(checks.date, value) == INVALID_ARGUMENT

    @pytest.mark.parametrize("value", ["HTTPS://Example.org", "https://example.org:443", "http://[::1]:80"])
    def test_origins(self, value):
        (origin,) = checks.origins("x", [value])
        assert origin in ("https://example.org", "http://[::1]")

    @pytest.mark.parametrize("value", ["example.org", "*", "null", "https://a/b", "", "ftp://a"])
    def test_what_is_no_origin(self, value):
        assert refused(checks.origins, [value]) == INVALID_ARGUMENT

    @pytest.mark.parametrize("value", ["10.0.0.0/8", "192.0.2.1", "2001:db8::/32", "unix"])
    def test_networks(self, value):
        assert checks.networks("x", [value]) == (value,)

    @pytest.mark.parametrize("value", ["10.0.0.1/8", "10.1", "example.org", ""])
    def test_what_is_no_network(self, value):
        assert refused(checks.networks, [value]) == INVALID_ARGUMENT

    @pytest.mark.parametrize("value", ["", " a", "a ", "a\nb", "x" * 256, "\ud800", None, 7])
    def test_what_is_no_name(self, value):
        assert refused(checks.name, value) == INVALID_ARGUMENT

    @pytest.mark.parametrize("value", ["é", "a b", "x" * 255])
    def test_names(self, value):
        assert checks.name("x", value) == value

    @pytest.mark.parametrize("value", [0, 1, None, "true"])
    def test_what_is_neither_true_nor_false(self, value):
        assert refused(checks.boolean, value) == INVALID_ARGUMENT


def refused(check, value):
    with pytest.raises(Refused) as refusal:
        check("x", value)
    return refusal.value.uri
