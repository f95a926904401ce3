"""The Python client's core, on a clock that stands: connections that come and go, and what is never lost."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from radiod_client import CallError, CallTimeout, ConnectFailed, Disconnected, Gap, LoginRefused
from radiod_client._login import Login
from support.fake_radio import Client, Radio, frame
from websockets.frames import Opcode
from websockets.utils import accept_key

CALL, PUBLISH = 48, 16


@pytest.fixture
def radio():
    return Radio()


@pytest.fixture
def client(radio):
    return Client(radio).start()


def asked(client, kind, rest, timeout=20.0):
    """A request, and the list that gets its end."""
    ends = []
    payload = [client.core.codec.payload(each) if isinstance(each, list) else each for each in rest]
    client.core.requests.ask(kind, payload, timeout, lambda value, error: ends.append((value, error)))
    return ends


def call(client, *args, timeout=20.0):
    return asked(client, CALL, [{}, "echo", list(args)], timeout)


class TestConnecting:
    def test_a_session_opens(self, client):
        assert client.started == [None]
        assert client.states == ["connecting", "open"]
        assert client.core.session_id == 123

    def test_a_refused_login_is_for_good(self, radio):
        radio.abort = [{"message": "no"}, "wamp.error.authentication_denied"]
        client = Client(radio).start()
        assert isinstance(client.started[0], LoginRefused)
        assert client.started[0].reason == "wamp.error.authentication_denied"
        assert client.core.state == "closed"
        assert client.core.deadline() is None

    def test_no_server_at_the_first_try_is_told(self, radio):
        client = Client(radio)
        client.core.start(lambda value, error: client.started.append(error))
        client.core.lost("refused")
        assert isinstance(client.started[0], ConnectFailed)

    def test_one_that_never_answers_is_given_up(self, radio):
        radio.silent = {1}
        client = Client(radio).start()
        client.sleep(11)
        assert isinstance(client.started[0], ConnectFailed)
        assert client.core.state == "closed"

    def test_what_is_no_websocket_is_told(self, radio):
        client = Client(radio)
        client.core.start(lambda value, error: client.started.append(error))
        client.core.dialed()
        client.core.received(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        assert client.core.should_hang_up
        client.core.lost()
        assert "404" in str(client.started[0])

    def test_pauses_double_and_begin_anew_after_a_success(self, radio, client):
        pauses = []
        for _ in range(2):
            client.cut()
            for _ in range(9):
                due = client.core.deadline()
                pauses.append(round(due - client.now, 1))
                client.now = due
                client.core.tick()
                client.core.dialed()
                client.core.lost()
            client.sleep(15)
            assert client.core.state == "open"
        assert pauses == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 15.0, 15.0] * 2

    def test_the_server_says_when_to_come_back(self, client):
        client.connection.output += frame(b"\x03\xf4retry_after=2.5", Opcode.CLOSE)
        client.settle()
        assert client.core.state == "waiting"
        assert client.core.deadline() - client.now == 2.5

    def test_a_login_that_ends_later_ends_the_client(self, radio, client):
        inbox = client.listen()
        client.settle()
        radio.abort = [{}, "wamp.error.no_such_principal"]
        client.cut()
        client.sleep(1)
        assert client.core.state == "closed"
        with pytest.raises(LoginRefused):
            inbox.take()

    def test_other_refusals_are_tried_again(self, radio, client):
        radio.abort = [{}, "radiod.error.quota"]
        client.cut()
        client.sleep(5)
        assert client.core.state == "waiting"
        radio.abort = None
        client.sleep(15)
        assert client.core.state == "open"

    def test_a_ticket_that_is_over_ends_the_client(self, radio, client):
        inbox = client.listen()
        client.settle()
        client.connection.send(6, {"message": "expired"}, "radiod.close.expired")
        client.settle()
        radio.abort = [{"message": "key not let in: expired"}, "wamp.error.authentication_failed"]
        client.sleep(1)
        assert client.core.state == "closed"
        with pytest.raises(LoginRefused, match="expired"):
            inbox.take()

    def test_one_that_is_suspended_may_come_back(self, radio, client):
        radio.abort = [{"message": "key not let in: suspended"}, "wamp.error.authentication_failed"]
        client.cut()
        client.sleep(5)
        assert client.core.state == "waiting"
        radio.abort = None
        client.sleep(15)
        assert client.core.state == "open"
        # Whoever connects is there to be told.
        radio.abort = [{"message": "key not let in: suspended"}, "wamp.error.authentication_failed"]
        assert isinstance(Client(radio).start().started[0], LoginRefused)

    @pytest.mark.parametrize("offered", [None, "wamp.2.cbor", "wamp.2.msgpack, wamp.2.json"], ids=str)
    def test_a_server_that_speaks_something_else(self, radio, offered):
        client = Client(radio)
        client.core.start(lambda value, error: client.started.append(error))
        client.core.dialed()
        key = re.search(rb"Sec-WebSocket-Key: (.*)\r\n", client.core.outgoing())[1].decode()
        head = ["HTTP/1.1 101 OK", "Upgrade: websocket", "Connection: Upgrade"]
        head.append(f"Sec-WebSocket-Accept: {accept_key(key)}")
        if offered is not None:
            head.append(f"Sec-WebSocket-Protocol: {offered}")
        client.core.received(("\r\n".join(head) + "\r\n\r\n").encode())
        assert client.core.should_hang_up
        client.core.lost()
        assert isinstance(client.started[0], ConnectFailed)
        assert re.search("WAMP|[Pp]rotocol", str(client.started[0]))

    def test_close_says_goodbye(self, radio, client):
        client.core.close()
        client.settle()
        assert client.core.state == "closed"
        assert radio.asked[-1][0] == 6

    def test_close_waits_for_nobody_for_ever(self, radio, client):
        radio.silent = {6}
        client.core.close()
        client.settle()
        client.sleep(3)
        assert client.core.state == "closed"

    def test_close_while_it_waits(self, client):
        client.cut()
        client.core.close()
        assert client.core.state == "closed"
        assert client.core.deadline() is None

    def test_a_silent_line_is_cut(self, client):
        client.connection.received = lambda data: None
        client.sleep(36)
        assert client.states[:3] == ["connecting", "open", "waiting"]

    def test_a_line_that_answers_pings_is_kept(self, client):
        client.sleep(300)
        assert client.states == ["connecting", "open"]


class TestTheBytes:
    def test_pings_are_answered(self, client):
        client.connection.output += frame(b"?", Opcode.PING)
        client.core.received(bytes(client.connection.output))
        client.core.work()
        assert client.core.outgoing()[0] == 0x8A

    def test_messages_in_pieces_with_a_ping_between(self, radio, client):
        inbox = client.listen()
        client.settle()
        client.connection.event(1, 5, {})
        whole = bytes(client.connection.output)[2:]
        client.connection.output[:] = b"".join(
            [
                frame(whole[:3], fin=False),
                frame(b"", Opcode.PING),
                frame(whole[3:4], Opcode.CONT, False),
                frame(whole[4:], Opcode.CONT),
            ]
        )
        client.settle()
        assert [sample.data for sample in client.taken(inbox)] == [5]

    @pytest.mark.parametrize(
        "data",
        [
            frame(b"\xc1"),
            frame(b"[]", Opcode.TEXT),
            frame(b"\x93\x24\x01\x02"),
            frame(b"\x92\xcc\xc8\x01"),
            frame(b"\x93\x02\x01\x80"),
            b"\x82\xff" + b"\xff" * 12,
            b"\x82\x7f\x7f" + b"\xff" * 7,
            b"\xf2\x00",
            b"\x80\x00",
            frame(b"\x84\x24\x01\x02\x80"),
            frame(b"\xff" * 300),
            frame(b"\x93\x24\x07\x01\x80")[:-1] + b"\x89\x00",
            frame(b"\x82\x63\x01"),
        ],
        ids=str,
    )
    def test_what_is_no_message_ends_the_connection_and_no_more(self, client, data):
        client.connection.output += data
        client.settle()
        assert client.core.state == "waiting"
        client.sleep(1)
        assert client.core.state == "open"

    def test_events_of_unknown_subscriptions_are_nothing(self, client):
        client.connection.event(1, 5, {})
        client.settle()
        assert client.core.state == "open"


class TestAsking:
    def test_an_answer(self, client):
        ends = call(client, 1, 2)
        client.settle()
        assert ends[0][0].args == [1, 2]

    def test_what_is_under_way_at_a_cut_is_disconnected(self, client):
        ends = call(client, 1)
        client.cut()
        assert isinstance(ends[0][1], Disconnected)
        assert len(ends) == 1

    def test_what_is_asked_meanwhile_waits_for_the_connection(self, client):
        client.cut()
        ends = call(client, 1)
        client.sleep(1)
        assert ends[0][0].args == [1]

    def test_nothing_waits_for_ever(self, radio, client):
        radio.silent = {CALL}
        ends = call(client, 1, timeout=3)
        client.settle()
        client.sleep(4)
        assert isinstance(ends[0][1], CallTimeout)
        assert radio.asked[-1][0] == 49

    def test_an_error_has_its_uri(self, client):
        ends = asked(client, CALL, [{}, "nobody", []])
        client.settle()
        assert isinstance(ends[0][1], CallError)
        assert ends[0][1].uri == "wamp.error.no_such_procedure"

    def test_what_cannot_be_said_takes_no_number(self, radio, client):
        with pytest.raises(TypeError):
            client.core.codec.payload([object()])
        with pytest.raises(ValueError):
            client.core.codec.payload([2**70])
        ends = call(client, 1)
        client.settle()
        assert ends[0][1] is None
        assert [message[1] for message in radio.asked if message[0] == CALL] == [1]

    def test_ids_begin_anew_with_each_session(self, radio, client):
        for _ in range(2):
            call(client, 1)
            client.settle()
            client.cut()
            client.sleep(1)
        assert [message[1] for message in radio.asked if message[0] == CALL] == [1, 1]

    def test_behind_the_end_nothing_can_be_asked(self, client):
        client.core.close()
        client.settle()
        assert isinstance(call(client)[0][1], Disconnected)
        with pytest.raises(Disconnected):
            client.core.requests.tell(PUBLISH, [])


class TestListening:
    def test_cut_before_the_first_event(self, radio, client):
        inbox = client.listen()
        client.settle()
        for value in range(3):
            client.cut()
            radio.publish(value)
            client.sleep(1)
        assert [(sample.data, sample.gap) for sample in client.taken(inbox)] == [(n, None) for n in range(3)]

    def test_the_last_ones(self, radio, client):
        for value in range(5):
            radio.publish(value)
        inbox = client.listen(last=2)
        client.settle()
        assert [sample.data for sample in client.taken(inbox)] == [3, 4]

    def test_the_last_ones_although_the_line_is_cut_while_they_are_looked_for(self, radio, client):
        for value in range(5):
            radio.publish(value)
        radio.silent = {CALL}
        inbox = client.listen(last=2)
        client.settle()
        client.cut()
        radio.silent = set()
        client.sleep(1)
        assert [sample.data for sample in client.taken(inbox)] == [3, 4]

    def test_of_a_channel_without_a_past_the_last_ones_are_none(self, radio, client):
        radio.keeps = 0
        radio.publish(0)
        inbox = client.listen(last=2)
        client.settle()
        radio.publish(1)
        client.settle()
        assert [(sample.data, sample.gap) for sample in client.taken(inbox)] == [(1, None)]

    def test_behind_a_position(self, radio, client):
        for value in range(5):
            radio.publish(value)
        inbox = client.listen(after="aaa:1")
        client.settle()
        assert [sample.data for sample in client.taken(inbox)] == [1, 2, 3, 4]
        with pytest.raises(ValueError):
            client.listen(after="aaa:1")
        with pytest.raises(ValueError, match="no position"):
            client.core.lasting.listen("other", None, inbox, print, after="x")

    def test_a_window_that_was_missed_is_told(self, client):
        client.radio.keeps = 2
        inbox = client.listen()
        client.settle()
        client.radio.publish(0)
        client.settle()
        client.cut()
        for value in range(1, 6):
            client.radio.publish(value)
        client.sleep(1)
        samples = client.taken(inbox)
        assert [(sample.data, sample.gap) for sample in samples] == [
            (0, None), (4, Gap(3, "history")), (5, None)
        ]  # fmt: skip
        assert inbox.lost == 3

    def test_by_numbers_that_are_left_out_nobody_can_count(self, client):
        client.radio.keeps, client.radio.epoch = 2, "xaa"
        inbox = client.listen()
        client.settle()
        client.radio.publish(0)
        client.settle()
        client.cut()
        for value in range(1, 6):
            client.radio.publish(value)
        client.sleep(1)
        assert [sample.gap for sample in client.taken(inbox)] == [None, Gap(None, "history"), None]

    def test_a_new_epoch_is_a_gap_of_unknown_size(self, client):
        inbox = client.listen()
        client.radio.publish(0)
        client.settle()
        client.radio.publish(1)
        client.settle()
        client.cut()
        client.radio.forget()
        client.radio.publish(2)
        client.sleep(1)
        assert client.taken(inbox)[-1].gap == Gap(None, "history")

    def test_the_servers_losses_and_our_own(self, client):
        inbox = client.listen(queue=2)
        client.settle()
        client.connection.event(1, 1, {})
        client.connection.event(5, 5, {"_lost": 3})
        client.connection.event(6, 6, {})
        client.settle()
        samples = client.taken(inbox)
        assert [(sample.data, sample.gap) for sample in samples] == [(5, Gap(4, "queue")), (6, None)]
        client.connection.event(9, 9, {"_lost": 2})
        client.settle()
        assert client.taken(inbox)[0].gap == Gap(2, "buffer")
        assert inbox.lost == 6

    def test_one_that_leaves_frees_the_channel(self, client):
        inbox = client.listen()
        client.settle()
        client.core.lasting.unlisten(client.core.lasting.subscriptions["numbers"], inbox)
        client.settle()
        assert not client.connection.is_listening
        client.listen(last=1)

    def test_a_subscription_that_is_taken_away_ends(self, client):
        inbox = client.listen()
        client.settle()
        client.connection.send(35, 0, {"subscription": 7, "reason": "radiod.error.channel_closed"})
        client.settle()
        with pytest.raises(CallError, match="channel_closed"):
            inbox.take()


@given(st.binary(max_size=200), st.integers(1, 50), st.booleans())
def test_no_bytes_of_a_server_do_more_than_end_its_connection(data, step, is_framed):
    client = Client(Radio()).start()
    inbox = client.listen()
    client.settle()
    client.connection.output += frame(data) if is_framed else data
    client.settle(step)
    # Half a frame may stand there, and take all that comes behind it for its own.
    client.cut()
    client.sleep(60)
    client.radio.publish(7)
    client.settle()
    assert client.core.state == "open"
    assert client.taken(inbox)[-1].data == 7


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 99) | st.text(max_size=3) | st.binary(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["_seq", "_epoch", "x"]), inner)
    ),
    max_leaves=8,
)


@given(st.sampled_from([2, 3, 4, 6, 8, 17, 33, 35, 36, 50, 65, 67, 68, 69]), st.lists(VALUES, max_size=6))
def test_no_message_of_a_server_does_more_than_end_its_connection(kind, rest):
    client = Client(Radio()).start()
    inbox = client.listen()
    client.core.lasting.register("mine", lambda call: call.answer(1), lambda *answer: None)
    client.settle()
    client.connection.send(kind, *rest)
    client.settle()
    client.sleep(60)
    assert client.core.state in ("open", "closed")
    if client.core.state == "closed":
        # It was told so, and everybody else is.
        with pytest.raises((Disconnected, LoginRefused)):
            client.taken(inbox)


steps = st.lists(
    st.one_of(
        st.just(("publish", 0)),
        st.just(("publish", 0)),
        st.just(("cut", 0)),
        st.tuples(st.just("read"), st.integers(1, 60)),
        st.tuples(st.just("pass"), st.sampled_from([0.05, 0.3, 1.0])),
    ),
    max_size=60,
)


def play(client, steps):
    """All of it, each event another number; then peace. Returns: how many there were."""
    count = 0
    for what, amount in steps:
        if what == "publish":
            client.radio.publish(count)
            count += 1
        elif what == "cut":
            client.cut()
        elif what == "read":
            client.move(amount, 3)
        else:
            client.now += amount
            client.core.tick()
            client.move(0)
    client.sleep(60)
    client.settle()
    return count


@given(steps)
def test_with_a_history_any_split_and_any_cuts_give_the_same_samples(steps):
    client = Client(Radio()).start()
    inbox = client.listen()
    client.settle()
    count = play(client, steps)
    assert [(sample.data, sample.gap) for sample in client.taken(inbox)] == [(n, None) for n in range(count)]


@given(steps)
def test_without_one_what_is_missing_is_told_exactly(steps):
    client = Client(Radio(keeps=0)).start()
    inbox = client.listen()
    client.settle()
    count = play(client, steps)
    client.radio.publish(count)
    client.settle()
    expected = 0
    for sample in client.taken(inbox):
        lost = 0 if sample.gap is None else sample.gap.lost
        assert sample.data == expected + lost
        assert sample.gap is None or sample.gap.reason == "reconnect"
        expected = sample.data + 1
    assert expected == count + 1


@given(st.lists(st.integers(1, 400), max_size=30))
def test_any_split_of_the_bytes_gives_the_same_messages(steps):
    client = Client(Radio(), Login("radio"))
    client.core.start(lambda value, error: None)
    inbox = client.listen()
    for value, step in enumerate(steps):
        client.move(step, 1)
        client.radio.publish(value)
    client.settle(7)
    data = [sample.data for sample in client.taken(inbox)]
    assert data == list(range(len(steps)))[len(steps) - len(data) :]


class TestListeningAndLeavingAtOnce:
    """The server has not answered SUBSCRIBE yet: a session has one subscription of a topic."""

    def test_nothing_is_left_there(self, radio, client):
        inbox = client.listen()
        subscription = client.core.lasting.subscriptions["numbers"]
        # Up to SUBSCRIBE, and not its answer.
        while not subscription.is_pending:
            client.move()
        client.core.lasting.unlisten(subscription, inbox)
        client.settle()
        assert not client.connection.is_listening
        assert [message[0] for message in radio.asked][-1] == 34

    @pytest.mark.parametrize("is_cut", [False, True])
    def test_the_next_one_begins_behind_it(self, radio, client, is_cut):
        for value in range(3):
            radio.publish(value)
        first = client.listen()
        subscription = client.core.lasting.subscriptions["numbers"]
        while not subscription.is_pending:
            client.move()
        client.core.lasting.unlisten(subscription, first)
        second = client.listen(last=2)
        if is_cut:
            client.cut()
            client.sleep(1)
        client.settle()
        radio.publish(3)
        client.settle()
        assert [sample.data for sample in client.taken(second)] == [1, 2, 3]
        assert client.taken(first) == []


class TestDoubts:
    """A typo in a channel's name is silence: somebody must say so."""

    def said(self, caplog):
        return [record.getMessage() for record in caplog.records if "silent" in record.getMessage()]

    def test_a_channel_that_nobody_knows(self, radio, client, caplog):
        radio.refusals["radiod.channel.get"] = "radiod.error.no_such_channel"
        client.listen()
        client.settle()
        client.sleep(4)
        assert self.said(caplog) == []
        client.sleep(2)
        assert len(self.said(caplog)) == 1
        assert "numbers" in self.said(caplog)[0]
        assert "no such channel" in self.said(caplog)[0]

    def test_a_channel_that_was_silent_for_ever(self, client, caplog):
        client.listen()
        client.settle()
        client.sleep(60)
        assert "nothing was ever published" in self.said(caplog)[0]
        assert len(self.said(caplog)) == 1

    def test_one_that_speaks(self, radio, client, caplog):
        client.listen()
        client.settle()
        client.sleep(4)
        radio.publish(1)
        client.settle()
        client.sleep(60)
        assert self.said(caplog) == []

    def test_one_that_spoke_before(self, radio, client, caplog):
        radio.publish(1)
        client.listen()
        client.settle()
        client.sleep(60)
        assert self.said(caplog) == []

    def test_nobody_is_told_of_what_he_left(self, client, caplog):
        inbox = client.listen()
        client.settle()
        client.core.lasting.unlisten(client.core.lasting.subscriptions["numbers"], inbox)
        client.sleep(60)
        assert self.said(caplog) == []
