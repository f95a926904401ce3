"""What is measured of speeds: everybody has a turn in each round, and who is too slow is a fault."""

from benchmarks.validation import speed
from benchmarks.validation.settings import Settings
from benchmarks.validation.speed import Size


def test_all_have_turns_in_turn_and_the_best_of_each_counts(monkeypatch, tmp_path):
    order = []

    def engine(name):
        def measured(folder, size, trips):
            order.append(name)
            return 10.0 * len(order)

        return measured

    monkeypatch.setattr(speed, "ENGINES", {name: engine(name) for name in ("one", "two")})
    monkeypatch.setattr(speed, "SLOW", {"two"})
    assert speed.measure(tmp_path, Size(2, 1.0, 1, 1, 3, 1)) == {"one": 40.0, "two": 20.0}
    assert order == ["one", "two", "one", "one"]


def test_ratios_that_are_wanted_and_not_there_are_counted(monkeypatch, capsys, tmp_path):
    found = {"ltm": 100.0, "ltm compiled": 150.0, "UXsim": 10.0, "SUMO meso": 60.0, "SUMO micro": 1.0}
    monkeypatch.setattr(speed, "measure", lambda folder, size: found)
    monkeypatch.setattr(speed.bench, "agents", lambda: "a line")
    monkeypatch.setattr(speed, "_python", lambda *command: "100000 2.5 180 230")
    # 1.67 times SUMO meso, and 1.5 times NumPy.
    assert speed.run(Settings(tmp_path)) == 2
    told = capsys.readouterr().out
    assert "9,800 streets: ltm is 1.67 times as fast as SUMO meso (wanted: 2)" in told
    assert "360 streets: ltm compiled is 15.00 times as fast as UXsim (wanted: 1)" in told
    monkeypatch.setattr(speed, "_python", lambda *command: "100000 3.5 210 230")
    assert speed.run(Settings(tmp_path)) == 4


def test_a_start_is_that_of_another_process():
    assert speed._python(speed.sys.executable, "import simulator; print(7)") == "7"
