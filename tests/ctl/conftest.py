"""``radioctl`` in this process, on a server that answers as the test says."""

import json
from typing import NamedTuple

import pytest
from click.testing import CliRunner
from support.admin_server import AdminServer

from radiod.ctl.app import cli


class Done(NamedTuple):
    """What a call of ``radioctl`` came to."""

    status: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


@pytest.fixture
def server(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "radiod.toml").write_text("[realms.town]\n")
    server = AdminServer(tmp_path / "radiod-admin.sock")
    yield server
    server.close()


@pytest.fixture
def run(monkeypatch):
    """Calls ``radioctl``; its own environment variables count for nothing."""
    monkeypatch.setenv("COLUMNS", "200")

    def run(*words, stdin=None):
        done = CliRunner().invoke(cli, [str(word) for word in words], input=stdin, prog_name="radioctl")
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return Done(done.exit_code, done.stdout, done.stderr)

    return run
