"""clients/matlab in Octave against the real server: README, errors, restarts, losses, Ctrl-C, leftovers."""

import contextlib
import json
import os
import pty
import queue
import re
import shutil
import subprocess
import threading
import time

import numpy as np
import pytest
import requests
from radiod_client import Radio
from support.config import configuration
from support.running import ROOT, environment, free_port, radiod

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(shutil.which("octave-cli") is None, reason="no language: Octave is not installed"),
]

SECONDS = 30
MATLAB = ROOT / "clients" / "matlab"
README = MATLAB / "README.md"
CONFIG = configuration(
    """
[realms.radio.keys.octave]
key = "octave-key"
publish = ["*"]
listen = ["*"]
call = ["*"]

[realms.radio.keys.deaf]
key = "deaf-key"

[realms.radio.channels.kept]
history = { size = 100000 }

[realms.radio.channels."town.speed"]
history = { size = 10 }

[realms.radio.channels.short]
history = { size = 10 }

[realms.radio.channels.log]
durable = true

[realms.radio.channels.hello]
[realms.radio.channels.loud]
[realms.radio.channels.plain]
[realms.radio.channels.quiet]

[store]
path = "octave.sqlite"
"""
)
TELL = """
function tell(sample)
  printf('%s\\n', jsonencode(sample));
  fflush(stdout);
end
"""


class Octave:
    """One Octave that runs a script: its lines as they come."""

    def __init__(self, server, script, stack, transport="pipe"):
        made = f"r = radiod.Radio('{server.url}', 'key', 'octave-key', 'transport', '{transport}');"
        self.process = stack.enter_context(
            subprocess.Popen(
                ["octave-cli", "--quiet", "--eval", f"addpath('{MATLAB}');\n{TELL}\n{made}\n{script}"],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                text=True,
                env=environment(),
            )
        )
        self._lines = queue.SimpleQueue()
        reader = threading.Thread(target=self._read, daemon=True)
        reader.start()
        stack.callback(reader.join, SECONDS)
        stack.callback(self.process.kill)

    def _read(self):
        for line in self.process.stdout:
            self._lines.put(line.rstrip("\n"))
        self._lines.put(None)

    def line(self):
        """The next one; None at the end."""
        return self._lines.get(timeout=SECONDS)

    def sample(self):
        """The next one."""
        line = self.line()
        try:
            return json.loads(line)
        except (TypeError, ValueError):
            raise AssertionError([line, *self.rest()]) from None

    def rest(self):
        """All until its end."""
        return list(iter(self.line, None))


@pytest.fixture
def run():
    """Start an Octave, or let it run to its end and return what it printed."""
    with contextlib.ExitStack() as stack:
        yield lambda server, script, **options: Octave(server, script, stack, **options)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("octave")
    with radiod(folder, CONFIG.replace("octave.sqlite", str(folder / "octave.sqlite"))) as server:
        yield server


@pytest.fixture
def radio(server):
    with Radio(server.url, timeout=SECONDS) as radio:
        yield radio


both_transports = pytest.mark.parametrize("transport", ["pipe", "file"])
# MATLAB's, in all it does, with the long runs.
each_transport = pytest.mark.parametrize("transport", ["pipe", pytest.param("file", marks=pytest.mark.soak)])


def wait_for(is_so):
    end = time.monotonic() + SECONDS
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.01)


def publish(server, channel, numbers):
    """One after the other, acknowledged; again while there is no server."""
    with Radio(server.url, timeout=SECONDS) as radio:
        for number in numbers:
            radio.channel(channel).publish({"n": number})


def readers(server, channel):
    """How many listen."""
    answer = requests.get(f"{server.url}/channels/{channel}", timeout=SECONDS)
    return answer.json().get("readers", 0) if answer.ok else 0


def test_the_five_lines_of_the_readme(server, radio, run):
    [_, lines, *_] = re.split(r"```matlab\n|```\n", README.read_text())
    assert lines.count("\n") <= 5
    lines = lines.replace("http://127.0.0.1:8080", server.url).replace("clients/matlab", str(MATLAB))
    octave = run(server, f"clear r\n{lines}")
    wait_for(lambda: readers(server, "hello") > 0)
    radio.channel("hello").publish({"wind": 5})
    assert any("wind = 5" in line for line in iter(octave.line, None))
    assert octave.process.wait(SECONDS) == 0


@both_transports
def test_what_is_published_is_heard_collected_kept_and_called(server, run, transport):
    script = """
    channel = ['kept.' 'a'];
    first = r.publish('kept', struct('n', 1, 'text', ['"\\' char(10) '%d @ ' char([195 164])]));
    r.publish('kept', single(0.1));
    r.publish('kept', {1, 'two', [3 4; 5 6]});
    past = r.history('kept', 'last', 3);
    tell(past(1).data); tell(past(2).data); tell(past(3).data); tell(isscalar(first));
    tell(r.latest('kept').position);
    [two, position] = r.history('kept', 'after', past(1).position, 'limit', 2);
    tell({size(two), two.lost, strcmp(position, past(3).position)});
    more = r.collect('kept', 2, 'after', past(1).position, 'timeout', 20);
    tell({size(more), strcmp(more(2).position, past(3).position)});
    none = r.collect('kept', 2, 'timeout', 0.1);
    tell({size(none), isempty(r.latest('nothing'))});
    tell(r.call('radiod.echo', 5)); tell(r.call('radiod.echo', {'a', [1 2; 3 4]}));
    tell(r.call('radiod.echo', {}, 'kwargs', struct('a', 1)));
    """
    heard = run(server, script, transport=transport).rest()
    assert [json.loads(line) for line in heard[:4]] == [
        {"n": 1, "text": '"\\\n%d @ ä'},
        pytest.approx(0.1),
        [1, "two", [[3, 4], [5, 6]]],
        True,
    ], heard
    assert re.fullmatch(r'"[^:]+:\d+"', heard[4])
    assert [json.loads(line) for line in heard[5:]] == [
        [[2, 1], 0, 0, True],
        [[2, 1], True],
        [[0, 1], True],
        5,
        ["a", [[1, 2], [3, 4]]],
        {"args": [], "kwargs": {"a": 1}},
    ]


def test_arrays_and_other_binary_data_come_whole(server, radio, run):
    """The lines of docs/arrays.md."""
    page = (ROOT / "docs" / "arrays.md").read_text()
    [lines] = re.findall(r"```matlab\n(.*?)```", page, re.DOTALL)
    speeds = np.arange(12, dtype="<f4").reshape(3, 4)
    radio.channel("town.speed").publish({"speed": speeds, "unit": "\\u0000 m/s"})
    script = f"{lines} tell(speeds); tell(sample.data.unit);"
    assert [json.loads(line) for line in run(server, script).rest()] == [speeds.tolist(), "\\u0000 m/s"]


@each_transport
def test_errors_have_names(server, run, transport):
    script = f"""
    function told(work)
      try
        work();
        disp('nothing')
      catch trouble
        printf('%s %s\\n', trouble.identifier, trouble.message);
      end
    end
    stranger = radiod.Radio('{server.url}', 'transport', '{transport}');
    wrong = radiod.Radio('{server.url}', 'key', 'wrong-key', 'transport', '{transport}');
    deaf = radiod.Radio('{server.url}', 'key', 'deaf-key', 'transport', '{transport}');
    absent = radiod.Radio('http://127.0.0.1:{free_port()}', 'transport', '{transport}');
    told(@() stranger.publish('kept', 1));
    told(@() wrong.publish('kept', 1));
    told(@() wrong.listen('kept', @tell));
    told(@() deaf.publish('kept', 1));
    told(@() deaf.latest('kept'));
    told(@() deaf.call('radiod.echo'));
    told(@() r.call('nobody.has.it'));
    told(@() r.listen('not a name', @tell));
    told(@() r.listen('kept', @tell, 'after', 'nonsense'));
    told(@() absent.listen('kept', @tell));
    told(@() absent.publish('kept', 1));
    told(@() r.listen('kept', @tell, 'nn', 5));
    told(@() r.listen('kept', @tell, 'n', 'many'));
    told(@() r.publish('kept', 1i));
    told(@() r.publish('kept', @sin));
    told(@() radiod.Radio('127.0.0.1:8080'));
    told(@() r.listen('kept', @(sample) error('mine:own', 'mine'), 'last', 1));
    """
    run(server, "r.publish('kept', 1);").rest()
    said = run(server, script, transport=transport).rest()
    assert [line.partition(" ")[0] for line in said] == [
        *["radiod:refused"] * 9,
        *["radiod:disconnected"] * 2,
        *["radiod:argument"] * 5,
        "mine:own",
    ], said
    assert said[0] == "radiod:refused API-KEY missing in headers (HTTP 400)"
    assert said[6] == "radiod:refused wamp.error.no_such_procedure: nobody has registered nobody.has.it"
    assert "nobody listens there" in said[9]


def test_calls_end_in_time_and_errors_of_procedures_are_told(server, radio, run):
    gone = threading.Event()

    def slow():
        gone.wait(SECONDS)

    def broken():
        raise ValueError("broken")

    radio.register("octave.slow", slow)
    radio.register("octave.broken", broken)
    script = """
    try, r.call('octave.slow', {}, 'timeout', 0.2), catch trouble, disp(trouble.identifier), end
    try, r.call('octave.broken'), catch trouble, disp(trouble.identifier), end
    """
    said = run(server, script).rest()
    gone.set()
    assert said == ["radiod:timeout", "radiod:refused"]


@pytest.mark.soak
@pytest.mark.parametrize(
    ("is_killed", "transport"), [(False, "file"), (True, "pipe")], ids=["SIGTERM", "kill -9"]
)
def test_a_restart_loses_and_repeats_nothing(tmp_path, run, transport, is_killed):
    """On a durable channel, whose count goes on, whatever ends the server."""
    config = CONFIG.replace("octave.sqlite", str(tmp_path / "octave.sqlite"))
    port = free_port()
    script = "[p, n, lost] = r.listen('log', @tell, 'n', 15); tell([n, lost])"
    octave = None
    for turn in range(2):
        with radiod(tmp_path, config, port) as server:
            if octave is None:
                # The count of a channel without an event would begin anew.
                publish(server, "log", [-1])
                octave = run(server, script, transport=transport)
                wait_for(lambda: readers(server, "log") > 0)
            else:
                publish(server, "log", range(15 * turn - 15, 15 * turn))
                heard = [octave.sample() for _ in range(15)]
                assert [sample["data"]["n"] for sample in heard] == list(range(15 * turn - 15, 15 * turn))
                assert {sample["lost"] for sample in heard} == {0}
            if is_killed:
                server.process.kill()
                server.process.wait(SECONDS)
    assert octave.sample() == [15, 0]


def test_a_new_count_is_a_gap_of_unknown_size(tmp_path, run):
    """A history in memory is gone with a server that was killed: said once, then exact again."""
    config = CONFIG.replace("octave.sqlite", str(tmp_path / "octave.sqlite"))
    port = free_port()
    with radiod(tmp_path, config, port) as server:
        octave = run(server, "[p, n, lost] = r.listen('kept', @tell, 'n', 4); tell([n, lost])")
        wait_for(lambda: readers(server, "kept") > 0)
        publish(server, "kept", [1, 2])
        heard = [octave.sample(), octave.sample()]
        server.process.kill()
        server.process.wait(SECONDS)
    with radiod(tmp_path, config, port) as server:
        publish(server, "kept", [3, 4])
        heard += [octave.sample(), octave.sample()]
    assert [(sample["data"]["n"], sample["lost"]) for sample in heard] == [(1, 0), (2, 0), (3, None), (4, 0)]
    assert octave.sample() == [4, None]


def test_a_past_that_is_gone_is_counted(server, run):
    publish(server, "short", range(30))
    script = """
    s = r.history('short'); tell([numel(s), s(1).lost, s(1).data.n]);
    epoch = strtok(s(1).position, ':');
    r.listen('short', @tell, 'after', [epoch ':5'], 'n', 2);
    """
    [kept, first, second] = [json.loads(line) for line in run(server, script).rest()]
    assert kept == [10, 0, 20]
    assert (first["data"]["n"], first["lost"]) == (20, 15)
    assert (second["data"]["n"], second["lost"]) == (21, 0)


@pytest.mark.parametrize("channel", ["loud", "kept"])
def test_what_a_slow_listener_misses_is_kept_or_counted(server, radio, run, tmp_path, channel):
    """The server's buffer overflows while the callback waits: a history gives it back."""
    script = """
    function slow(sample)
      if sample.data.n == 0
        tell(sample);
        fgetl(fopen(getenv('GO'), 'r'));
      end
      tell(struct('n', sample.data.n, 'lost', sample.lost));
      if sample.data.n == 400
        error('radiod:stop', 'enough');
      end
    end
    """
    go = tmp_path / "go"
    os.mkfifo(go)
    octave = run(
        server, f"setenv('GO', '{go}');{script} [p, n, lost] = r.listen('{channel}', @slow);tell(lost)"
    )
    wait_for(lambda: readers(server, channel) > 0)
    loud = radio.channel(channel)
    loud.publish({"n": 0})
    octave.sample()
    for number in range(1, 401):
        loud.publish({"n": number, "fill": "x" * 30_000}, acknowledge=number % 50 == 0)
    go.write_text("go\n")
    expected = lost = 0
    while expected <= 400:
        sample = octave.sample()
        assert sample["n"] == expected + sample["lost"]
        lost += sample["lost"]
        expected = sample["n"] + 1
    assert (lost == 0) == (channel == "kept")
    assert octave.sample() == lost


def test_a_channel_without_positions_says_that_something_may_be_missing(tmp_path, run):
    port = free_port()
    config = CONFIG.replace("octave.sqlite", str(tmp_path / "octave.sqlite"))
    with radiod(tmp_path, config, port) as server:
        octave = run(server, "r.listen('plain', @tell, 'n', 2)")
        wait_for(lambda: readers(server, "plain") > 0)
        publish(server, "plain", [1])
        assert octave.sample() == {"position": "", "data": {"n": 1}, "lost": 0}
    with radiod(tmp_path, config, port) as server:
        wait_for(lambda: readers(server, "plain") > 0)
        publish(server, "plain", [2])
        assert octave.sample() == {"position": "", "data": {"n": 2}, "lost": None}


@each_transport
def test_catching_up_over_pages_and_stopping(server, run, transport):
    """More than one page, in order, to the live end; the callback's word ends it."""
    fill = "x" * 200
    lines = "\n".join(json.dumps({"topic": "kept", "args": [{"i": i, "fill": fill}]}) for i in range(9000))
    begin = requests.get(f"{server.url}/listen/kept?wait=0", timeout=SECONDS).headers["X-Radiod-Position"]
    headers = {
        "API-KEY": "octave-key",
        "Content-Type": "application/x-ndjson",
        "Prefer": "return=minimal",
    }
    requests.post(f"{server.url}/publish", lines, headers=headers, timeout=SECONDS).raise_for_status()
    script = f"""
    global at
    at = 0;
    function check(sample)
      global at
      assert(sample.data.i == at && sample.lost == 0);
      at = at + 1;
      if at == 9000
        error('radiod:stop', 'enough');
      end
    end
    [p, n, lost] = r.listen('kept', @check, 'after', '{begin}');
    tell({{n, lost, strcmp(p, r.position)}});
    """
    said = run(server, script, transport=transport).rest()
    assert said == ["[9000,0,true]"]


@each_transport
def test_nobody_sees_the_key_and_nothing_is_left(server, run, tmp_path, transport):
    script = f"setenv('TMPDIR', '{tmp_path}'); r.listen('quiet', @tell, 'n', 1);"
    octave = run(server, script, transport=transport)
    wait_for(lambda: readers(server, "quiet") > 0)
    lines = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    ours = [line for line in lines.splitlines() if "octave-key" in line and "octave-cli" not in line]
    assert not ours
    for file in tmp_path.rglob("*"):
        assert not file.stat().st_mode & 0o077 or not file.parent.stat().st_mode & 0o077
    publish(server, "quiet", [1])
    assert octave.sample()["data"] == {"n": 1}
    assert octave.rest() == []
    assert octave.process.wait(SECONDS) == 0
    assert not list(tmp_path.iterdir())
    wait_for(lambda: readers(server, "quiet") == 0)


@each_transport
def test_ctrl_c_ends_a_listening_and_leaves_nothing(server, transport):
    """At the prompt of a terminal: the line is over, the position is there, the connection is closed."""
    begin = (
        f"addpath('{MATLAB}'); "
        f"r = radiod.Radio('{server.url}', 'key', 'octave-key', 'transport', '{transport}');"
    )
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvp("octave-cli", ["octave-cli", "--quiet", "--no-history"])
    try:
        os.write(terminal, f"{begin} r.listen('kept', @(s) disp(s.data.n));\n".encode())
        channel = "kept"
        wait_for(lambda: readers(server, channel) > 0)
        publish(server, channel, [4711])
        heard = until(terminal, b"4711")
        os.write(terminal, b"\x03")
        os.write(terminal, b"printf('<%s>\\n', r.position); exit\n")
        heard = until(terminal, b">\r\n")
        assert re.search(rb"<[0-9a-f]+:\d+>", heard), heard
        wait_for(lambda: readers(server, channel) == 0)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, 9)
        os.waitpid(pid, 0)
        os.close(terminal)


def until(terminal, text):
    """What a terminal shows up to a text."""
    shown = b""
    end = time.monotonic() + SECONDS
    while not re.search(text, shown):
        assert time.monotonic() < end, shown
        try:
            shown += os.read(terminal, 4096)
        except OSError:
            raise AssertionError(shown) from None
    return shown
