"""No option takes a secret: command lines are for everybody to read."""

import click
import pytest

from radiod.ctl.app import cli

SECRET = ("ticket", "password", "secret", "key", "scram", "token")
NAMES = {
    # An id, and no secret.
    ("usage", "key"),
}


def commands(group, path=()):
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


ALL = [("", cli), *commands(cli)]


@pytest.mark.parametrize(("name", "command"), ALL, ids=[name or "radioctl" for name, _ in ALL])
def test_what_sounds_like_a_secret_is_a_file_or_a_switch(name, command):
    for parameter in command.params:
        for option in parameter.opts:
            word = option.lstrip("-")
            if not any(secret in word for secret in SECRET) or (name, word) in NAMES:
                continue
            is_switch = getattr(parameter, "is_flag", False)
            assert is_switch or (word.endswith("-file") and isinstance(parameter.type, click.Path)), option


@pytest.mark.parametrize(("name", "command"), ALL[1:], ids=[name for name, _ in ALL[1:]])
def test_every_command_answers_in_json_and_says_what_it_does(name, command):
    assert any("--json" in parameter.opts for parameter in command.params)
    assert command.help
