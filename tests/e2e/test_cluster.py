"""Three real nodes beside real NATS servers are one radio."""

import pytest
from engine.nats.servers import Servers
from support.cluster.running import node, nodes
from support.running import free_port


@pytest.fixture(scope="module")
def nats(tmp_path_factory):
    """One server, which nobody stops."""
    with Servers(tmp_path_factory.mktemp("nats")) as servers:
        yield servers


@pytest.fixture(scope="module")
def three(tmp_path_factory, nats):
    """Three nodes that know each other, and that nobody stops."""
    with nodes(tmp_path_factory.mktemp("nodes"), nats.urls) as found:
        yield found


def test_nodes_find_each_other(three):
    three[-1].wait_for("cluster radiod: node c is there, with a, b")
    assert "Traceback" not in "".join(one.log for one in three)


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
