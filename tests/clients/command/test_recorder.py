"""What comes from a channel into a file: once, in order, gaps mended or told, whatever the server kept."""

import pytest
from radiod_client import CallError, Gap, Sample
from radiod_client.command.past import Past
from radiod_client.command.recorder import Recorder
from radiod_client.recordings.ndjson_file import NdjsonRecording, read_ndjson
from radiod_client.recordings.records import Start


class Server:
    """A channel's history, as ``radiod.channel.history`` tells it."""

    def __init__(self, first=1, last=0, *, epoch="e", page=4, is_kept=True):
        self.first, self.last, self.epoch, self.page, self.is_kept = first, last, epoch, page, is_kept
        self.calls = []

    def call(self, procedure, name, *args):
        self.calls.append(procedure)
        if procedure == "radiod.channel.join":
            return None
        if procedure == "radiod.channel.get":
            return {"position": f"{self.epoch}:{self.last}"}
        if not self.is_kept:
            raise CallError("wamp.error.history_unavailable")
        after, _, *last = args
        epoch, _, seq = (after or f"{self.epoch}:{self.last - sum(last)}").rpartition(":")
        behind = int(seq) if epoch == self.epoch else 0
        is_whole = epoch == self.epoch and behind + 1 >= self.first
        numbers = range(max(self.first, behind + 1), self.last + 1)[: self.page]
        events = [
            {"position": f"{self.epoch}:{n}", "time": float(n), "args": [n], "kwargs": {}} for n in numbers
        ]
        position = events[-1]["position"] if events else f"{self.epoch}:{self.last}"
        return {"events": events, "position": position, "recovered": is_whole}


def live(*numbers, epoch="e", gap=None):
    samples = [Sample([n], {}, "town", {"_seq": n, "_epoch": epoch}) for n in numbers]
    samples[0].gap = gap
    return samples


@pytest.fixture
def recording(tmp_path):
    recording = NdjsonRecording(tmp_path / "town.ndjson")
    recording.begin(Start("town", "e:2", 1.0))
    yield recording
    recording.close()


@pytest.fixture
def written(tmp_path):
    return lambda: [(record.data, record.gap) for record in read_ndjson(tmp_path / "town.ndjson")]


def recorder_for(recording, server, told=None, most=None):
    def on_gap(gap, position):
        (told if told is not None else []).append((gap, position))

    return Recorder(recording, Past(server.call, "town", None), on_gap, most=most, now=lambda: 9.0)


def rest(numbers):
    return [(n, None) for n in numbers]


def test_catching_up_goes_page_by_page(recording, written):
    recorder = recorder_for(recording, Server(1, 11))
    for _ in recorder.catch_up():
        pass
    assert written() == rest(range(3, 12))
    assert (recorder.position, recorder.count, recorder.gaps) == ("e:11", 9, 0)


def test_where_the_history_was_left_it_is_told(recording, written):
    told = []
    recorder = recorder_for(recording, Server(6, 8), told)
    for _ in recorder.catch_up():
        pass
    assert written() == [(6, Gap(3, "history")), *rest([7, 8])]
    assert told == [(Gap(3, "history"), "e:6")]
    assert (recorder.lost, recorder.gaps) == (3, 1)


def test_behind_a_crash_nobody_knows_how_much(recording, written):
    recorder = recorder_for(recording, Server(1, 2, epoch="f"))
    for _ in recorder.catch_up():
        pass
    assert written() == [(1, Gap(None, "history")), (2, None)]


def test_a_gap_without_a_sample_is_told_with_the_next(recording, written):
    recorder = recorder_for(recording, Server(1, 0, epoch="f"))
    for _ in recorder.catch_up():
        pass
    assert (written(), recorder.position) == ([], "f:0")
    recorder.put(live(1, epoch="f"))
    assert written() == [(1, Gap(None, "history"))]


def test_the_beginning_of_a_new_recording_is_no_gap(recording, written):
    recorder = recorder_for(recording, Server(6, 8))
    for _ in recorder.catch_up(is_promised=False):
        pass
    assert written() == rest([6, 7, 8])


def test_without_a_history_the_position_stays(recording, written):
    recorder = recorder_for(recording, Server(is_kept=False))
    assert list(recorder.catch_up()) == []
    recorder.put(live(6, gap=Gap(3, "reconnect")))
    assert (recorder.position, written()) == ("e:6", [(6, Gap(3, "reconnect"))])


@pytest.mark.parametrize("reason", ["buffer", "queue"])
def test_what_was_dropped_on_its_way_is_found_in_the_history(recording, written, reason):
    recorder = recorder_for(recording, Server(1, 30))
    recorder.put(live(3, 4))
    recorder.put(live(15, 16, gap=Gap(10, reason)))
    assert written() == rest(range(3, 17))
    assert recorder.gaps == 0


@pytest.mark.parametrize(
    ("server", "expected"),
    [
        (Server(is_kept=False), [(3, None), (9, Gap(5, "queue"))]),
        (Server(7, 9), [(3, None), (7, Gap(3, "history")), (8, None), (9, None)]),
        (Server(9, 9), [(3, None), (9, Gap(5, "history"))]),
        (Server(12, 14), [(3, None), (9, Gap(5, "history"))]),
    ],
    ids=["nothing is kept", "only a part", "only the sample itself", "not even that"],
)
def test_what_is_not_there_either_is_told(recording, written, server, expected):
    recorder = recorder_for(recording, server)
    recorder.put(live(3))
    recorder.put(live(9, gap=Gap(5, "queue")))
    assert written() == expected


def test_no_sample_twice(recording, written):
    recorder = recorder_for(recording, Server(1, 5))
    for _ in recorder.catch_up():
        pass
    recorder.put(live(4, 5, 6))
    assert written() == rest(range(3, 7))


def test_no_more_than_are_wanted(recording, written):
    recorder = recorder_for(recording, Server(1, 30), most=6)
    for _ in recorder.catch_up():
        if recorder.is_full:
            break
    assert written() == rest(range(3, 9))
    assert recording.position == "e:8"


def test_a_private_channel_is_joined_before_its_past_is_asked_for(recording):
    server = Server(1, 4)
    past = Past(server.call, "town", "key")
    assert past.beginning(3) == "e:1"
    assert [len(samples) for samples, _ in past.behind("e:1")] == [3]
    assert server.calls[0] == server.calls[3] == "radiod.channel.join"


def test_what_is_held_is_the_writing(recording):
    seen = []

    class Held:
        def __enter__(self):
            seen.append(recording.position)

        def __exit__(self, *_):
            seen.append(recording.position)

    past = Past(Server(1, 5).call, "town", None)
    recorder = Recorder(recording, past, lambda gap, position: None, Held)
    recorder.put(live(3))
    assert seen == ["e:2", "e:3"]


def test_by_numbers_that_are_left_out_nobody_can_count(recording, written):
    recorder = recorder_for(recording, Server(9, 9, epoch="x"))
    recorder.put(live(3, epoch="x"))
    recorder.put(live(9, epoch="x", gap=Gap(5, "queue")))
    assert written() == [(3, None), (9, Gap(None, "history"))]


def test_the_beginning_is_before_as_many_as_there_are():
    assert Past(Server(2, 9).call, "town", None).beginning(3) == "e:6"
    assert Past(Server(1, 0).call, "town", None).beginning(3) == "e:0"
    assert Past(Server(1, 5, is_kept=False).call, "town", None).beginning(3) == "e:5"
