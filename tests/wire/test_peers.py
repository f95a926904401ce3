"""How peers are called."""

import pytest

from radiod.wire.peers import peer_at, without_mapping


@pytest.mark.parametrize(
    ("host", "plain", "peer"),
    [
        ("192.0.2.1", "192.0.2.1", "tcp:192.0.2.1:80"),
        ("2001:db8::1", "2001:db8::1", "tcp:[2001:db8::1]:80"),
        ("fe80::1%eth0", "fe80::1%eth0", "tcp:[fe80::1%eth0]:80"),
        # By a socket of IPv6 that takes both.
        ("::ffff:192.0.2.1", "192.0.2.1", "tcp:192.0.2.1:80"),
        ("::ffff:0:1", "::ffff:0:1", "tcp:[::ffff:0:1]:80"),
    ],
)
def test_an_address_is_called_by_what_everybody_calls_it(host, plain, peer):
    assert without_mapping(host) == plain
    assert peer_at(host, 80) == peer
