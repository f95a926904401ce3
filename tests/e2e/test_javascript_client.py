"""The JavaScript client against the real server, on two Nodes and in Chromium: restarts, cuts, services."""

import contextlib
import json
import re
import subprocess
import time

import pytest
from radiod_client import Radio as PythonRadio
from radiod_client import RemoteError, Service
from support.browsers import NEEDS_CHROMIUM, chromium
from support.config import configuration
from support.javascript import CLIENT, MODULES, NEEDS_NODE, NEW_NODE, Page, ProgramError, node
from support.running import free_port, radiod

pytestmark = [pytest.mark.e2e, NEEDS_NODE]

SECONDS = 30
CHANNELS = """
[realms.radio.channels.kept]
history = { size = 10000 }

[realms.radio.channels."kept.*"]
history = { size = 100000 }

[realms.radio.channels.log]
durable = true
"""
# Node 20 is the contract's; all of it there with the long runs.
KINDS = [
    pytest.param("node 20", marks=pytest.mark.soak),
    "node",
    pytest.param("chromium", marks=NEEDS_CHROMIUM),
]

CUT = """
kept.cut = async (radio) => {
  const { session } = radio, { sockets } = kept;
  sockets.at(-1).close();
  while (radio.session === session || radio.state !== "open") await kept.sleep(5);
};
kept.sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
"""
"""Breaks a Radio's connection in the middle; what made it is ``kept.WebSocket``."""

COUNTED = """
kept.sockets = [];
kept.WebSocket = class extends WebSocket {
  constructor(...args) {
    super(...args);
    kept.sockets.push(this);
  }
};
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    text = configuration(CHANNELS.partition("[realms.radio.channels.log]")[0])
    with radiod(tmp_path_factory.mktemp("javascript"), text) as server:
        yield server


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("chromium")) as driver:
        yield driver


@contextlib.contextmanager
def program(kind, url, request):
    """What runs JavaScript, with a Radio ``kept.radio`` and another for publishing, ``kept.publisher``."""
    with contextlib.ExitStack() as stack:
        if kind == "chromium":
            made = Page(request.getfixturevalue("browser"), url)
            stack.callback(made.close)
        else:
            made = stack.enter_context(node(kind))
        made.run(COUNTED + CUT)
        made.run(
            """
            const options = { WebSocket: kept.WebSocket, timeout: 30000 };
            kept.publisher = await new radiod.Radio(args[0], options).connect();
            kept.radio = await new radiod.Radio(args[0], options).connect();
            kept.errors = [];
            kept.radio.addEventListener("error", (event) => {
              kept.errors.push(String(event.error));
              event.preventDefault();
            });
            """,
            url,
        )
        yield made


@pytest.fixture(params=KINDS)
def js(request, server):
    with program(request.param, server.url, request) as made:
        yield made


def until(js, code, seconds=SECONDS):
    end = time.monotonic() + seconds
    while not (value := js.run(code)):
        assert time.monotonic() < end, code
        time.sleep(0.02)
    return value


NUMBERS = """
const found = [];
while (found.at(-1)?.[0] !== args[1]) {
  const { data, gap } = await kept[args[0]].get(30000);
  found.push([data, gap && [gap.lost, gap.reason]]);
}
return found;
"""
"""Data and gaps of a listening up to a number."""


def exact(found, last):
    """That nothing came twice, early, or was missed but for what was told; how many were told."""
    expected = told = 0
    for data, gap in found:
        lost = gap[0] if gap else 0
        assert data == expected + lost, (data, expected, gap)
        told += lost
        expected = data + 1
    assert expected == last + 1
    return told


@pytest.mark.parametrize("prefix", ['import { WebSocket } from "ws";\n', ""], ids=["node 20", "node"])
def test_the_five_lines_of_the_readme(server, request, tmp_path, prefix):
    lines = re.findall(r"```js\n(.*?)```", (CLIENT / "README.md").read_text(), re.DOTALL)[0]
    code = lines.replace("http://127.0.0.1:8080", server.url)
    if prefix:
        code = prefix + code.replace(f'"{server.url}"', f'"{server.url}", {{ WebSocket }}')
    (tmp_path / "package.json").write_bytes((CLIENT / "package.json").read_bytes())
    (tmp_path / "radiod.js").write_bytes((CLIENT / "radiod.js").read_bytes())
    (tmp_path / "node_modules").symlink_to(MODULES)
    (tmp_path / "main.mjs").write_text(code)
    binary = "node" if prefix else str(NEW_NODE)
    with (
        program("node", server.url, request) as js,
        subprocess.Popen([binary, "main.mjs"], cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process,
    ):
        try:
            until(js, 'return (await kept.publisher.channel("sample_net").info()).readers')
            js.run('await kept.publisher.channel("sample_net").publish({ speed: 12 })')
            assert process.stdout.readline() == "{ speed: 12 }\n"
        finally:
            process.kill()


@pytest.mark.soak
@pytest.mark.parametrize("kind", KINDS[1:])
@pytest.mark.parametrize(
    ("how", "kept", "gap"),
    [("terminate", ["kept", "log", "other"], None), ("kill", ["log"], [None, "reconnect"])],
    ids=["SIGTERM", "kill -9"],
)
def test_a_restart_misses_and_repeats_nothing(tmp_path, request, kind, how, kept, gap):
    port = free_port()
    text = configuration(f"{CHANNELS}\n[store]\npath = {json.dumps(str(tmp_path / 'store.sqlite'))}")
    channels = ["kept", "log", "other"]
    with contextlib.ExitStack() as stack:
        with radiod(tmp_path, text, port) as server:
            js = stack.enter_context(program(kind, server.url, request))
            js.run(
                """
                for (const name of args) {
                  kept[name] = kept.radio.channel(name).listen();
                  await kept[name].ready;
                }
                for (let n = 0; n < 100; n++)
                  for (const name of args)
                    await kept.publisher.channel(name).publish(n, { acknowledge: n === 99 });
                """,
                *channels,
            )
            # What was published on a channel without history must have come before the server goes.
            assert exact(js.run(NUMBERS, "other", 99), 99) == 0
            getattr(server.process, how)()
            server.process.wait(SECONDS)
        with radiod(tmp_path, text, port):
            js.run(
                """
                for (let n = 100; n < 150; n++)
                  for (const name of ["log", "kept"]) await kept.publisher.channel(name).publish(n);
                """
            )
            until(js, 'return (await kept.publisher.channel("other").info().catch(() => ({}))).readers')
            js.run('for (let n = 100; n < 102; n++) await kept.publisher.channel("other").publish(n)')
            for name in set(kept) - {"other"}:
                assert exact(js.run(NUMBERS, name, 149), 149) == 0
            # Nothing was missed there; but behind a crash nobody can know.
            assert js.run(NUMBERS, "other", 101) == [[100, gap], [101, None]]


CUTS = """
const channel = kept.publisher.channel(args[0]);
const listening = kept.radio.channel(args[0]).listen({ size: 100000, queue: 1000000 });
await listening.ready;
let count = 0, isOver = false;
const publishing = (async () => {
  for (; !isOver; count++) {
    await channel.publish(count);
    if (count % 2) await kept.sleep(2);
  }
})();
const cutting = async () => {
  for (let n = 0; n < args[1]; n++) {
    await kept.cut(kept.radio);
    await kept.sleep((n % 7) * 5);
  }
  isOver = true;
  await publishing;
  while (!(await channel.info()).readers) await kept.sleep(10);
  await channel.publish(count);
  kept.last = count;
};
kept.last = null;
kept.cuts = listening;
cutting().catch((error) => (kept.last = String(error)));
"""


def cuts(js, name, times):
    """So many in the middle of the stream. Returns: how many losses were told, of how many events."""
    js.run(CUTS, name, times)
    last = until(js, "return kept.last", SECONDS + times)
    return exact(js.run(NUMBERS, "cuts", last), last), last


def kind_of(request):
    return request.node.callspec.id.replace(" ", "")


class TestCuts:
    def test_without_a_history_told_losses_are_the_real_ones(self, js, request):
        cuts(js, f"uncounted.{kind_of(request)}", 10)

    def test_nothing_is_missed_where_it_is_kept(self, js, request):
        name = f"kept.{kind_of(request)}"
        assert cuts(js, name, 10)[0] == 0

    @pytest.mark.parametrize("times", [10, pytest.param(100, marks=pytest.mark.soak)])
    def test_before_the_first_event(self, js, request, times):
        lost = js.run(
            """
            const lost = [];
            for (let n = 0; n < args[0]; n++) {
              const name = `first${n}.${args[1]}`, channel = kept.publisher.channel(name);
              await channel.publish("before");
              const listening = kept.radio.channel(name).listen();
              await listening.ready;
              const cut = kept.cut(kept.radio);
              await channel.publish("lost?");
              await cut;
              while (!(await channel.info()).readers) await kept.sleep(5);
              await channel.publish("last");
              const first = await listening.get(30000);
              lost.push(first.data === "lost?" ? 0 : (first.gap?.lost ?? -1));
              listening.close();
            }
            return lost;
            """,
            times,
            kind_of(request),
        )
        # Either it came, or it was told.
        assert set(lost) <= {0, 1}


@pytest.mark.soak
@pytest.mark.parametrize("kind", ["node", pytest.param("chromium", marks=NEEDS_CHROMIUM)])
@pytest.mark.parametrize("is_kept", [True, False], ids=["history", "no history"])
def test_a_thousand_cuts_under_500_events_a_second(server, request, kind, is_kept):
    name = f"{'kept' if is_kept else 'other'}.thousand.{kind}"
    with program(kind, server.url, request) as js:
        told, last = cuts(js, name, 1000)
    assert bool(told) is not is_kept
    assert last > 5000


def test_services_between_programs(js, server):
    with node("node") as other:
        other.run(
            """
            class Calc {
              rpc_sub = { rpc_mul: (a, b = 2) => a * b };
              async *rpc_count(n) { for (let at = 0; at < n; at++) yield at; }
              rpc_fail() { throw new RangeError("far"); }
              rpc_hang() {
                const { signal } = radiod.currentCall();
                return new Promise(() => signal.addEventListener("abort", () => (kept.aborted = true)));
              }
            }
            kept.radio = await new radiod.Radio(args[0]).connect();
            kept.radio.addEventListener("error", (event) => event.preventDefault());
            kept.served = await kept.radio.serve(new Calc(), "calc");
            """,
            server.url,
        )
        seen = js.run(
            """
            const calc = kept.radio.proxy("calc");
            const told = ({ name, type, message, uri }) => [name, type ?? uri ?? null, message];
            const failed = (promise) => promise.then(() => "?", told);
            const counted = [];
            for await (const n of calc.count.iter(1000)) if (counted.push(n) === 3) break;
            return {
              product: [await calc.sub.mul(3), await calc.sub.mul.with({ kwargs: { b: 5 } })(3)],
              counted, list: await calc.count(3),
              failed: await failed(calc.fail()),
              wrong: await failed(calc.sub.mul()),
              late: (await failed(calc.hang.withTimeout(100)())).slice(0, 2),
            };
            """
        )
        assert seen == {
            "product": [6, 15],
            "counted": [0, 1, 2],
            "list": [0, 1, 2],
            "failed": ["RemoteError", "RangeError", "far"],
            "wrong": ["TypeError", None, "rpc.calc.sub.mul: a is missing"],
            "late": ["CallTimeout", "wamp.error.timeout"],
        }
        until(other, "return kept.aborted ?? false")
        other.run("kept.served.close()")
        with pytest.raises(ProgramError, match="no_such_procedure"):
            until(js, 'await kept.radio.call("rpc.calc.sub.mul", [1, 2])')


class Adder(Service):
    def rpc_add(self, a, b=1):
        return a + b

    def rpc_count(self, n):
        yield from range(n)

    def rpc_fail(self):
        raise KeyError("key")


def test_services_in_two_languages(server):
    with node("node") as js, PythonRadio(server.url) as radio:
        js.run(
            """
            kept.radio = await new radiod.Radio(args[0]).connect();
            kept.radio.addEventListener("error", (event) => event.preventDefault());
            await kept.radio.serve({
              rpc_add: (a, b = 1) => a + b,
              *rpc_count(n) { for (let at = 0; at < n; at++) yield at; },
              rpc_fail() { throw new RangeError("far"); },
            }, "js");
            """,
            server.url,
        )
        radio.serve(Adder(), "py")
        there = js.run(
            """
            const py = kept.radio.proxy("py"), counted = [];
            for await (const n of py.count.iter(3)) counted.push(n);
            const wrong = await py.add().catch(({ name, message }) => [name, message]);
            const { type, message } = await py.fail().catch((error) => error);
            const sums = [await py.add(1), await py.add.with({ kwargs: { b: 5 } })(1)];
            return [...sums, counted, wrong, type, message];
            """
        )
        assert there == [2, 6, [0, 1, 2], ["TypeError", "rpc.py.add: a is missing"], "KeyError", "'key'"]
        proxy = radio.proxy("js")
        assert [proxy.add(1), proxy.add(1, b=5), list(proxy.count.iter(3))] == [2, 6, [0, 1, 2]]
        with pytest.raises(TypeError):
            proxy.add()
        with pytest.raises(RemoteError) as caught:
            proxy.fail()
        assert (caught.value.type, caught.value.message) == ("RangeError", "far")


def test_services_are_there_again_after_a_cut(js):
    js.run('await kept.radio.register("again", () => "here"); await kept.cut(kept.radio)')
    assert until(js, 'return kept.publisher.call("again").catch(() => false)') == "here"


def test_a_channel_of_ours_outlives_a_cut(js):
    seen = js.run(
        """
        const mine = await kept.radio.create("mine", { single_writer: true, history: { size: 10 } });
        const listening = kept.publisher.channel("mine").listen();
        await listening.ready;
        await mine.publish(1);
        await kept.cut(kept.radio);
        await mine.publish(2);
        const refused = await kept.publisher.channel("mine").publish(3).catch((error) => error.uri);
        const seen = [(await listening.get(30000)).data, (await listening.get(30000)).data, refused];
        await mine.delete();
        const gone = await kept.publisher.channel("mine").latest().catch((error) => error.uri);
        return [...seen, gone, kept.errors];
        """
    )
    assert seen[:3] == [1, 2, "wamp.error.not_authorized"]
    assert seen[3] in ("radiod.error.no_such_channel", "radiod.error.channel_closed")
    assert seen[4] == []


def test_msgpack_and_json_understand_each_other(server):
    with node("node") as js:
        js.run("kept.msgpack = (await import(args[0])).msgpack", str(CLIENT / "msgpack.js"))
        seen = js.run(
            """
            const { Radio } = radiod, seen = [];
            const packed = { serializer: kept.msgpack };
            const radios = [await new Radio(args[0], packed).connect(), await new Radio(args[0]).connect()];
            for (const [one, other] of [radios, [...radios].reverse()]) {
              const listening = one.channel("bytes").listen();
              await listening.ready;
              await other.channel("bytes").publish({ b: new Uint8Array([1, 255]), n: -5, t: "é" });
              const { data } = await listening.get(30000);
              seen.push([data.b instanceof Uint8Array, [...data.b], data.n, data.t]);
              listening.close();
            }
            for (const radio of radios) await radio.close();
            return seen;
            """,
            server.url,
        )
    assert seen == [[True, [1, 255], -5, "é"]] * 2


def test_a_wrong_login_nobody_and_something_else_there(js, server):
    refused = """
        const radio = new radiod.Radio(args[0], { WebSocket: kept.WebSocket, ...args[1] });
        const told = (error) => [error.constructor.name, error.uri ?? null, radio.state];
        return radio.connect().then(() => "?", told);
    """
    login = {"authid": "joe", "ticket": "wrong"}
    denied = ["LoginRefused", "wamp.error.authentication_denied", "closed"]
    assert js.run(refused, server.url, login) == denied
    assert js.run(refused, f"http://127.0.0.1:{free_port()}", {}) == ["ConnectFailed", None, "closed"]
    assert js.run(refused, f"{server.url}/nothing", {}) == ["ConnectFailed", None, "closed"]
    assert js.run(refused, server.url, {"authid": "joe", "ticket": "joe-ticket"}) == "?"


def test_a_program_ends_once_it_has_closed(server, tmp_path):
    (tmp_path / "main.mjs").write_text(
        f"""
        import {{ Radio }} from {json.dumps(str(CLIENT / "radiod.js"))};
        const radio = await new Radio({json.dumps(server.url)}).connect();
        await radio.channel("x").subscribe(() => {{}});
        await radio.call("radiod.echo", [1]);
        await radio.close();
        """
    )
    begun = time.monotonic()
    assert subprocess.run([str(NEW_NODE), "main.mjs"], cwd=tmp_path, timeout=SECONDS).returncode == 0
    assert time.monotonic() - begun < 15
