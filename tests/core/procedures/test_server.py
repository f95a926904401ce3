"""What the server tells about itself."""

from radiod import __version__


def test_info_says_what_this_server_is(caller):
    assert caller.call("radiod.server.info") == {"name": "radiod", "version": __version__}
