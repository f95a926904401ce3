"""Static permissions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiod.auth.roles import CACHE_SIZE, StaticPermissions
from radiod.core.rights import Action, Disclose
from radiod.core.uris import MAX_URI_LENGTH, matches, selects
from radiod.testing import make_realm
from radiod.wire.options import CallOptions, PublishOptions, RegisterOptions, SubscribeOptions

ROLE = StaticPermissions(
    {Action.SUBSCRIBE: ("*",), Action.PUBLISH: ("a.b", "c.*", "d..f"), Action.CALL: ()}, ("x.*", "c.secret")
)
EVERYTHING = dict.fromkeys(Action, ("*",))
CONTROL = [
    "wamp.session.kill",
    "wamp.session.kill_by_authid",
    "wamp.session.kill_by_authrole",
    "wamp.session.kill_all",
    "wamp.subscription.remove_subscriber",
    "wamp.registration.remove_callee",
]
OPTIONS = {
    Action.SUBSCRIBE: SubscribeOptions,
    Action.PUBLISH: PublishOptions,
    Action.CALL: CallOptions,
    Action.REGISTER: RegisterOptions,
}


def verdict(permissions, action, uri, **options):
    return permissions.decide(None, action, uri, OPTIONS[action](**options))


def may(permissions, action, uri, match):
    return verdict(permissions, action, uri, match=match).is_allowed


@pytest.mark.parametrize(
    ("action", "uri", "is_allowed"),
    [
        (Action.SUBSCRIBE, "anything", True),
        (Action.SUBSCRIBE, "x.anything", False),
        (Action.PUBLISH, "a.b", True),
        (Action.PUBLISH, "a.b.c", False),
        (Action.PUBLISH, "c.d.e", True),
        (Action.PUBLISH, "c", False),
        (Action.PUBLISH, "c.secret", False),
        (Action.PUBLISH, "d.e.f", True),
        (Action.PUBLISH, "d.e.e.f", False),
        (Action.CALL, "a.b", False),
        (Action.REGISTER, "a.b", False),
    ],
)
def test_a_pattern_allows_and_deny_wins(action, uri, is_allowed):
    # The second answers are remembered ones.
    for _ in range(2):
        assert ROLE.allows(action, uri) is is_allowed
        assert verdict(ROLE, action, uri).is_allowed is is_allowed
    assert ROLE.hides(uri) is not ROLE.allows(Action.SUBSCRIBE, uri)


def test_remembered_decisions_are_bounded():
    for index in range(CACHE_SIZE + 10):
        assert ROLE.allows(Action.SUBSCRIBE, f"t{index}")
    assert len(ROLE._cache) <= CACHE_SIZE


def test_a_decision_on_what_is_too_long_for_a_uri_is_not_remembered():
    """HTTP and procedures ask about whatever was sent to them; ten thousand of a megabyte fill the memory."""
    long = "x" * (MAX_URI_LENGTH + 1)
    assert ROLE.allows(Action.SUBSCRIBE, long)
    assert not ROLE.allows(Action.PUBLISH, long)
    assert not any(uri == long for _, _, uri in ROLE._cache)


class TestPatterns:
    LISTED = ("a.*", "b..d", "e.f")

    @pytest.mark.parametrize("action", [Action.SUBSCRIBE, Action.REGISTER])
    @pytest.mark.parametrize(
        ("match", "uri", "is_allowed"),
        [
            ("prefix", "a.", True),
            ("prefix", "a.b", True),
            ("prefix", "a", False),
            ("prefix", "", False),
            ("prefix", "b.c.d", False),
            ("prefix", "e.f", False),
            ("wildcard", "a.", True),
            ("wildcard", "a..c", True),
            ("wildcard", "b..d", True),
            ("wildcard", "b.c.d", True),
            ("wildcard", "e.f", True),
            ("wildcard", "b..", False),
            ("wildcard", ".f", False),
            ("exact", "e.f", True),
            ("exact", "e.g", False),
        ],
    )
    def test_need_one_pattern_that_covers_all_of_them(self, action, match, uri, is_allowed):
        permissions = StaticPermissions({action: self.LISTED})
        for _ in range(2):
            assert may(permissions, action, uri, match) is is_allowed

    def test_are_remembered_apart_from_the_same_exact_uri(self):
        permissions = StaticPermissions({Action.SUBSCRIBE: ("a",)})
        assert may(permissions, Action.SUBSCRIBE, "a", "exact")
        assert not may(permissions, Action.SUBSCRIBE, "a", "prefix")
        assert may(permissions, Action.SUBSCRIBE, "a", "wildcard")

    def test_may_be_subscribed_around_what_is_denied_and_that_is_hidden(self):
        permissions = StaticPermissions({Action.SUBSCRIBE: ("a.*",)}, ("a.secret", "x.*"))
        assert may(permissions, Action.SUBSCRIBE, "a.", "prefix")
        assert not may(permissions, Action.SUBSCRIBE, "a.secret", "exact")
        assert permissions.hides("a.secret")
        assert permissions.hides("b")
        assert not permissions.hides("a.open")

    def test_may_not_be_registered_around_what_is_denied(self):
        listed = {Action.REGISTER: ("a.*",)}
        assert may(StaticPermissions(listed), Action.REGISTER, "a.", "prefix")
        denied = StaticPermissions(listed, ("a.secret",))
        assert not may(denied, Action.REGISTER, "a.", "prefix")
        assert not may(denied, Action.REGISTER, "a.", "wildcard")
        assert may(denied, Action.REGISTER, "a.open", "exact")

    def test_the_routers_topics_are_subscribed_like_any_other(self):
        assert may(StaticPermissions(EVERYTHING), Action.SUBSCRIBE, "wamp.", "prefix")
        assert not may(StaticPermissions({Action.SUBSCRIBE: ("a.*",)}), Action.SUBSCRIBE, "wamp.", "prefix")


class TestControl:
    def test_this_is_about_every_procedure_that_acts_on_others(self):
        acting = {name for name in make_realm().procedures.table if "kill" in name or ".remove_" in name}
        assert acting == set(CONTROL)

    @pytest.mark.parametrize("procedure", CONTROL)
    def test_everything_does_not_include_it(self, procedure):
        assert not StaticPermissions({Action.CALL: ("*",)}).allows(Action.CALL, procedure)
        three = {action: ("*",) for action in Action if action is not Action.REGISTER}
        assert not StaticPermissions(three).allows(Action.CALL, procedure)

    @pytest.mark.parametrize("procedure", CONTROL)
    @pytest.mark.parametrize("pattern", ["..", "..kill", ".session.", "a.*"])
    def test_nor_does_a_pattern_that_happens_to_match(self, procedure, pattern):
        assert not StaticPermissions({Action.CALL: (pattern, "*")}).allows(Action.CALL, procedure)

    @pytest.mark.parametrize("procedure", CONTROL)
    def test_who_may_do_everything_may_do_this(self, procedure):
        assert StaticPermissions(EVERYTHING).allows(Action.CALL, procedure)
        assert not StaticPermissions(EVERYTHING, ("wamp.*",)).allows(Action.CALL, procedure)

    @pytest.mark.parametrize("procedure", CONTROL)
    @pytest.mark.parametrize("others", [(), ("*",)])
    def test_who_has_it_by_name_may_do_it(self, procedure, others):
        family = procedure.rpartition(".")[0] + ".*"
        for name in (procedure, family, "wamp.*", "wamp.."):
            assert StaticPermissions({Action.CALL: (*others, name)}).allows(Action.CALL, procedure)
        other = StaticPermissions({Action.CALL: (*others, "wamp.session.count")})
        assert not other.allows(Action.CALL, procedure)

    @pytest.mark.parametrize(
        "procedure", ["wamp.session.count", "wamp.subscription.get", "wamp.session.add_testament"]
    )
    def test_the_rest_of_the_meta_api_is_called_like_any_procedure(self, procedure):
        assert StaticPermissions({Action.CALL: ("*",)}).allows(Action.CALL, procedure)

    def test_it_is_about_calling_alone(self):
        assert StaticPermissions({Action.SUBSCRIBE: ("*",)}).allows(Action.SUBSCRIBE, CONTROL[0])


class TestGivingAccess:
    """``radiod.admin.*``: no pattern that was meant for something else may lead there."""

    PROCEDURES = (
        "radiod.admin.key.issue",
        "radiod.admin.audit",
        "radiod.admin.backup",
        "radiod.admin.future",
    )

    @pytest.mark.parametrize("procedure", PROCEDURES)
    @pytest.mark.parametrize(
        "call", [("*",), ("radiod.*",), ("radiod..",), ("radiod...",), (".admin..",), ("..",), ("...",), ()]
    )
    def test_what_does_not_begin_with_its_name_is_not_enough(self, procedure, call):
        permissions = StaticPermissions({Action.CALL: call, Action.REGISTER: ("*",)})
        for _ in range(2):
            assert not permissions.allows(Action.CALL, procedure)
            assert not verdict(permissions, Action.CALL, procedure).is_allowed
        assert permissions.hides_procedure(procedure)

    @pytest.mark.parametrize("procedure", PROCEDURES)
    def test_not_even_of_who_may_do_everything(self, procedure):
        assert not StaticPermissions(EVERYTHING).allows(Action.CALL, procedure)
        assert StaticPermissions(EVERYTHING).hides_procedure(procedure)

    @pytest.mark.parametrize(
        ("pattern", "may"),
        [
            ("radiod.admin.*", ["key.issue", "key.get", "audit"]),
            ("radiod.admin.key.*", ["key.issue", "key.get"]),
            ("radiod.admin.key.get", ["key.get"]),
            ("radiod.admin..get", ["key.get"]),
            ("radiod.admin", []),
            ("radiod.administrators.*", []),
        ],
    )
    @pytest.mark.parametrize("others", [(), ("*",), ("radiod.*",)])
    def test_what_begins_with_it_allows_what_it_matches(self, pattern, may, others):
        permissions = StaticPermissions({Action.CALL: (*others, pattern)})
        found = [
            p
            for p in ("key.issue", "key.get", "audit")
            if permissions.allows(Action.CALL, f"radiod.admin.{p}")
        ]
        assert found == may
        assert [p for p in found if permissions.hides_procedure(f"radiod.admin.{p}")] == []

    def test_deny_wins(self):
        permissions = StaticPermissions({Action.CALL: ("radiod.admin.*",)}, ("radiod.admin.backup",))
        assert permissions.allows(Action.CALL, "radiod.admin.audit")
        assert not permissions.allows(Action.CALL, "radiod.admin.backup")

    def test_other_procedures_of_the_router_are_as_before(self):
        assert StaticPermissions({Action.CALL: ("*",)}).allows(Action.CALL, "radiod.server.info")
        assert StaticPermissions({Action.CALL: ("radiod.*",)}).allows(Action.CALL, "radiod.administer")


class TestWhatIsTold:
    @pytest.mark.parametrize("disclose", Disclose)
    def test_identities_are_revealed_as_the_role_says_and_always_where_it_is_disclosed(self, disclose):
        permissions = StaticPermissions(EVERYTHING, disclose=disclose, disclosed=("a.*", "b"))
        for action in (Action.PUBLISH, Action.CALL):
            assert verdict(permissions, action, "c").disclose is disclose
            assert verdict(permissions, action, "a.x").disclose is Disclose.ALWAYS
            assert verdict(permissions, action, "b").disclose is Disclose.ALWAYS

    def test_only_when_asked_and_without_a_trust_level_if_nothing_is_said(self):
        told = verdict(StaticPermissions(EVERYTHING), Action.PUBLISH, "a")
        assert (told.disclose, told.trustlevel) == (Disclose.ASKED, None)

    @pytest.mark.parametrize("trustlevel", [0, 3])
    def test_the_trust_level_goes_with_everything_allowed_and_nothing_denied(self, trustlevel):
        permissions = StaticPermissions(EVERYTHING, ("x",), trustlevel=trustlevel, disclosed=("x",))
        assert verdict(permissions, Action.CALL, "a").trustlevel == trustlevel
        denied = verdict(permissions, Action.CALL, "x")
        assert (denied.is_allowed, denied.disclose, denied.trustlevel) == (False, Disclose.ASKED, None)


URIS = ["a", "b", "a.a", "a.b", "b.a", "a.a.b", "a.b.b", "b.b.b"]
patterns = st.lists(st.sampled_from(["*", "a", "a.*", "a.b", "a..b", ".b", "b.*", ".."]), max_size=3).map(
    tuple
)
asked = st.one_of(
    st.tuples(st.just("prefix"), st.sampled_from(["", "a", "a.", "a.b", "b."])),
    st.tuples(st.just("wildcard"), st.sampled_from(["", "a.", ".b", "a..b", "..", "a.b"])),
)


@given(patterns, patterns, asked)
def test_no_pattern_leads_to_what_may_not_be_used_by_name(listed, denied, one):
    """A subscription sees what its holder may subscribe to; a registration answers what it may register."""
    match, uri = one
    permissions = StaticPermissions(dict.fromkeys(Action, listed), denied)
    under = [name for name in URIS if selects(match, uri, name)]
    if may(permissions, Action.REGISTER, uri, match):
        assert all(permissions.allows(Action.REGISTER, name) for name in under)
    if may(permissions, Action.SUBSCRIBE, uri, match):
        visible = [name for name in under if not permissions.hides(name)]
        assert visible == [name for name in under if not any(matches(pattern, name) for pattern in denied)]


class TestTakingOver:
    """Whoever may remove a callee may take its place; nobody else may take it from other people."""

    @pytest.mark.parametrize(
        ("call", "denied", "may"),
        [
            (("wamp.registration.*",), (), True),
            (("wamp.registration.remove_callee",), (), True),
            (("*",), (), False),
            ((), (), False),
            (("wamp.session.*",), (), False),
            (("wamp.*",), ("wamp.registration.*",), False),
        ],
    )
    def test_needs_the_right_to_act_on_others(self, call, denied, may):
        permissions = StaticPermissions({Action.REGISTER: ("p",), Action.CALL: call}, denied)
        assert verdict(permissions, Action.REGISTER, "p").may_take_over is may

    def test_is_for_who_may_do_everything(self):
        permissions = StaticPermissions(EVERYTHING)
        assert verdict(permissions, Action.REGISTER, "p", match="prefix").may_take_over
        assert not verdict(permissions, Action.CALL, "p").may_take_over

    def test_needs_the_right_to_register_besides(self):
        permissions = StaticPermissions({Action.CALL: ("wamp.*",)})
        assert not verdict(permissions, Action.REGISTER, "p").may_take_over


@pytest.mark.parametrize(
    ("call", "is_steward"),
    [
        (("radiod.channel.*",), True),
        (("*", "radiod.channel.delete"), True),
        (("radiod.channel.get",), False),
        (("radiod.*",), False),
        (("*",), False),
    ],
)
def test_acting_on_others_channels_needs_a_pattern_that_names_them(call, is_steward):
    permissions = StaticPermissions({Action.CALL: call})
    assert permissions.may_act_on_others("radiod.channel.delete") is is_steward


def test_who_may_do_everything_may_act_on_others_channels_unless_that_is_denied():
    assert StaticPermissions(EVERYTHING).may_act_on_others("radiod.channel.delete")
    denied = StaticPermissions(EVERYTHING, ("radiod.channel.delete",))
    assert not denied.may_act_on_others("radiod.channel.delete")
