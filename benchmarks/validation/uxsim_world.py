"""One run of UXsim's, in an environment that has it: ``python -P uxsim_world.py WORLD.json EVENTS.npz``.

The world is ``worlds.World``, the events are what ``events.Events`` takes.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np
import uxsim


def main(path: str, events: str) -> None:
    """Read, run, write."""
    with open(path) as file:
        world = json.load(file)
    simulation = built(world)
    simulation.exec_simulation()
    np.savez_compressed(events, **logged(simulation, world))


def built(world: dict[str, Any]) -> uxsim.World:
    """Its world. The engine in C++ gives the same times as that in Python, to the second."""
    simulation = uxsim.World(
        deltan=world["platoon"],
        reaction_time=1,
        tmax=world["seconds"],
        random_seed=world["seed"],
        duo_update_time=300,
        cpp=True,
        print_mode=0,
        save_mode=0,
        show_mode=0,
    )
    for name, x, y, phases, offset in world["nodes"]:
        simulation.addNode(name, x, y, signal=phases or [0], signal_offset=offset)
    for name, start, end, length, speed, jam, lanes, green in world["links"]:
        simulation.addLink(
            name,
            start,
            end,
            length=length,
            free_flow_speed=speed,
            jam_density=jam,
            number_of_lanes=lanes,
            merge_priority=lanes,
            signal_group=green,
        )
    for flow in world["flows"]:
        simulation.adddemand(*flow)
    for trip in world["trips"]:
        simulation.addVehicle(*trip)
    return simulation


def logged(simulation: uxsim.World, world: dict[str, Any]) -> dict[str, np.ndarray]:
    """Its vehicles' events and its lights' phases."""
    number = {link[0]: at for at, link in enumerate(world["links"])}
    step = simulation.DELTAT
    rows = []
    for at, vehicle in enumerate(simulation.VEHICLES.values()):
        # It is asked for at the end of its step, and can enter in the next one.
        rows.append((at, vehicle.departure_time_in_second + step, -1))
        for time, link in vehicle.log_t_link:
            if link == "end":
                # At the end of its step, too; who changes streets does at the beginning.
                rows.append((at, time + step, -2))
            elif link != "home":
                rows.append((at, time, number[link.name]))
    vehicle, time, link = np.array(rows).T
    phases = np.array([node.signal_log for node in simulation.NODES], np.int8).T
    return {"vehicle": vehicle.astype(int), "time": time, "link": link.astype(int), "phases": phases}


if __name__ == "__main__":
    main(*sys.argv[1:])
