import pytest

from radiod.core.cluster.membership import MAX_BURIED, MAX_KEPT, Membership, OtherNode


@pytest.fixture
def members():
    made = Membership(5.0, 0.0)
    made.connect(0.0)
    return made


def let_in(members, incarnation, now=0.0, name=""):
    other = members.meet(incarnation, name or f"n{incarnation}", "", now)
    members.let_in(other, now)
    return other


class TestDeath:
    def test_who_is_silent_for_so_long_is_dead(self, members):
        let_in(members, 1)
        assert members.dead(4.9) == []
        assert members.dead(5.0) == [1]

    def test_whom_the_engine_does_not_find_is_dead_sooner(self, members):
        let_in(members, 1).missing = 1.0
        assert members.dead(2.4) == []
        assert members.dead(2.5) == [1]

    def test_who_is_heard_is_alive(self, members):
        other = let_in(members, 1)
        other.missing = 1.0
        members.hear(other, 2.0)
        assert members.dead(6.9) == []

    def test_nobody_is_dead_because_we_slept(self, members):
        let_in(members, 1)
        members.be_patient(60.0)
        assert members.dead(62.4) == []
        assert members.dead(62.5) == [1]

    def test_the_dead_stay_dead_until_we_begin_anew(self, members):
        let_in(members, 1)
        members.bury(1)
        assert members.is_buried(1)
        assert members.find(1) is None
        assert members.begin_anew(7, 1.0) == []
        assert not members.is_buried(1)

    def test_whom_we_have_not_heard_of_may_be_alive_when_we_begin(self, members):
        assert not members.is_gone(1, 4.9)
        assert members.is_gone(1, 5.0)
        members.connect(60.0)
        assert not members.is_gone(1, 64.9)
        members.begin_anew(7, 100.0)
        assert not members.is_gone(1, 104.9)
        assert members.is_gone(1, 105.0)

    def test_nor_is_anybody_gone_because_we_slept(self, members):
        members.be_patient(60.0)
        assert not members.is_gone(1, 62.4)
        assert members.is_gone(1, 62.5)

    def test_whom_we_know_is_not_gone_and_whom_we_buried_is(self, members):
        let_in(members, 1)
        assert not members.is_gone(1, 60.0)
        members.bury(1)
        assert members.is_gone(1, 1.0)

    def test_what_we_were_before_is_gone(self, members):
        members.begin_anew(7, 1.0)
        assert members.is_gone(7, 1.0)

    def test_only_so_many_dead_are_remembered(self, members):
        for incarnation in range(1, MAX_BURIED + 2):
            members.bury(incarnation)
        assert [members.is_buried(one) for one in (1, 2, MAX_BURIED + 1)] == [False, True, True]


class TestIsolation:
    def test_who_took_others_for_dead_in_isolation_is_until_it_is_another(self, members):
        let_in(members, 1)
        members.bury(1)
        members.is_in_doubt = True
        members.disconnect(10.0)
        members.connect(11.0)
        assert members.is_cut_off(11.0)
        members.reached_most(11.0)
        assert members.is_cut_off(11.1)
        members.begin_anew(7, 11.2)
        assert not members.is_cut_off(11.2)

    def test_who_never_had_others_is_not_alone(self, members):
        assert not members.is_cut_off(100.0)

    def test_who_hears_nobody_of_those_it_had_is(self, members):
        let_in(members, 1)
        assert not members.is_cut_off(2.4)
        assert members.is_cut_off(2.5)
        members.bury(1)
        assert members.is_cut_off(100.0)

    def test_who_saw_all_others_go_is_not(self, members):
        let_in(members, 1)
        members.say_goodbye(1)
        assert not members.is_cut_off(100.0)

    def test_who_reaches_most_of_the_engine_is_not(self, members):
        let_in(members, 1)
        members.reached_most(2.0)
        assert not members.is_cut_off(4.4)
        assert members.is_cut_off(4.5)

    def test_without_a_connection_nothing_is_reached(self, members):
        members.disconnect(1.0)
        members.reached_most(2.0)
        assert not members.is_cut_off(2.4)
        assert members.is_cut_off(2.5)

    def test_whom_the_others_do_not_let_in_is_cut_off(self, members):
        members.meet(1, "a", "", 0.0)
        assert members.is_cut_off(2.5)


def test_who_is_not_let_in_is_not_found(members):
    members.meet(1, "a", "", 0.0)
    assert (members.find(1), members.inside, members.name(1), members.name(2)) == (None, [], "a", "2")
    assert members.named("a").incarnation == 1
    assert members.named("b") is None


def test_only_the_latest_questions_would_be_known_again():
    other = OtherNode(1, "a", "", 0.0)
    for id in range(1, MAX_KEPT + 2):
        other.note_kept(id, True)
    assert list(other.kept) == list(range(2, MAX_KEPT + 2))
