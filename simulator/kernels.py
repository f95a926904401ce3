"""The step of the Link Transmission Model as loops over streets and junctions, compiled by numba.

Only for ``simulator.compiled``. The same operations on the same numbers in the same order as in NumPy, so
that no bit differs: no reordered sums, nothing fused. Arrays are what ``compiled.Packed…`` make of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit

from simulator.junctions import TINY

__all__ = ["advance", "kernel", "leap", "share", "total"]

NEWEST, BEFORE, HERE, AFTER, BASE, STRIDE, SIZE, END = range(8)
"""Rows of a packed past's places."""

ZERO, ONE = np.uint64(0), np.uint64(1)
"""What places are counted from and by: sums of these and others are no whole numbers to numba."""


def kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, compiled when it is called first, and kept for the next start."""
    try:
        compiled: Callable[..., Any] = njit(cache=True, error_model="numpy")(function)
    except RuntimeError:
        # There is no folder that may be written, as for a service without a home.
        compiled = njit(error_model="numpy")(function)
    return compiled


def inlined(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function as a part of the kernels that call it: a call costs as much as its few sums."""
    part: Callable[..., Any] = njit(inline="always", error_model="numpy")(function)
    return part


@kernel
def share(supply: Any, room: Any, flow: Any, into: Any, graph: Any) -> None:
    """``Junctions.share``: fill (F,) ``flow`` and ``into``, what each taker gets.

    Places are unsigned, and arrays are neither cut nor handed on in tuples: that costs more than the sums.
    """
    ratio, priority, indices, begins, most = graph
    _, of_source, of_exit, of_arm, of_way = begins[0], begins[1], begins[2], begins[3], begins[4]
    active = np.zeros(len(supply), np.bool_)
    wanted = np.zeros(len(room))
    flow[:] = 0.0
    into[:] = 0.0
    for junction in range(ZERO, of_way - of_arm - ONE):
        arms, last_arm = indices[of_arm + junction], indices[of_arm + junction + ONE]
        ways, last_way = indices[of_way + junction], indices[of_way + junction + ONE]
        for at in range(arms, last_arm):
            active[indices[at]] = True
        moves = _moves(arms, last_arm, supply, room, flow, into, active, indices, of_exit)
        for _ in range(most):
            if not moves:
                break
            grow = _least(arms, last_arm, supply, flow, active, indices, priority)
            grow = _growth(
                grow, ways, last_way, room, into, active, wanted, indices, of_source, priority, ratio
            )
            for at in range(ways, last_way):
                into[indices[at]] += wanted[indices[at]] * grow
            for at in range(arms, last_arm):
                if active[indices[at]]:
                    flow[indices[at]] += priority[indices[at]] * grow
            moves = _moves(arms, last_arm, supply, room, flow, into, active, indices, of_exit)
        for at in range(arms, last_arm):
            flow[indices[at]] = min(flow[indices[at]], supply[indices[at]])


@inlined
def _moves(
    arms: Any, last: Any, supply: Any, room: Any, flow: Any, into: Any, active: Any, indices: Any, exits: Any
) -> bool:
    """``Junctions._active`` of a junction. Returns: whether any feeder is."""
    moves = False
    for at in range(arms, last):
        arm = indices[at]
        if active[arm]:
            goes = supply[arm] - flow[arm] > TINY
            if goes:
                for way in range(indices[exits + arm], indices[exits + arm + ONE]):
                    if room[indices[way]] - into[indices[way]] <= TINY:
                        goes = False
                        break
            active[arm] = goes
            moves |= goes
    return moves


@inlined
def _least(arms: Any, last: Any, supply: Any, flow: Any, active: Any, indices: Any, priority: Any) -> float:
    """How far the flows of a junction grow until a feeder has nothing more to send."""
    grow = np.inf
    for at in range(arms, last):
        arm = indices[at]
        if active[arm]:
            grow = min(grow, (supply[arm] - flow[arm]) / priority[arm])
    return grow


@inlined
def _growth(
    grow: Any,
    ways: Any,
    last: Any,
    room: Any,
    into: Any,
    active: Any,
    wanted: Any,
    indices: Any,
    sources: Any,
    priority: Any,
    ratio: Any,
) -> float:
    """``Junctions._growth`` of a junction, ``grow`` at most; fills ``wanted``, too."""
    for at in range(ways, last):
        way = indices[at]
        sum = 0.0
        for source in range(indices[sources + way], indices[sources + way + ONE]):
            if active[indices[source]]:
                sum += priority[indices[source]] * ratio[source]
        wanted[way] = sum
        if sum > 0:
            grow = min(grow, (room[way] - into[way]) / sum)
    return grow if np.isfinite(grow) else 0.0


@kernel
def _look_up(past: Any, steps: Any, earlier: Any, found: Any) -> None:
    """``Past.at``: fill (S,) ``found``. (0,) ``earlier``: not at all."""
    counts, places, parts, windows, thinned, lag = past
    is_earlier, has_windows = len(earlier) > 0, windows.shape[1] > 0
    begins, ends = windows[0], windows[1]
    thin, every, rows = thinned[0], thinned[1], thinned[2]
    for street in range(len(found)):
        here, after, part = places[HERE, street], places[AFTER, street], parts[street]
        if is_earlier:
            part = part - earlier[street]
            if part < 0:
                here, after, part = places[BEFORE, street], here, part + 1
        if has_windows:
            begin, end = begins[after], ends[after]
            if begin > 0 or end < 1:
                part = min(max((part - begin) / max(end - begin, np.float32(1e-6)), 0.0), 1.0)
        found[street] = counts[here] * (1 - part) + counts[after] * part
    for at in range(len(thin)):
        street = thin[at]
        sooner = earlier[street] if is_earlier else 0.0
        place = (steps + 1 - lag[at] - sooner + 1) / every[at] - 1
        whole = np.floor(place)
        part, row = place - whole, int(whole)
        base, stride = places[BASE, street], places[STRIDE, street]
        first = counts[base + row % rows[at] * stride]
        second = counts[base + (row + 1) % rows[at] * stride]
        found[street] = 0.0 if row < -1 else first * (1 - part) + second * part


@kernel
def _record(past: Any, steps: Any, now: Any, begin: Any, end: Any) -> None:
    """``Past.record`` of step number ``steps``. (0,) ``begin`` and ``end``: all of it."""
    counts, places, _, windows, thinned, _ = past
    has_windows, has_window = windows.shape[1] > 0, len(begin) > 0
    begins, ends = windows[0], windows[1]
    thin, every = thinned[0], thinned[1]
    stays = np.zeros(len(now), np.bool_)
    for at in range(len(thin)):
        stays[thin[at]] = steps % every[at] != 0
    for street in range(len(now)):
        newest = places[NEWEST, street]
        if not stays[street]:
            newest += places[STRIDE, street]
            if newest >= places[END, street]:
                newest -= places[SIZE, street]
            places[NEWEST, street] = newest
        counts[newest] = now[street]
        if has_windows:
            begins[newest] = begin[street] if has_window else 0.0
            ends[newest] = end[street] if has_window else 1.0
        places[BEFORE, street] = places[HERE, street]
        after = places[AFTER, street]
        places[HERE, street] = after
        after += places[STRIDE, street]
        places[AFTER, street] = after - places[SIZE, street] if after >= places[END, street] else after


@kernel
def _entering(flow: Any, into: Any, begin: Any, end: Any, graph: Any, late: Any, early: Any) -> None:
    """``LinkTransmission._entering``: fill (S,) ``late`` and ``early``."""
    ratio, _, indices, begins, _ = graph
    streets, sources = len(begin), begins[1]
    for street in range(streets):
        first = last = 0.0
        for at in range(indices[sources + np.uint64(street)], indices[sources + np.uint64(street) + ONE]):
            source = indices[at]
            if source < streets:
                first += flow[source] * begin[source] * ratio[at]
                last += flow[source] * (1.0 - end[source]) * ratio[at]
        weight = into[street] if into[street] > TINY else 1.0
        late[street], early[street] = first / weight, 1.0 - last / weight


@kernel
def _sending(come: Any, red: Any, green: Any, streets: Any, dt: Any, supply: Any) -> None:
    """Make of (S,) vehicles that have ``come`` to the end of each street those that could leave."""
    capacity, _, _, most = streets
    for street in range(len(green)):
        sends = max(come[street], 0.0)
        if len(red) > 0:
            rest, share = dt + red[street], sends / most[street]
            root = np.sqrt((rest - share) * (rest - share) + 4 * red[street] * share)
            sends = min(2 * sends * dt / (rest + share + root), sends)
        supply[street] = min(sends, capacity[street] * dt * green[street])


@kernel
def _eight(values: Any, begin: Any, end: Any) -> float:
    """The sum of at most 128 values as NumPy makes it: eight sums side by side."""
    total = 0.0
    rest = begin
    if end - begin >= 8:
        a, b, c, d = values[begin], values[begin + 1], values[begin + 2], values[begin + 3]
        e, f, g, h = values[begin + 4], values[begin + 5], values[begin + 6], values[begin + 7]
        rest = begin + 8
        while rest + 8 <= end:
            a, b, c, d = a + values[rest], b + values[rest + 1], c + values[rest + 2], d + values[rest + 3]
            e, f, g, h = (
                e + values[rest + 4],
                f + values[rest + 5],
                g + values[rest + 6],
                h + values[rest + 7],
            )
            rest += 8
        total = ((a + b) + (c + d)) + ((e + f) + (g + h))
    for at in range(rest, end):
        total += values[at]
    return total


@kernel
def total(values: Any) -> float:
    """The sum as NumPy makes it: of halves, and those of halves, until 128 values are left.

    With a stack of its own: numba's cache does not bear recursion.
    """
    begins, ends, firsts = np.zeros(64, np.int64), np.zeros(64, np.int64), np.zeros(64)
    is_second = np.zeros(64, np.bool_)
    ends[0], depth, result = len(values), 0, 0.0
    while True:
        count = ends[depth] - begins[depth]
        while count > 128:
            # Down to the first half.
            half = count // 2 - count // 2 % 8
            begins[depth + 1], ends[depth + 1] = begins[depth], begins[depth] + half
            is_second[depth + 1] = False
            depth += 1
            count = half
        result = _eight(values, begins[depth], ends[depth])
        while depth > 0 and is_second[depth]:
            result = firsts[depth] + result
            depth -= 1
        if depth == 0:
            return float(result)
        firsts[depth] = result
        begins[depth], ends[depth], is_second[depth] = ends[depth], ends[depth - 1], True


@kernel
def advance(
    counts: Any, rates: Any, streets: Any, lights: Any, pasts: Any, junctions: Any, steps: Any, dt: Any
) -> Any:
    """A whole step. Returns: (F,) what passed from each feeder; vehicles that came; that left the town."""
    entered, left, waiting = counts
    green, begin, end, red = lights
    _, intake, storage, _ = streets
    graph, exit_room = junctions
    number = len(left)
    supply, flow = np.empty(number + len(waiting)), np.empty(number + len(waiting))
    room, into = np.empty(number + len(exit_room)), np.empty(number + len(exit_room))
    come, came = np.empty(number), rates * dt
    waiting += came
    _look_up(pasts[0], steps, 1.0 - end, come)
    for street in range(number):
        come[street] -= left[street]
    _sending(come, red, green, streets, dt, supply)
    supply[number:] = waiting
    _look_up(pasts[1], steps, np.empty(0), come)
    for street in range(number):
        free = come[street] + storage[street] - entered[street]
        room[street] = min(max(free, 0.0), intake[street] * dt)
    room[number:] = exit_room
    share(supply, room, flow, into, graph)
    for street in range(number):
        left[street] += flow[street]
        entered[street] += into[street]
    for origin in range(len(waiting)):
        waiting[origin] -= flow[number + origin]
    late, early = np.empty(len(begin)), np.empty(len(begin))
    if len(begin) > 0:
        _entering(flow, into, begin, end, graph, late, early)
    _record(pasts[0], steps + 1, entered, late, early)
    _record(pasts[1], steps + 1, left, late[:0], early[:0])
    return flow, total(came), total(flow) - total(into[:number])


@kernel
def leap(
    counts: Any,
    rates: Any,
    streets: Any,
    lights: Any,
    pasts: Any,
    junctions: Any,
    steps: Any,
    dt: Any,
    sums: Any,
) -> None:
    """``advance`` by as many steps as ``rates`` has rows.

    Args: lights: (T, S) parts that are green; (2, T, S) begins and ends; (T,) whether there are any.
        sums: (2, T) to be filled: vehicles that came in each step; that left the town.
    """
    green, windows, changes = lights
    none = np.empty(0)
    for step in range(len(rates)):
        begin, end = none, none
        if changes[step]:
            begin, end = windows[0, step], windows[1, step]
        _, came, gone = advance(
            counts, rates[step], streets, (green[step], begin, end, none), pasts, junctions, steps + step, dt
        )
        sums[0, step], sums[1, step] = came, gone
