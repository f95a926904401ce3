"""One channel: names, users, rules, and what is held of keys."""

import pytest
from msgspec import structs

from radiod.core.channels.channel import Channel, check_name, user_of
from radiod.core.ids import digest
from radiod.core.uris import MAX_URI_LENGTH
from radiod.errors import BAD_NAME, Refused
from radiod.testing import make_principal, make_realm


class TestUsers:
    @pytest.mark.parametrize(
        ("method", "user"), [("ticket", ("joe", "tester")), ("anonymous", (None, "tester"))]
    )
    def test_anonymous_sessions_of_a_role_are_one(self, method, user):
        assert user_of(structs.replace(make_principal("joe"), authmethod=method)) == user


class TestNames:
    @pytest.mark.parametrize(
        "name", ["a", "a.b", "a-b_c", "wamp", "radiod", "wampx.y", "ä.\u30e9", "x" * 255]
    )
    def test_are_uris(self, name):
        check_name(name)

    @pytest.mark.parametrize(
        "name",
        [
            "", ".", "a.", ".a", "a..b", "a b", "a#b", "a\0", "a\nb", "a\x85",
            # These do not show, or turn what does.
            "a\u200b", "\u202ea", "a\u00a0b", "a\ufeff",
            "wamp.", "wamp.x", "radiod.", "radiod.x", "radiod.presence.a",
            "*", "a.*", "a*",
            "x" * (MAX_URI_LENGTH + 1), "x." * 1_000_000,
        ],
        ids=lambda name: repr(name)[:20],
    )  # fmt: skip
    def test_that_cannot_be_are_refused(self, name):
        with pytest.raises(Refused) as refusal:
            check_name(name)
        assert refusal.value.uri == BAD_NAME
        assert refusal.value.text.isprintable()


class TestChannel:
    def test_has_its_listeners_where_its_space_is(self):
        realm = make_realm()
        public = Channel("a", realm.space)
        hidden = Channel("a", realm.make_space(is_private=True), key_hash=digest("secret"))
        assert public.topic == realm.space.at("a") == (realm.space.broker, "a")
        assert public.topic != hidden.topic
        assert (public.is_public, hidden.is_public) == (True, False)

    def test_begins_with_nobody_and_without_an_end(self):
        channel = Channel("a", make_realm().space)
        assert (channel.owner, channel.members, channel.ends_at) == (None, {}, None)
        assert (channel.deadline, channel.grace, channel.is_ended, channel.is_saved) == (
            None,
            None,
            False,
            False,
        )
        assert channel.traffic.events == 0
