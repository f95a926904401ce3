"""A realm on fakes, which an operator looks at."""

import pytest
from support.realms import World

from radiod.admin.channels import ChannelsView
from radiod.admin.listeners import ListenersView
from radiod.admin.sessions import SessionsView
from radiod.admin.usage import HourView


class Watched(World):
    """A world whose realm has the views of operators."""

    def __init__(self, **options):
        super().__init__(**options)
        realm = self.realm
        for family in (
            SessionsView(realm),
            ListenersView(realm),
            ChannelsView(realm, self.clock),
            HourView(realm.ledger, realm.slices),
        ):
            realm.procedures.table |= family.procedures


@pytest.fixture
def world():
    return Watched()


@pytest.fixture
def operator(world):
    return world.caller("operator", "admin")


@pytest.fixture
def narrow(world):
    """An operator who may know of what begins with ``open.``, and of nothing else."""
    return world.caller("narrow", "watcher", permissions=OpenOnly())


class OpenOnly:
    """Permissions to call anything, and to know of topics that begin with ``open.``."""

    rate_limit = None
    may_hold_publishers = True

    def decide(self, actor, action, uri, options):
        from radiod.core.rights import Verdict

        return Verdict(is_allowed=True)

    def allows(self, action, uri):
        return uri.startswith(("open.", "radiod.admin."))

    def hides(self, topic):
        return not topic.startswith("open.")

    def hides_procedure(self, procedure):
        return False

    def may_act_on_others(self, procedure):
        return False
