"""Plans on a real server, in real time: what is accepted is what the formula says, and outlives a restart.

Nobody here knows when exactly the server took an event; but that was between sending it and being answered,
and so is what the formula gives for the times in between.
"""

import http.client
import itertools
import json
import threading
import time
from collections import Counter
from fractions import Fraction
from math import ceil, floor

import pytest
from support.running import radiod
from support.sockets import RawClient

pytestmark = pytest.mark.e2e


class Account:
    """One account, its plan, and when it was asked first and last; all times are ours.

    It was asked first between ``first_sent`` and ``first_told``, and last likewise.
    """

    def __init__(self, number, rate, burst):
        self.name, self.rate, self.burst = f"a{number}", rate, burst
        self.accepted = 0
        self.lock = threading.Lock()
        self.first_sent = self.first_told = self.last_sent = self.last_told = None

    @property
    def config(self):
        keys = "".join(
            f'[realms.radio.keys.{self.name}-{n}]\nkey = "key-{self.name}-{n}"\n'
            f'account = "{self.name}"\npublish = ["*"]\n'
            for n in range(2)
        )
        plan = f"[plans.{self.name}]\npublish_rate = {self.rate}\npublish_burst = {self.burst}\n"
        return f'{plan}[accounts.{self.name}]\nplan = "{self.name}"\n{keys}'

    def told(self, sent, told, accepted):
        """So many were accepted of those that were sent then, and answered then."""
        with self.lock:
            self.accepted += accepted
            self.first_sent = min(sent, self.first_sent or sent)
            self.first_told = min(told, self.first_told or told)
            self.last_sent = max(sent, self.last_sent or sent)
            self.last_told = max(told, self.last_told or told)

    def by_the_formula(self, seconds):
        return floor(self.burst + Fraction(str(self.rate)) * Fraction(max(0.0, seconds)))

    @property
    def bounds(self):
        """The least and the most that may have been accepted."""
        return (
            self.by_the_formula(self.last_sent - self.first_told),
            self.by_the_formula(self.last_told - self.first_sent),
        )


def post(connection, path, key, body):
    """(time of sending, time of the answer, status, answer)."""
    sent = time.monotonic()
    connection.request("POST", path, body, {"API-KEY": key})
    answer = connection.getresponse()
    content = answer.read()
    return sent, time.monotonic(), answer.status, json.loads(content)


def offer(connection, account, key, count):
    """So many events in one request."""
    items = json.dumps([{"topic": f"t.{account.name}", "args": [n]} for n in range(count)])
    sent, told, status, results = post(connection, "/publish", key, items)
    assert status == 200
    statuses = Counter(one["status"] for one in results)
    assert statuses.keys() <= {200, 429}
    account.told(sent, told, statuses[200])


def press(server, accounts, number, seconds, failures):
    """Offer each account twice its rate, by a connection and keys of one's own."""
    try:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        begin = time.monotonic()
        seen = {}
        for account in itertools.cycle(accounts):
            now = time.monotonic()
            if account is accounts[0] and now > begin + seconds:
                break
            # What has come since, twice, and what was there.
            passed = now - seen.get(account, begin - account.burst / account.rate)
            seen[account] = now
            offer(connection, account, f"key-{account.name}-{number}", ceil(2 * account.rate * passed) + 1)
        connection.close()
    except Exception as failure:
        failures.append(failure)


@pytest.mark.parametrize(
    ("count", "seconds"), [(20, 2), pytest.param(1000, 60, marks=pytest.mark.soak)], ids=["short", "long"]
)
def test_accounts_that_are_offered_twice_their_rate_get_what_the_formula_says(tmp_path, count, seconds):
    accounts = [Account(n, round(0.3 + n % 23 / 10, 1), 40 + n % 17) for n in range(count)]
    config = '[usage]\nflush_s = 1\n[realms.radio]\nanonymous = "all"\n'
    config += '[realms.radio.roles.all]\ncall = ["radiod.admin.*"]\n'
    config += "".join(account.config for account in accounts)
    failures = []
    with radiod(tmp_path, config) as server:
        pressers = [
            threading.Thread(target=press, args=(server, accounts, number, seconds, failures))
            for number in range(2)
        ]
        for thread in pressers:
            thread.start()
        for thread in pressers:
            thread.join()
        assert not failures
        ledger = usage(server)
    for account in accounts:
        least, most = account.bounds
        assert least <= account.accepted <= most, account.name
        assert ledger[account.name]["published"] == account.accepted
    exact = sum(account.bounds[0] == account.bounds[1] for account in accounts)
    print(f"{sum(one.accepted for one in accounts)} events; {exact} of {count} accounts to the message")


def usage(server):
    """Account -> what the ledger has of it."""
    admin = RawClient(server.port)
    rows, after = [], None
    while True:
        arguments = {"by": ["account"], "after": after}
        answer = admin.ask([48, None, {}, "radiod.admin.usage", [], arguments])[3][0]
        rows += answer["rows"]
        after = answer["next"]
        if after is None:
            break
    admin.close()
    return {row["account"]: row for row in rows}


def test_connections_over_wamp_share_what_their_account_has(tmp_path):
    # Whatever stalls this machine: what comes meanwhile has room.
    account = Account("nonymous", 20.0, 60)
    config = (
        f"[plans.p]\npublish_rate = {account.rate}\npublish_burst = {account.burst}\n"
        '[accounts.anonymous]\nplan = "p"\n[realms.radio]\nanonymous = "all"\n'
        '[realms.radio.roles.all]\npublish = ["*"]\n'
    )
    with radiod(tmp_path, config) as server:
        clients = [RawClient(server.port) for _ in range(3)]
        end, is_refused = time.monotonic() + 2, False
        # Until there is nothing left to take: otherwise nobody knows how much there was.
        while time.monotonic() < end or not is_refused:
            for client in clients:
                sent = time.monotonic()
                answer = client.ask([16, None, {"acknowledge": True}, "a", [1]])
                is_refused = answer[0] != 17
                account.told(sent, time.monotonic(), not is_refused)
                assert not is_refused or answer[4] == "radiod.error.rate_limited"
        for client in clients:
            client.close()
    least, most = account.bounds
    assert least <= account.accepted <= most


@pytest.mark.parametrize("way", ["terminate", "kill"])
def test_what_was_used_outlives_a_restart(tmp_path, way):
    """After kill -9 less what was counted since the ledger was written last: here all of it was."""
    config = (
        f'[store]\npath = "{tmp_path}/radiod.sqlite"\n[usage]\nflush_s = 0.1\n'
        '[plans.p]\npublish_month = 5\n[accounts.acme]\nplan = "p"\n'
        '[realms.radio]\nanonymous = "all"\n[realms.radio.roles.all]\ncall = ["radiod.admin.*"]\n'
        '[realms.radio.keys.k]\nkey = "key"\naccount = "acme"\npublish = ["*"]\n'
    )

    def publish(server, count):
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        body = json.dumps({"topic": "a"})
        statuses = [post(connection, "/publish", "key", body)[2] for _ in range(count)]
        connection.close()
        return statuses

    with radiod(tmp_path, config) as server:
        assert publish(server, 3) == [200] * 3
        # What is asked for is written first.
        assert usage(server)["acme"]["published"] == 3
        getattr(server.process, way)()
        server.process.wait()
    with radiod(tmp_path, config) as server:
        # The ledger has been read when it can be asked.
        assert usage(server)["acme"]["published"] == 3
        assert publish(server, 3) == [200, 200, 429]
