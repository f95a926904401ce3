"""Small samples: what the decoders make of them, in Python, in the Python client and in JavaScript."""

import json
import shutil
import subprocess
import zlib
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from radiod_client import traffic
from radiod_client.arrays import decode_all
from support.running import ROOT

from simulator import Simulator, Town
from simulator.network import Street
from simulator.packing import KEY_EVERY, Packing
from simulator.samples import Decoder

SMALL = ["q8", "q16", "delta"]
SECONDS = 30
NEEDS_NODE = pytest.mark.skipif(shutil.which("node") is None, reason="node is missing")


def plain(value):
    return json.loads(json.dumps(value))


@pytest.fixture(scope="module")
def town():
    """Streets of other lengths and lanes, so that nothing fits by chance; one is full."""
    streets = [
        Street(id="ab", start="a", end="b", length=333.3, jam_density=0.137),
        Street(id="bc", start="b", end="c", length=71.0, jam_density=0.29, capacity=1.1),
        Street(id="cd", start="c", end="d", length=5000.0),
    ]
    return Town.from_streets(streets, {"ab": {"bc": 1.0}, "bc": {"cd": 0.7}}, {"a": {"ab": 1.0}})


@pytest.fixture(scope="module")
def run(town):
    """The map and 30 moments of a town: each in all formats."""
    simulator = Simulator(Town.grid(6, 6), step=7.0)
    simulator.run(420)
    moments = []
    for _ in range(30):
        moments.append(
            {format: plain(simulator.dump_state(format)) for format in ["dense", "legacy", *SMALL]}
        )
        simulator.next()
    return plain(simulator.map()), moments


def worst(town, sample, dense):
    """The largest difference of a density, in parts of its street's jam density."""
    jam = np.array([street["k_jam"] for street in town["streets"]])
    return float((np.abs(np.array(sample["k"]) - dense["k"]) / jam).max())


@pytest.mark.parametrize(("format", "least"), [("q8", 510), ("q16", 130_000), ("delta", 510)])
def test_decoded_samples_are_the_dense_ones_to_half_a_level(run, format, least):
    town, moments = run
    decoder = Decoder(town)
    for moment in moments:
        sample, dense = decoder.decode(moment[format]), moment["dense"]
        assert worst(town, sample, dense) <= 1 / least + 1e-9
        assert sample["green"] == dense["green"]
        lengths = [street["length_m"] for street in town["streets"]]
        assert np.allclose(sample["n"], np.array(sample["k"]) * lengths)
        assert set(sample) == set(dense)
        assert all(sample[name] == dense[name] for name in ("name", "time", "timestamp", "step"))


def test_dense_samples_come_back_as_they_are(run):
    town, moments = run
    assert Decoder(town).decode(moments[0]["dense"]) is moments[0]["dense"]


def test_legacy_samples_tell_all_but_the_lights(run):
    town, moments = run
    sample, dense = Decoder(town).decode(moments[3]["legacy"]), moments[3]["dense"]
    assert (sample["n"], sample["time"], sample["name"]) == (dense["n"], dense["time"], dense["name"])
    assert np.allclose(sample["k"], dense["k"], atol=2e-5)
    assert datetime.fromisoformat(sample["timestamp"]).tzinfo == UTC


def test_what_is_closed_is_told_in_all_formats_but_the_articles():
    simulator = Simulator(Town.grid(3, 3))
    before = {format: set(simulator.dump_state(format)) for format in ["dense", "legacy", *SMALL]}
    simulator.close_street("r0c1-r0c0")
    simulator.set_capacity("r0c0-r1c0", 0.5)
    told = {"closed": [simulator.town.street_ids.index("r0c1-r0c0")], "narrowed": [[1, 0.5]]}
    assert simulator.town.street_ids[1] == "r0c0-r1c0"
    for format in ["dense", *SMALL]:
        sample = plain(simulator.dump_state(format))
        assert set(sample) == before[format] | set(told)
        for decoder in (Decoder, traffic.Decoder):
            decoded = decoder(simulator.map()).decode(sample)
            assert {name: decoded[name] for name in told} == told
    assert set(simulator.dump_state("legacy")) == before["legacy"]


def test_streets_of_any_size_keep_their_own_scale(town):
    simulator = Simulator(town)
    for _ in range(40):
        simulator.next()
        dense = simulator.dump_state()
        for format in SMALL:
            sample = Decoder(simulator.map()).decode(plain(simulator.dump_state(format)))
            assert worst(simulator.map(), sample, dense) <= 1 / 510 + 1e-9


@given(jam=st.floats(1e-3, 10), share=st.floats(0, 1.0005), green=st.booleans())
def test_any_density_is_within_half_a_level(jam, share, green):
    jam = float(f"{jam:.4g}")
    packing, town = Packing(np.array([jam])), {"streets": [{"id": "a", "k_jam": jam, "length_m": 10}]}
    head = {"time": 0.0, "step": 5.0}
    for format in SMALL:
        packed = packing.pack(format, head, np.array([share * jam]), np.array([green]))
        sample = Decoder(town).decode(plain(packed))
        assert abs(sample["k"][0] - share * jam) <= jam / 510 + 1e-12
        assert sample["green"] == [green]


def test_an_empty_street_stays_empty_and_a_full_one_full():
    packing, head = Packing(np.array([0.125, 0.125])), {"time": 0.0, "step": 5.0}
    town = {"streets": [{"id": id, "k_jam": 0.125, "length_m": 100} for id in "ab"]}
    for format in SMALL:
        packed = packing.pack(format, head, np.array([0.0, 0.125]), np.ones(2))
        assert Decoder(town).decode(packed)["k"] == [0.0, 0.125]


def test_a_client_may_have_decoded_the_arrays_already(run):
    town, moments = run
    for format in SMALL:
        given, already = Decoder(town), Decoder(town)
        for moment in moments:
            sample = already.decode(decode_all(moment[format]))
            assert sample == given.decode(moment[format])


def test_the_python_client_has_the_same_decoder():
    client, ours = ROOT / "clients/python/radiod_client/traffic.py", ROOT / "simulator/samples.py"
    assert client.read_text() == ours.read_text()
    assert traffic.Decoder({"streets": []}).decode({"n": [], "k": [], "green": []})


@pytest.mark.soak
def test_a_large_town_in_the_rush_hour_takes_a_ninth_and_an_eighteenth():
    simulator = Simulator(Town.grid(51, 51))
    simulator.run(5400)
    assert len(simulator.town.street_ids) == 10_200
    dense, small = (
        json.dumps(simulator.dump_state(format), separators=(",", ":")).encode() for format in ("dense", "q8")
    )
    assert len(small) <= len(dense) / 9
    # As it travels where the connection compresses.
    assert len(zlib.compress(small)) <= len(dense) / 18


# --- Key frames


def test_nothing_is_shown_until_the_first_key_frame(run):
    town, moments = run
    decoder = Decoder(town)
    kinds = [moment["delta"]["format"] for moment in moments]
    assert kinds[0] == "q8"
    assert "delta" in kinds
    begin = kinds.index("delta")
    assert decoder.decode(moments[begin]["delta"]) is None
    later = kinds.index("q8", begin)
    assert decoder.decode(moments[later]["delta"]) is not None


@pytest.mark.parametrize("every", [1, 2, 3, 4, 5, 7, 9])
def test_a_listener_that_hears_every_nth_sample_never_sees_a_wrong_street(run, every):
    town, moments = run
    for begin in range(every):
        decoder, shown = Decoder(town), 0
        for moment in moments[begin::every]:
            sample = decoder.decode(moment["delta"])
            if sample is not None:
                shown += 1
                assert worst(town, sample, moment["dense"]) <= 1 / 510 + 1e-9
        assert shown or every > 3


@given(heard=st.lists(st.booleans(), min_size=30, max_size=30))
def test_whatever_is_lost_no_street_is_wrong(run, heard):
    town, moments = run
    decoder = Decoder(town)
    for moment, is_heard in zip(moments, heard, strict=True):
        sample = decoder.decode(moment["delta"]) if is_heard else None
        assert sample is None or worst(town, sample, moment["dense"]) <= 1 / 510 + 1e-9


def quiet(changed=3):
    """A large town in which little happens: ``delta`` gains there. Returns: pack(time, format)."""
    random = np.random.default_rng(1)
    packing, density = Packing(np.full(1000, 0.125)), random.uniform(0, 0.12, 1000)

    def pack(time, format="delta"):
        density[:changed] = time * 1e-4
        head = {"time": float(time), "step": 1.0}
        return packing.pack(format, head, density, np.ones(1000))

    return packing, pack


def test_key_frames_come_at_a_distance_that_few_thinnings_share():
    _, pack = quiet()
    kinds = [pack(time)["format"] for time in range(40)]
    assert [time for time, kind in enumerate(kinds) if kind == "q8"] == [0, 11, 22, 33]
    assert KEY_EVERY == 11


def test_a_difference_is_shorter_than_what_it_stands_for():
    _, pack = quiet()
    pack(0)
    assert len(json.dumps(pack(1))) < len(json.dumps(pack(1, "q8"))) / 3


def test_who_comes_anew_can_be_given_a_key_frame():
    packing, pack = quiet()
    assert [pack(time)["format"] for time in (0, 1)] == ["q8", "delta"]
    packing.forget_key()
    assert pack(2)["format"] == "q8"


def test_a_source_that_begins_anew_is_not_taken_for_the_one_before():
    town = {"streets": [{"id": str(n), "k_jam": 0.125, "length_m": 100} for n in range(1000)]}
    decoder = Decoder(town)
    (_, first), (_, second) = quiet(3), quiet(900)
    assert decoder.decode(first(0)) is not None
    second(5)
    assert decoder.decode(second(6)) is None


# --- What is no sample


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "q9"}, "no format 'q9'"),
        ({"format": ["q8"]}, "no format"),
        ({"k": None}, "k: no array"),
        ({"k": [1, 2]}, "k: no array"),
        ({"green": {}}, "green: no array"),
        (
            {"k": {"_nd": 1, "dtype": "|u1", "shape": [9], "data": "\0", "enc": "raw"}},
            r"k: an array of \[9\]",
        ),
        ({"k": {"_nd": 1, "dtype": "<u2", "shape": [2], "data": "\0", "enc": "raw"}}, "k: an array of"),
        ({"k": {"_nd": 1, "dtype": "|u1", "shape": [2], "data": "\0%%", "enc": "raw"}}, "k: "),
        ({"k": {"_nd": 1, "dtype": "|u1", "shape": [2], "data": "AAA=", "enc": "raw"}}, "k: no binary data"),
        ({"k": {"_nd": 1, "dtype": "|u1", "shape": [2], "data": 5, "enc": "raw"}}, "k: TypeError"),
        ({"k": {"_nd": 1, "dtype": "|u1", "shape": [2], "data": b"abc", "enc": "raw"}}, "k: 3 bytes, not 2"),
        ({"k": {"_nd": 1, "dtype": "|u1", "shape": [2], "data": b"abc", "enc": "zlib"}}, "k: error"),
        ({"k": {"_nd": 1, "dtype": "|u1", "shape": [2], "data": "\0" + "A" * 5000, "enc": "raw"}}, "k: "),
        (
            {
                "k": {
                    "_nd": 1,
                    "dtype": "|u1",
                    "shape": [2],
                    "data": zlib.compress(bytes(10**6)),
                    "enc": "zlib",
                }
            },
            "k: not one whole stream",
        ),
    ],
)
def test_what_is_no_sample_is_refused(change, message):
    sample = {
        "format": "q8",
        "k": {"_nd": 1, "dtype": "|u1", "shape": [2], "data": "\0YWI=", "enc": "raw"},
        "green": {"_nd": 1, "dtype": "|u1", "shape": [1], "data": b"a", "enc": "raw"},
    }  # fmt: skip
    decoder = Decoder({"streets": [{"id": id, "k_jam": 0.1, "length_m": 100} for id in "ab"]})
    assert decoder.decode(sample) is not None
    with pytest.raises(ValueError, match=message):
        decoder.decode({**sample, **change})


@pytest.mark.parametrize("format", ["dense", "legacy", *SMALL])
def test_a_sample_of_another_town_is_refused(run, town, format):
    _, moments = run
    with pytest.raises(ValueError):
        Decoder(Simulator(town).map()).decode(moments[0][format])


@pytest.mark.parametrize("wrong", [{}, None, {"streets": 1}, {"streets": [1]}, {"streets": [{"id": "a"}]}])
def test_what_is_no_map_is_refused(wrong):
    with pytest.raises(ValueError, match="no map of a town"):
        Decoder(wrong)


@pytest.mark.parametrize("wrong", [None, 5, [], "text"])
def test_what_is_no_dictionary_is_refused(run, wrong):
    with pytest.raises(ValueError, match="no sample"):
        Decoder(run[0]).decode(wrong)


# --- JavaScript

PROGRAM = """
import { readFileSync } from "node:fs";
const { Decoder } = await import(process.argv[1]);
const { map, samples } = JSON.parse(readFileSync(0, "utf8"));
const decoder = new Decoder(map);
// All at once: what comes of them keeps their order.
const told = (error) => error.message;
const decoded = await Promise.all(samples.map((sample) => decoder.decode(sample).catch(told)));
const lists = ({ n, k, green = [] }) => ({ n: [...n], k: [...k], green: [...green] });
const plain = (sample) => sample?.k ? { ...sample, ...lists(sample) } : sample;
console.log(JSON.stringify(decoded.map(plain)));
"""


def javascript(town, samples):
    """What the JavaScript decoder makes of them; a text for an error."""
    module = (ROOT / "clients" / "js" / "samples.js").as_uri()
    done = subprocess.run(
        ["node", "--input-type=module", "-e", PROGRAM, module],
        input=json.dumps({"map": town, "samples": samples}),
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@NEEDS_NODE
def test_javascript_sees_what_python_sees(run):
    town, moments = run
    heard = [moment[format] for format in ["dense", "q8", "q16", "delta"] for moment in moments]
    # Differences alone, of which it has no key frame, and again with it.
    heard = [moments[5]["delta"], *heard] if moments[5]["delta"]["format"] == "delta" else heard
    decoder = Decoder(town)
    for theirs, sample in zip(javascript(town, heard), heard, strict=True):
        ours = decoder.decode(sample)
        if ours is None:
            assert theirs is None
            continue
        assert set(theirs) == set(ours)
        assert (theirs["green"], theirs["time"]) == (ours["green"], ours["time"])
        assert np.abs(np.array(theirs["k"]) - ours["k"]).max() <= 1e-12
        assert np.abs(np.array(theirs["n"]) - ours["n"]).max() <= 1e-9


@NEEDS_NODE
def test_javascript_reads_legacy_samples_and_refuses_what_is_none(run):
    town, moments = run
    legacy, *refused = javascript(town, [moments[3]["legacy"], {"format": "q9"}, {"format": "q8"}, 5, {}])
    ours = Decoder(town).decode(moments[3]["legacy"])
    assert (legacy["n"], legacy["time"], legacy["green"]) == (ours["n"], ours["time"], [])
    assert all(text.startswith("no sample of this map: ") for text in refused)
