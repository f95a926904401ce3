"""Three real nodes beside real NATS servers are one radio."""

import json
import subprocess
import sys

import pytest
from engine.nats.servers import Servers
from support.cluster.running import Node, node, nodes
from support.running import ROOT, environment, free_port, radiod
from support.scrapes import scrape

pytestmark = pytest.mark.e2e

SECONDS = 30

CONFIG = """
[[listen]]
endpoint = "tcp:8080:interface=127.0.0.1"
serve = ["radio", "metrics"]

[realms.radio]
anonymous = "listener"
"""


def radioctl(node, *command):
    """Run radioctl on a node's admin socket."""
    file = node.server.log.with_suffix(".toml")
    return subprocess.run(
        [sys.executable, "-m", "radiod.ctl", "--config", str(file), *command],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )


@pytest.fixture(scope="module")
def nats(tmp_path_factory):
    """One server, which nobody stops."""
    with Servers(tmp_path_factory.mktemp("nats")) as servers:
        yield servers


@pytest.fixture(scope="module")
def three(tmp_path_factory, nats):
    """Three nodes that know each other, and that nobody stops."""
    with nodes(tmp_path_factory.mktemp("nodes"), nats.urls, config=CONFIG) as found:
        yield found


def test_nodes_find_each_other(three):
    three[-1].wait_for("cluster radiod: node c is there, with a, b")
    assert "Traceback" not in "".join(one.log for one in three)


def test_an_operator_sees_the_nodes(three):
    told = radioctl(three[0], "cluster", "--json")
    cluster = json.loads(told.stdout)
    assert (cluster["cluster"], cluster["node"], cluster["isolated_s"]) == ("radiod", "a", None)
    assert sorted(one["node"] for one in cluster["nodes"]) == ["b", "c"]
    assert all(one["same_config"] for one in cluster["nodes"])
    shown = radioctl(three[0], "cluster").stdout
    assert "a, of cluster radiod: reaches others" in shown
    assert scrape(three[0].server).value("radiod_cluster_nodes") == 3


def test_a_server_that_is_alone_says_so(tmp_path):
    with radiod(tmp_path, CONFIG) as server:
        told = radioctl(Node("alone", server), "cluster")
        assert told.returncode == 1
        assert "this server is no node of a cluster" in told.stderr


def test_a_node_without_a_server_is_alive_and_not_ready(tmp_path):
    with node(tmp_path, "a", [f"nats://127.0.0.1:{free_port()}"]) as alone:
        alone.wait_ready(False)
        alone.wait_for("cluster: ")


def test_a_wrong_password_is_one_line(tmp_path):
    with Servers(tmp_path / "nats", more='authorization { user: "u", password: "right" }') as servers:
        more = 'user = "u"\npassword = "secret-of-ours"\n'
        with node(tmp_path, "a", servers.urls, more=more) as refused:
            refused.wait_for("uthorization")
            refused.wait_ready(False)
            assert "secret-of-ours" not in refused.log
            assert refused.log.count("does not take our credentials") == 1
