"""Every procedure of the router under ``radiod.``: arguments, rights, and those that are not there."""

import pytest
from support.realms import SIGNATURES

from radiod.core.ports import Action
from radiod.errors import INVALID_ARGUMENT, NO_SUCH_PROCEDURE, NOT_AUTHORIZED
from radiod.testing import Allow
from radiod.wire.codecs import CBOR, CODECS

INFO = "radiod.server.info"
ECHO = "radiod.echo"


class TestArguments:
    @pytest.mark.parametrize("procedure", SIGNATURES)
    def test_too_many_are_refused(self, caller, procedure):
        assert caller.call(procedure, *["a"] * (len(SIGNATURES[procedure]) + 1)) == INVALID_ARGUMENT

    @pytest.mark.parametrize("procedure", SIGNATURES)
    @pytest.mark.parametrize("name", ["unknown", "self", "session", "", "x" * 1000, "a\nb"])
    def test_unknown_ones_are_refused(self, caller, procedure, name):
        assert caller.call(procedure, **{name: 1}) == INVALID_ARGUMENT

    @pytest.mark.parametrize("procedure", [name for name, parameters in SIGNATURES.items() if parameters])
    def test_one_given_twice_is_refused(self, caller, procedure):
        first = next(iter(SIGNATURES[procedure]))
        assert caller.call(procedure, "a", **{first: "a"}) == INVALID_ARGUMENT

    @pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
    def test_a_payload_that_cannot_be_parsed_is_refused(self, world, codec):
        caller = world.caller(codec=codec)
        malformed = {
            # A keyword that is no string, a number out of range, a string that is not UTF-8.
            "cbor": CBOR.dump([48, 1, {}, INFO, [], {1: 2}]),
            "json": b'[48,1,{},"radiod.server.info",[1e999]]',
            "msgpack": b"\x95\x30\x01\x80\xb2radiod.server.info\x91\xa1\xff",
        }
        message = malformed[codec.name]
        caller.send_message(codec.decode(message))
        (answer,) = caller.received()
        assert answer[:5] == [8, 48, 1, {}, INVALID_ARGUMENT]


class TestUnknown:
    @pytest.mark.parametrize("name", ["radiod.nothing", "radiod.channel.created"])
    def test_what_is_not_there_is_no_such_procedure(self, caller, name):
        assert caller.call(name, 1) == NO_SUCH_PROCEDURE


class TestRights:
    @pytest.mark.parametrize("procedure", [*SIGNATURES, ECHO])
    def test_every_procedure_needs_the_right_to_call_it(self, world, procedure):
        mallory = world.caller(permissions=Allow(Action.PUBLISH, Action.SUBSCRIBE, Action.REGISTER))
        assert mallory.call(procedure) == NOT_AUTHORIZED


class TestEcho:
    @pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
    def test_echo_answers_with_what_it_got(self, world, codec):
        echo = world.caller(codec=codec)
        assert echo.ask(48, 1, {}, ECHO, [1, "x", [None]], {"k": b"\0"}) == [
            50,
            1,
            {},
            [1, "x", [None]],
            {"k": b"\0"},
        ]
        assert echo.ask(48, 2, {}, ECHO) == [50, 2, {}]
