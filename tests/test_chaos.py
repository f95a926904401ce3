"""Chaos itself: scenarios run against a real server, and what must hold is really looked at."""

from random import Random

import pytest
from chaos import files, kills, machine, runs
from chaos.crowd import Figures, judge, slower
from chaos.scene import Scene, patient, watched
from fuzz.target import Finding

FINE = Figures(0.5, 3.0, 0.3, 3.0, 1000, 0, 0.1, 0.01, 64.0)
EPOCH = "e"


def scene(folder, seconds=0.0):
    return Scene(folder, Random(1), seconds)


@pytest.mark.e2e
@pytest.mark.parametrize(
    "play", [kills.play, machine.descriptors, files.disk, files.no_tmp, files.locked_disk]
)
def test_a_short_scenario_is_ok(tmp_path, play):
    try:
        assert play(scene(tmp_path))
    except runs.Skipped as reason:
        # Written by .ci/run as what this machine cannot do, and no failure.
        pytest.skip(f"no network namespaces: {reason}")


def miss_an_event(folder):
    with watched(scene(folder)) as (_, oracle):
        number = oracle._published = oracle._published + 1
        oracle.publisher.ask([16, number, {"acknowledge": True}, "own.events", ["another"]])
        oracle.check()


def end_the_server(folder):
    with watched(scene(folder)) as (server, oracle):
        server.process.kill()
        server.process.wait()
        oracle.check()


@pytest.mark.e2e
@pytest.mark.parametrize(
    ("what", "found"), [(miss_an_event, "instead of event"), (end_the_server, "has ended")]
)
def test_what_a_bystander_notices_is_a_finding(tmp_path, what, found):
    with pytest.raises(Finding, match=found):
        what(tmp_path)


class TestModel:
    HELD = [(1, ("a", 0)), (2, ("b", 0)), (3, ("a", 1))]

    def model(self):
        model = kills.Model()
        model.acknowledged = {event for _, event in self.HELD}
        model.followed = self.HELD[:2]
        return model

    def test_what_was_acknowledged_is_there(self):
        self.model().look(EPOCH, [*self.HELD, (4, ("b", 1))])

    @pytest.mark.parametrize(
        ("held", "what"),
        [
            (HELD[:2], "missing"),
            ([*HELD, (4, ("a", 1))], "twice"),
            ([*HELD[:2], (4, ("a", 1))], "count"),
            ([(1, ("a", 1)), (2, ("b", 0)), (3, ("a", 0))], "in order"),
            ([(1, ("b", 0)), (2, ("a", 0)), (3, ("a", 1))], "follower"),
        ],
    )
    def test_what_is_wrong_is_found(self, held, what):
        with pytest.raises(Finding, match=what):
            self.model().look(EPOCH, held)

    def test_another_epoch_is_found(self):
        model = self.model()
        model.look(EPOCH, self.HELD)
        with pytest.raises(Finding, match="epoch"):
            model.look("other", self.HELD)


class TestCrowd:
    def test_twice_as_long_is_fine(self):
        judge(FINE, FINE._replace(events_p99=6.0), [], "")

    @pytest.mark.parametrize(
        "change", [{"events_p99": 6.1}, {"calls_p99": 6.1}, {"lost": 1}, {"mib": 2000.0}]
    )
    def test_more_is_found(self, change):
        with pytest.raises(Finding):
            judge(FINE, FINE._replace(**change), [], "")

    def test_what_is_lost_on_the_way_is_found(self):
        with pytest.raises(Finding, match="lost"):
            judge(FINE, FINE, [FINE._replace(lost=1)], "")

    def test_the_machine_s_own_waking_up_is_no_slowness(self):
        assert slower(FINE._replace(events_p99=0.5), FINE) == {}


class TestRuns:
    def test_a_broken_promise_is_told_with_its_seed(self, monkeypatch, capsys):
        def broken(scene):
            patient(lambda: False, "it never came", 0.0)

        monkeypatch.setitem(runs.SCENARIOS, "broken", (1, broken))
        assert runs.main(0, "7", "broken") == 1
        told = capsys.readouterr().out
        assert "FAILED  broken" in told
        assert "it never came\n  again: make chaos CHAOS_ONLY=broken CHAOS_SEED=7" in told

    def test_an_error_of_the_scenario_is_a_failure_too(self, monkeypatch):
        monkeypatch.setitem(runs.SCENARIOS, "broken", (1, lambda scene: 1 / 0))
        assert runs.main(0, "7", "broken") == 1

    def test_what_is_fine_is_ok(self, monkeypatch, capsys):
        monkeypatch.setitem(runs.SCENARIOS, "fine", (1, lambda scene: "3 of 3"))
        assert runs.main(0, "7", "fine") == 0
        assert "3 of 3" in capsys.readouterr().out

    def test_a_name_that_is_none_is_refused(self):
        assert runs.main(0, "7", "nothing") == 2
