"""What ``[cluster]`` comes to, before anybody connects."""

import re
import socket
from pathlib import Path

import pytest
from support.cluster.world import ClusterWorld
from support.tls import certificate

from radiod.checking import checked
from radiod.config import Config, ConfigError
from radiod.core.history.bounds import HistoryBounds
from radiod.service.cluster import digest_of, node_name
from radiod.service.realms import restore_realms
from radiod.store.sqlite import SqliteStore

NATS = '[cluster]\nnats = ["nats://127.0.0.1:4222"]\n'
REALM = '[realms.radio]\nanonymous = "listener"\n'


def parse(text):
    return Config.parse(text, Path())


def told(folder, text):
    """What ``radiod check`` says of a file, without its path."""
    file = folder / "radiod.toml"
    file.write_text(NATS + text + REALM)
    try:
        return checked(file)[0].removeprefix(f"{file}: ")
    except ConfigError as error:
        return str(error).removeprefix(f"{file}: ")


class TestCheck:
    """``radiod check`` says what a start would."""

    def test_a_good_one_is_good(self, tmp_path):
        assert told(tmp_path, 'token = "t"\n') == "a server can start with it"

    @pytest.mark.parametrize(
        ("text", "line"),
        [
            ('ca = "none.pem"\n', r"cluster: ca .*none\.pem: No such file or directory"),
            ('ca = "radiod.toml"\n', "cluster: no certificate in PEM"),
            (
                'certificate = "none.pem"\nkey = "k.pem"\n',
                r"cluster: certificate .*: No such file or directory",
            ),
            ('nkey = "SUBAD"\n', "cluster: no seed of an nkey: .*"),
            ('credentials = "nothing"\n', "cluster: .*"),
        ],
    )
    def test_what_cannot_be_used_is_one_line(self, tmp_path, text, line):
        said = told(tmp_path, text)
        assert re.fullmatch(line, said)
        assert "SUBAD" not in said
        assert "nothing" not in said

    def test_certificates_are_read(self, tmp_path):
        made = certificate(tmp_path)
        assert told(tmp_path, f'ca = "{made}"\n') == "a server can start with it"


def test_a_node_is_called_as_it_is_told_or_as_its_machine(monkeypatch):
    assert node_name(parse(NATS + 'node = "n1"').cluster) == "n1"
    monkeypatch.setattr(socket, "gethostname", lambda: "röver.example.org")
    assert node_name(parse(NATS).cluster) == "r-ver-example-org"


class TestDigest:
    """Nodes should have the same realms and plans; what else they have is their own."""

    def test_is_that_of_realms_and_plans_alone(self):
        one = digest_of(parse(NATS + 'node = "a"\n' + REALM))
        assert one == digest_of(parse(NATS + 'node = "b"\n[limits]\nmax_keys = 5\n' + REALM))
        assert one != digest_of(parse(NATS + REALM.replace("radio]", "other]")))
        assert one != digest_of(parse(NATS + REALM + "[plans.small]\nconnections = 1\n"))

    def test_secrets_count_and_are_not_told(self):
        key = '[realms.radio.keys.k]\nkey = "{}"\n'
        digests = {digest_of(parse(REALM + key.format(secret))) for secret in ("one", "other", "one")}
        assert len(digests) == 2
        assert all(re.fullmatch("[0-9a-f]{16}", digest) for digest in digests)


def test_a_store_does_not_take_the_place_of_the_log_that_nodes_share(tmp_path):
    store = SqliteStore(str(tmp_path / "store.sqlite"), lambda function, *args: function(*args))
    store.open()
    world = ClusterWorld("a", "b")
    for name in "ab":
        realm = world[name].realm
        realm.space.histories.keep("past", HistoryBounds(size=10, seconds=60, bytes=10_000, is_durable=True))
        restore_realms({"radio": realm}, store)
        assert realm.lifecycle.store is not None
    listener = world.join("b")
    listener.request(32, {}, "past")
    world.advance(1)
    listener.received()
    world.join("a").request(16, {"acknowledge": True}, "past", [1])
    world.advance(1)
    assert [message[4] for message in listener.received()] == [[1]]
    store.close()
