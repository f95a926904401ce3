"""Publishing over HTTP, on a server of a few lines: lost answers, servers that are killed or restarted."""

import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from radiod_client import ConnectFailed, Disconnected, PublishRefused
from radiod_client._pace import Pace
from radiod_client._publishing import END, Answer, Draw, NoAnswer, NotSent, Pause, Publishing, drawing


class Server:
    """Of one channel. ``durable``: its history outlives a kill; ``counts``: it has positions.

    ``fate`` says what becomes of each request in turn: ``ok``; ``refused``, it does not get there;
    ``unheard`` and ``unanswered``, the connection breaks before or behind it; ``restart`` and ``kill`` the
    same as ``unanswered``, and the server is another one then; ``idle kill``: it was killed before.
    """

    def __init__(self, durable=False, counts=True):
        self.durable = durable
        self.counts = counts
        self.fate = []
        self.heard = []
        self.requests = []
        self.connection = 1
        self.kept, self.epoch = [], "e1"
        self.remembered = {}
        self.status = 200
        self.is_open = True
        self.readers = 0

    def kill(self):
        self.remembered = {}
        self.connection += 1
        if not self.durable:
            self.kept, self.epoch = [], self.epoch + "x"

    def ask(self, request):
        fate = self.fate.pop(0) if self.fate else "ok"
        if fate == "idle kill":
            self.kill()
            self.is_open = False
        if fate == "refused" or (request.is_same and not self.is_open):
            self.is_open = False
            raise NotSent("refused")
        if not self.is_open:
            self.is_open = True
            self.connection += 1
        if fate == "unheard":
            self.is_open = False
            raise NoAnswer("lost")
        answer = self.answer(request)
        if fate not in ("ok", "idle kill"):
            self.is_open = False
            if fate == "kill":
                self.kill()
            raise NoAnswer("lost")
        return answer

    def answer(self, request):
        self.requests.append(request)
        if request.method == "GET":
            return self.get(request.path)
        key = request.headers["Idempotency-Key"]
        if key in self.remembered:
            known, (status, headers, body) = self.remembered[key]
            if known != request.body:
                return Answer(422, {}, b"{}", self.connection)
            return Answer(status, {**headers, "idempotency-replayed": "true"}, body, self.connection)
        answer = self.publish(json.loads(request.body))
        if answer[0] not in (409, 429, 503):
            self.remembered[key] = request.body, answer
        return Answer(*answer, self.connection)

    def publish(self, body):
        if "data" not in body:
            return 400, {}, b'{"error": "*network* key missing"}'
        if self.status != 200:
            status, self.status = self.status, 200
            return status, {"retry-after": "1"}, b'{"error": "no", "reason": "quota"}'
        self.heard.append(body["data"]["n"])
        self.kept.append(body["data"])
        return 200, {"x-radiod-readers": str(self.readers)}, b'{"message": "OK"}'

    def get(self, path):
        position = f"{self.epoch}:{len(self.kept)}" if self.counts else None
        if path.startswith("/channels/"):
            return self.json({"readers": self.readers, "position": position})
        epoch, _, seq = path.partition("after=")[2].partition("&")[0].partition("%3A")
        assert epoch == self.epoch
        return self.json([{"position": "p", "data": data} for data in self.kept[int(seq) :]])

    def json(self, value):
        return Answer(200, {}, json.dumps(value).encode(), self.connection)


class Publisher:
    """Does what the generators ask for, in no time."""

    def __init__(self, server, timeout=20.0):
        self.server = server
        self.now = 0.0
        self.core = Publishing("http://radio", "key", "net", timeout, lambda: self.now)
        self.pauses = []
        self.on_pause = lambda: None

    def publish(self, data):
        return self.drive(self.core.publish(data))

    def run(self, source, period, rest=False):
        return self.drive(self.core.run(period, rest), drawing(source))

    def drive(self, steps, draw=None):
        try:
            step = next(steps)
            while True:
                try:
                    came = self.do(step, draw)
                except (NotSent, NoAnswer) as error:
                    step = steps.throw(error)
                else:
                    step = steps.send(came)
        except StopIteration as ended:
            return ended.value

    def do(self, step, draw):
        if isinstance(step, Pause):
            self.pauses.append(step.seconds)
            self.now += step.seconds
            self.on_pause()
            return None
        return draw() if isinstance(step, Draw) else self.server.ask(step)


class TestOneSample:
    def test_one_that_is_answered(self):
        server = Server()
        server.readers = 3
        assert Publisher(server).publish({"n": 1}) == 3
        assert server.heard == [1]
        assert server.requests[-1].headers["API-KEY"] == "key"

    @pytest.mark.parametrize("lost", ["unheard", "unanswered", "restart", "refused"])
    def test_one_whose_answer_is_lost_is_there_once(self, lost):
        server = Server()
        publisher = Publisher(server)
        publisher.publish({"n": 1})
        server.fate = [lost, lost, "refused", "ok", lost]
        publisher.publish({"n": 2})
        assert server.heard == [1, 2]

    @pytest.mark.parametrize("fate", ["kill", "unheard"])
    def test_behind_a_kill_nobody_knows(self, fate):
        server = Server()
        publisher = Publisher(server)
        publisher.publish({"n": 1})
        server.fate = [fate, "idle kill"]
        with pytest.raises(Disconnected, match="killed"):
            publisher.publish({"n": 2})
        publisher.publish({"n": 3})
        assert server.heard == ([1, 2, 3] if fate == "kill" else [1, 3])

    @pytest.mark.parametrize("fate", ["kill", "unheard"])
    def test_a_durable_channel_knows(self, fate):
        server = Server(durable=True)
        publisher = Publisher(server)
        # The same samples again: numbers tell them apart.
        for _ in range(2):
            publisher.publish({"n": 1})
        server.fate = [fate, "idle kill"]
        publisher.publish({"n": 1})
        assert server.heard == [1, 1, 1]

    def test_a_server_that_was_killed_between_two_samples_costs_none(self):
        server = Server()
        publisher = Publisher(server)
        publisher.publish({"n": 1})
        server.fate = ["idle kill"]
        publisher.publish({"n": 2})
        # And what this one remembers is asked for.
        server.fate = ["ok", "ok", "restart"]
        publisher.publish({"n": 3})
        assert server.heard == [1, 2, 3]

    @pytest.mark.parametrize("status", [400, 403, 404, 410, 413])
    def test_refusals_are_told_at_once(self, status):
        server = Server()
        server.status = status
        publisher = Publisher(server)
        with pytest.raises(PublishRefused) as caught:
            publisher.publish({"n": 1})
        assert (caught.value.status, caught.value.text) == (status, "no (quota)")
        assert publisher.pauses == []

    @pytest.mark.parametrize("status", [409, 429, 503])
    def test_what_may_be_tried_again_is_when_the_server_says(self, status):
        server = Server()
        server.status = status
        publisher = Publisher(server)
        publisher.publish({"n": 1})
        assert publisher.pauses == [1.0]
        assert server.heard == [1]

    def test_nobody_there(self):
        server = Server()
        server.fate = ["refused"] * 1000
        with pytest.raises(ConnectFailed, match="refused"):
            Publisher(server, timeout=5).publish({"n": 1})
        server.fate = ["ok", "ok", *["unheard"] * 1000]
        with pytest.raises(Disconnected, match="may have been"):
            Publisher(server, timeout=5).publish({"n": 1})

    def test_refused_for_too_long(self):
        server = Server()
        server.publish = lambda body: (429, {"retry-after": "10"}, b"")
        with pytest.raises(ConnectFailed, match="429"):
            Publisher(server, timeout=5).publish({"n": 1})

    @pytest.mark.parametrize(
        "data", [{"n": object()}, {"n": float("nan")}, {"n": "\ud800"}], ids=["object", "nan", "half"]
    )
    def test_what_cannot_be_said_is_not_sent(self, data):
        server = Server()
        with pytest.raises((TypeError, ValueError)):
            Publisher(server).publish(data)
        assert server.requests == []

    @pytest.mark.parametrize(
        "wrong", [("ftp://radio", "k"), ("http:///x", "k"), ("http://radio", "")], ids=str
    )
    def test_what_cannot_be(self, wrong):
        with pytest.raises(ValueError):
            Publishing(*wrong, "net", 1.0)

    def test_witnesses_are_renewed(self):
        server = Server()
        publisher = Publisher(server)
        for n in range(3):
            publisher.publish({"n": n})
            publisher.now += 300
        assert Counter(len(request.body) == 2 for request in server.requests if request.method == "POST") == {
            True: 3,
            False: 3,
        }


FATES = ["ok", "ok", "ok", "refused", "unheard", "unanswered", "restart", "kill", "idle kill"]


@given(st.lists(st.sampled_from(FATES), max_size=60), st.booleans(), st.booleans())
def test_whatever_happens_nothing_is_there_twice(fate, durable, counts):
    server = Server(durable and counts, counts)
    publisher = Publisher(server, timeout=1000)
    server.fate = fate
    for n in range(15):
        try:
            publisher.publish({"n": n})
        except Disconnected:
            # Nobody knows of a durable one only if it had to be asked for where nobody knew yet.
            assert not (durable and counts)
        else:
            assert n in server.heard
    assert max(Counter(server.heard).values(), default=0) <= 1
    assert server.heard == sorted(server.heard)


class TestRunning:
    def test_the_period_does_not_drift(self):
        server = Server()
        publisher = Publisher(server)
        times = []

        def source():
            times.append(publisher.now)
            publisher.now += 0.3
            return {"n": len(times)} if len(times) < 6 else END

        publisher.run(source, 1.0)
        assert times == [0, 1, 2, 3, 4, 5]
        assert server.heard == [1, 2, 3, 4, 5]

    def test_a_server_that_is_away_costs_samples_and_no_burst(self):
        server = Server()
        publisher = Publisher(server, timeout=3)
        server.fate = ["ok"] * 3 + ["refused"] * 20
        publisher.run(({"n": n} for n in range(100)), 0.5)
        assert server.heard[0] == 0
        assert server.heard[-1] == 99
        assert len(server.heard) > 80

    def test_a_refusal_ends_it(self):
        server = Server()
        server.status = 403
        with pytest.raises(PublishRefused):
            Publisher(server).run([{"n": 1}], 0)

    def test_it_rests_while_nobody_listens(self):
        server = Server()
        publisher = Publisher(server)
        server.fate = ["refused"]

        def on_pause():
            server.readers = 1 if 5 <= publisher.now < 8 or publisher.now > 20 else 0

        publisher.on_pause = on_pause
        publisher.run(({"n": round(publisher.now)} for _ in range(5)), 1.0, rest=True)
        assert server.heard == [5, 6, 7, 8, 21]

    @pytest.mark.parametrize("period", [-1, float("nan"), float("inf")])
    def test_no_period(self, period):
        with pytest.raises(ValueError):
            Publisher(Server()).run([], period)


class TestPace:
    def test_marks(self):
        pace = Pace(0.5, 10.0)
        assert [pace.pause(now) for now in (10.1, 10.6, 12.2, 12.5)] == pytest.approx([0.4, 0.4, 0.3, 0.5])
        assert pace.missed == 2

    def test_none(self):
        assert Pace(0, 1.0).pause(5.0) == 0
