"""Vehicles in samples, there and back."""

import json

import numpy as np
import pytest

from simulator import Simulator, Town
from simulator.agents import packed
from simulator.packing import FORMATS
from simulator.samples import Decoder


@pytest.fixture(scope="module")
def simulator():
    simulator = Simulator(Town.grid(4, 4), agents=True)
    simulator.run(400)
    return simulator


def through_json(sample):
    return json.loads(json.dumps(sample, allow_nan=False))


@pytest.mark.parametrize("format", FORMATS)
def test_a_sample_of_any_format_carries_vehicles_where_it_is_asked_to(simulator, format):
    decoder = Decoder(simulator.map())
    sample = through_json(simulator.dump_state(format, vehicles=True))
    found, vehicles = decoder.vehicles(sample), simulator.vehicles()
    order = np.argsort(found["id"])
    assert len(order) > 50
    assert found["id"][order].tolist() == vehicles["id"].tolist()
    assert found["street"][order].tolist() == vehicles["street"].tolist()
    assert found["at"][order] == pytest.approx(vehicles["at"], abs=500 / 65535)
    # The foremost first.
    is_next = np.diff(found["street"]) == 0
    assert (np.diff(found["at"])[is_next] <= 0).all()
    assert "vehicles" not in simulator.dump_state(format)
    assert decoder.vehicles(simulator.dump_state(format)) is None


def test_vehicles_stay_in_the_sample_that_a_decoder_returns(simulator):
    sample = simulator.dump_state("q8", vehicles=True)
    assert Decoder(simulator.map()).decode(sample)["vehicles"] == sample["vehicles"]


def test_a_sample_cannot_carry_what_is_not_there():
    with pytest.raises(ValueError, match=r"agents=True"):
        Simulator(Town.grid(2, 2)).dump_state(vehicles=True)


def test_ids_wrap_and_an_empty_town_has_none():
    vehicles = {"id": np.array([2**32 + 5, 7]), "street": np.array([1, 1]), "at": np.array([10.0, 20.0])}
    town = Town.grid(2, 2)
    decoder = Decoder(Simulator(town).map())
    found = decoder.vehicles({"vehicles": packed(vehicles, town.length)})
    assert found["id"].tolist() == [7, 5]
    empty = {name: values[:0] for name, values in vehicles.items()}
    assert decoder.vehicles({"vehicles": packed(empty, town.length)})["id"].tolist() == []


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda v: "words", "vehicles: no dictionary"),
        (lambda v: {**v, "count": None}, "vehicles.count: no array"),
        (lambda v: {**v, "at": v["id"]}, "vehicles.at: an array of"),
        (lambda v: {**v, "id": {**v["id"], "data": "\0AAAA", "enc": "raw"}}, "vehicles.id: 3 bytes"),
        (lambda v: {**v, "count": packed_counts(60_000)}, "vehicles.count: more than fit"),
    ],
)
def test_vehicles_that_are_none_are_refused(simulator, change, says):
    sample = simulator.dump_state(vehicles=True)
    with pytest.raises(ValueError, match=says):
        Decoder(simulator.map()).vehicles({**sample, "vehicles": change(sample["vehicles"])})


def packed_counts(each):
    """The counts of a town of 4x4 with so many vehicles on every street."""
    street = np.repeat(np.arange(48), each)
    return packed({"id": street, "street": street, "at": street * 0.0}, np.ones(48))["count"]
