"""The Python client's writers, on a clock that stands: what the server says of demand, over all sessions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from radiod_client import CallError, Disconnected
from support.fake_radio import Client, Radio

NAME = "numbers"


@pytest.fixture
def radio():
    return Radio()


@pytest.fixture
def client(radio):
    return Client(radio).start()


def opened(client, ends=None):
    """A writer of the channel; ``ends`` gets whether it is open."""
    ends = [] if ends is None else ends
    writer = client.core.lasting.writers.open(NAME, None, lambda value, error: ends.append(error))
    client.settle()
    return writer


def procedures(radio):
    return [message[3] for message in radio.asked if message[0] in (32, 48)]


def test_it_hears_of_demand(radio, client):
    ends = []
    writer = opened(client, ends)
    assert (ends, writer.wanted, writer.readers) == ([None], False, 0)
    radio.want(True, 3)
    client.settle()
    assert (writer.wanted, writer.readers) == (True, 3)
    radio.want(False)
    client.settle()
    assert (writer.wanted, writer.readers) == (False, 0)


def test_it_listens_before_it_opens(radio, client):
    opened(client)
    assert procedures(radio) == ["radiod.channel.on_demand", "radiod.channel.open_write"]


def test_all_writers_share_one_subscription(radio, client):
    writers = [opened(client), opened(client)]
    radio.want(True)
    client.settle()
    assert [each.wanted for each in writers] == [True, True]
    assert procedures(radio).count("radiod.channel.on_demand") == 1


def test_a_reconnection_asks_anew(radio, client):
    writer = opened(client)
    client.cut()
    assert writer.wanted is False
    radio.is_wanted = True
    client.sleep(1)
    assert writer.wanted is True
    client.cut()
    # What was told last stays: nobody knows better.
    assert writer.wanted is True
    radio.is_wanted = False
    client.sleep(1)
    assert writer.wanted is False
    radio.want(True)
    client.settle()
    assert writer.wanted is True


def test_whoever_waits_for_demand_is_told_once(radio, client):
    writer = opened(client)
    told, forgotten = [], []
    writer.when_wanted(lambda value, error: told.append(error))
    writer.when_wanted(forgotten.append)
    writer.forget(forgotten.append)
    radio.want(True)
    client.settle()
    radio.want(False)
    radio.want(True)
    client.settle()
    assert told == [None]
    writer.when_wanted(lambda value, error: told.append(error))
    assert told == [None, None]
    assert forgotten == []


def test_the_last_one_that_closes_tells_the_server(radio, client):
    first, second = opened(client), opened(client)
    writers = client.core.lasting.writers
    writers.close(first)
    client.settle()
    assert "radiod.channel.close_write" not in procedures(radio)
    told = []
    second.when_wanted(lambda value, error: told.append(error))
    writers.close(second)
    writers.close(second)
    client.settle()
    assert procedures(radio).count("radiod.channel.close_write") == 1
    assert isinstance(told[0], Disconnected)
    radio.want(True)
    client.settle()
    assert not second.wanted


def test_an_owner_goes_on_having_it_open(radio, client):
    client.core.lasting.writers.close(opened(client), keeps=True)
    client.settle()
    assert "radiod.channel.close_write" not in procedures(radio)


@pytest.mark.parametrize("what", ["radiod.channel.on_demand", "radiod.channel.open_write"])
def test_a_refusal_is_told(radio, client, what):
    radio.refusals[what] = "wamp.error.not_authorized"
    ends = []
    writer = opened(client, ends)
    assert isinstance(ends[0], CallError)
    assert len(ends) == 1
    assert writer.is_over
    del radio.refusals[what]
    assert opened(client, ends).is_over is False


def test_a_refusal_in_a_later_session_is_tried_again(radio, client, caplog):
    writer = opened(client)
    radio.want(True)
    client.settle()
    client.cut()
    radio.refusals["radiod.channel.open_write"] = "wamp.error.not_authorized"
    client.sleep(3)
    assert (writer.wanted, writer.is_over) == (False, False)
    assert "not open for writing yet" in caplog.text
    del radio.refusals["radiod.channel.open_write"]
    client.sleep(10)
    assert writer.wanted


def test_nothing_is_written_behind_the_end(client):
    writer = opened(client)
    client.core.close()
    client.settle()
    assert isinstance(writer.error, Disconnected)
    ends = []
    assert opened(client, ends).is_over
    assert isinstance(ends[0], Disconnected)


def test_one_that_is_opened_meanwhile_waits_for_the_session(radio, client):
    client.cut()
    ends = []
    opened(client, ends)
    assert ends == []
    client.sleep(1)
    assert ends == [None]


def test_demand_can_be_listened_to_besides(radio, client):
    """A session has one subscription of a topic, and both of us have its events."""
    writer = opened(client)
    got = []
    client.core._session.take(8, got.append)
    radio.want(True)
    client.settle()
    assert (writer.wanted, len(got)) == (True, 1)
    assert not client.core._session.drop(8, got.append)
    radio.want(False)
    client.settle()
    assert (writer.wanted, len(got)) == (False, 1)


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("want"), st.booleans()),
            st.tuples(st.just("cut"), st.none()),
            st.tuples(st.just("read"), st.integers(1, 60)),
            st.tuples(st.just("pass"), st.sampled_from([0.05, 0.3, 1.0])),
        ),
        max_size=40,
    )
)
def test_any_order_of_demand_cuts_and_reads_ends_in_the_truth(steps):
    radio = Radio()
    client = Client(radio).start()
    writer = opened(client)
    for what, amount in steps:
        if what == "want":
            radio.want(amount)
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
    assert writer.wanted is radio.is_wanted
    assert writer.readers == int(radio.is_wanted)
