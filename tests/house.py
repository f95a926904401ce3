"""What the house looks like: circles, floors, sizes, complexity, and the rooms that a message passes.

``python tests/house.py`` prints the figures beside their limits and fails when one is above. What was above
its limit when the limit was made is in ``KNOWN``, and may only shrink: a figure that grows fails, and so does
an entry that is not needed any more.
"""

from __future__ import annotations

import ast
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from support.trips import Trip, make_trips

ROOT = Path(__file__).parents[1]
PLACES = ("radiod", "simulator", "clients/python/radiod_client")

FLOORS: tuple[frozenset[str], ...] = (
    frozenset({"core"}),
    frozenset({"core.access", "core.budgets"}),
    frozenset({"core.sessions"}),
    frozenset({"core.delivery", "core.history"}),
    frozenset({"core.pubsub", "core.rpc"}),
    frozenset({"core.channels"}),
    frozenset({"core.procedures"}),
    frozenset({"core.realm"}),
    frozenset({"core.cluster"}),
)
"""The core's packages, lowest first: each may import those below it, and nothing else of the core.

``core``: its own modules, the vocabulary. Packages of one floor do not know each other.
"""

SESSION = "radiod.core.sessions.session"

LIMITS = {
    "files in circles": 0,
    "packages in circles": 0,
    "imports upwards": 0,
    "lines of a module": 450,
    "lines of a function": 45,
    "complexity of a function": 10,
    "slots of Session": 10,
    "rooms of a PUBLISH": 25,
}
"""What is measured: the most that each thing may have of it."""

KNOWN: dict[str, dict[str, int]] = {
    "lines of a module": {
        # Three serializers that share most of what they do.
        "radiod/wire/codecs.py": 542,
    },
    "rooms of a PUBLISH": {
        # Four more are where its event is numbered and kept.
        "PUBLISH, with history": 29,
    },
}
"""What is above its limit: measure -> thing -> its figure, which may only shrink."""

Figures = Mapping[str, Mapping[str, int]]
"""Measure -> thing -> figure."""


@dataclass(frozen=True)
class Module:
    """One file: its path from the root, its name in dots, and its text."""

    path: Path
    name: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        """Its syntax tree."""
        return ast.parse(self.text, str(self.path))

    @property
    def is_package(self) -> bool:
        """Whether it is an ``__init__``."""
        return self.path.name == "__init__.py"

    @property
    def package(self) -> str:
        """The package that it lies in, in dots; of an ``__init__`` the package itself."""
        return self.name if self.is_package else self.name.rpartition(".")[0]

    @property
    def room(self) -> str:
        """What may stand in a circle: the package, but each module at the top for itself."""
        return self.package if "." in self.package else self.name


@dataclass(frozen=True)
class Import:
    """``who`` imports ``whom``, both modules, perhaps only to name a type."""

    who: Module
    line: int
    whom: Module


@dataclass(frozen=True)
class Fault:
    """One figure that is not as it should be."""

    measure: str
    thing: str
    figure: int
    reason: str

    def __str__(self) -> str:
        return f"{self.measure}: {self.thing}: {self.figure}: {self.reason}"


def read_modules(root: Path, places: Iterable[str] = PLACES) -> list[Module]:
    """All modules below ``places``, which are folders of ``root``; each is the top of its names."""
    modules = []
    for place in places:
        for path in sorted((root / place).rglob("*.py")):
            below = path.relative_to((root / place).parent).with_suffix("")
            parts = below.parts[:-1] if below.name == "__init__" else below.parts
            modules.append(Module(path.relative_to(root), ".".join(parts), path.read_text()))
    return modules


# --- Imports


def imports_of(module: Module, modules: Mapping[str, Module]) -> Iterator[Import]:
    """Whom a module imports of ``modules``, by name, each once: for types and in functions as well."""
    seen = {module.name}
    for node in ast.walk(module.tree):
        for dotted in _names_imported(node, module.package):
            whom = _longest_known(dotted, modules)
            if whom is not None and whom.name not in seen:
                seen.add(whom.name)
                yield Import(module, node.lineno, whom)


def _names_imported(node: ast.AST, package: str) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        stem = package.split(".")[: package.count(".") + 2 - node.level] if node.level else []
        base = ".".join([*stem, *([node.module] if node.module else [])])
        return [f"{base}.{alias.name}" for alias in node.names]
    return []


def _longest_known(dotted: str, modules: Mapping[str, Module]) -> Module | None:
    """The module that a dotted name lies in; none for the name of a top package alone: it is a version."""
    while "." in dotted:
        if dotted in modules:
            return modules[dotted]
        dotted = dotted.rpartition(".")[0]
    return None


def all_imports(modules: Iterable[Module]) -> list[Import]:
    """Every import of one of ``modules`` by another."""
    by_name = {module.name: module for module in modules}
    return [each for module in by_name.values() for each in imports_of(module, by_name)]


def circles(arrows: Iterable[tuple[str, str]]) -> list[set[str]]:
    """Sets of those that reach each other and themselves (strongly connected components, two or more)."""
    targets: dict[str, set[str]] = {}
    for start, end in arrows:
        targets.setdefault(start, set()).add(end)
    reached = {start: _reached_from(start, targets) for start in targets}
    found: list[set[str]] = []
    for start in targets:
        circle = {end for end in reached[start] if start in reached.get(end, ())}
        if len(circle) > 1 and circle not in found:
            found.append(circle)
    return found


def _reached_from(start: str, targets: Mapping[str, set[str]]) -> set[str]:
    reached: set[str] = set()
    to_go = [start]
    while to_go:
        for end in targets.get(to_go.pop(), set()) - reached:
            reached.add(end)
            to_go.append(end)
    return reached


def file_circles(imports: Iterable[Import]) -> list[set[str]]:
    """Circles of files, by their paths."""
    return circles((str(each.who.path), str(each.whom.path)) for each in imports)


def package_circles(imports: Iterable[Import]) -> list[set[str]]:
    """Circles of packages, by their names in dots."""
    return circles((each.who.room, each.whom.room) for each in imports if each.who.room != each.whom.room)


def floor_of(module: Module) -> int | None:
    """Which floor of the core a module stands on; None: it is no part of the core."""
    package = module.package.removeprefix("radiod.")
    return next((floor for floor, packages in enumerate(FLOORS) if package in packages), None)


def imports_upwards(imports: Iterable[Import]) -> list[Import]:
    """Those within the core that go to another package of the same floor or to a higher one."""
    found = []
    for each in imports:
        start, end = floor_of(each.who), floor_of(each.whom)
        if start is not None and end is not None and each.who.package != each.whom.package and end >= start:
            found.append(each)
    return found


def count_upwards(imports: Iterable[Import]) -> dict[str, int]:
    """How many imports go from one package of the core to another that is not below it."""
    return dict(Counter(_arrow(each) for each in imports_upwards(imports)))


def _arrow(each: Import) -> str:
    return f"{each.who.package} -> {each.whom.package}".replace("radiod.", "")


# --- Sizes


Function = ast.FunctionDef | ast.AsyncFunctionDef

# Those that add a branch; a ``try`` adds one for its ``else``, a ``match`` one for each case.
BRANCHES = ast.If | ast.For | ast.AsyncFor | ast.While | ast.ExceptHandler | Function


def functions_of(module: Module) -> Iterator[tuple[str, Function]]:
    """Every function of a module, also those in functions, each with its name in dots."""
    yield from _functions_below(module.tree, "")


def _functions_below(node: ast.AST, prefix: str) -> Iterator[tuple[str, Function]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Function):
            yield f"{prefix}{child.name}", child
        has_a_name = isinstance(child, Function | ast.ClassDef)
        yield from _functions_below(child, f"{prefix}{child.name}." if has_a_name else prefix)


def complexity(function: Function) -> int:
    """McCabe's, counted as ruff's rule C901 does; ``noqa`` hides nothing here."""
    return 1 + sum(map(_branches, function.body))


def _branches(node: ast.AST) -> int:
    own = 0
    if isinstance(node, BRANCHES):
        own = 1
    elif isinstance(node, ast.Try | ast.TryStar):
        own = bool(node.orelse)
    elif isinstance(node, ast.Match):
        own = len(node.cases) - _is_else(node.cases[-1])
    return own + sum(_branches(child) for child in ast.iter_child_nodes(node) if _may_branch(child))


def _may_branch(node: ast.AST) -> bool:
    return isinstance(node, ast.stmt | ast.ExceptHandler | ast.match_case)


def _is_else(case: ast.match_case) -> bool:
    """Whether a last case takes everything."""
    return case.guard is None and isinstance(case.pattern, ast.MatchAs) and case.pattern.pattern is None


def slots_of(module: Module, name: str) -> int:
    """How many ``__slots__`` a class has. Raises: LookupError: there is no such class, or it has none."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ClassDef) and node.name == name:
            for statement in node.body:
                if isinstance(statement, ast.Assign) and ast.unparse(statement.targets) == "__slots__":
                    return len(ast.literal_eval(statement.value))
    raise LookupError(f"{module.path} has no class {name} with __slots__")


# --- All figures, and what is wrong with them


def measure(modules: list[Module], rooms: Mapping[str, int]) -> dict[str, dict[str, int]]:
    """All figures; ``rooms``: how many each trip of a PUBLISH passes."""
    imports = all_imports(modules)
    functions = [(f"{module.path}:{name}", node) for module in modules for name, node in functions_of(module)]
    return {
        "files in circles": {"all": sum(map(len, file_circles(imports)))},
        "packages in circles": {"all": sum(map(len, package_circles(imports)))},
        "imports upwards": count_upwards(imports),
        "lines of a module": {str(module.path): module.text.count("\n") for module in modules},
        "lines of a function": {name: (node.end_lineno or 0) - node.lineno + 1 for name, node in functions},
        "complexity of a function": {name: complexity(node) for name, node in functions},
        "slots of Session": {"Session": slots_of(_named(SESSION, modules), "Session")},
        "rooms of a PUBLISH": dict(rooms),
    }


def _named(name: str, modules: Iterable[Module]) -> Module:
    return next(module for module in modules if module.name == name)


def above_limits(figures: Figures, limits: Mapping[str, int] = LIMITS) -> dict[str, dict[str, int]]:
    """Those figures that are above their limits."""
    found = {
        name: {thing: figure for thing, figure in things.items() if figure > limits[name]}
        for name, things in figures.items()
    }
    return {name: things for name, things in found.items() if things}


def faults(figures: Figures, known: Figures, limits: Mapping[str, int] = LIMITS) -> list[Fault]:
    """What is wrong: figures that are worse than known, and what is known but wrong no longer."""
    above = above_limits(figures, limits)
    found = []
    for name, limit in limits.items():
        was, now = known.get(name, {}), above.get(name, {})
        for thing, figure in now.items():
            if thing not in was:
                found.append(Fault(name, thing, figure, f"at most {limit}"))
            elif figure > was[thing]:
                found.append(Fault(name, thing, figure, f"it was {was[thing]}, and may only shrink"))
        for thing in was.keys() - now.keys():
            figure = figures[name].get(thing, 0)
            found.append(Fault(name, thing, figure, "within its limit: take it out of KNOWN"))
    return found + [
        Fault(name, "KNOWN", 0, "there is no such measure") for name in known.keys() - limits.keys()
    ]


# --- The report


def table(figures: Figures, known: Figures, limits: Mapping[str, int] = LIMITS) -> str:
    """The figures beside their limits: the worst of each, and how many are above."""
    rows = [("measure", "limit", "worst", "above", "where the worst is")]
    above = above_limits(figures, limits)
    for name, limit in limits.items():
        things = figures[name]
        worst = max(things, key=things.__getitem__, default="")
        highest, too_high = things.get(worst, 0), len(above.get(name, {}))
        rows.append((name, str(limit), str(highest), str(too_high), "" if worst == "all" else worst))
    rows.append(("known to be above", "", "", str(sum(map(len, known.values()))), ""))
    return in_columns(rows)


def in_columns(rows: list[tuple[str, ...]]) -> str:
    """Rows of equal length, as text: the first and the last column to the left, figures to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        first, *figures, last = row
        middle = "  ".join(figure.rjust(width) for figure, width in zip(figures, widths[1:-1], strict=True))
        lines.append(f"{first.ljust(widths[0])}  {middle}  {last}".rstrip())
    return "\n".join(lines)


def known_as_python(above: Figures) -> str:
    """``KNOWN`` as it would have to be now."""
    lines = ["KNOWN: dict[str, dict[str, int]] = {"]
    for name, things in above.items():
        lines += [
            f'    "{name}": {{',
            *(f'        "{thing}": {things[thing]},' for thing in sorted(things)),
            "    },",
        ]
    return "\n".join([*lines, "}"])


def circles_in_words(imports: list[Import]) -> str:
    """Who stands in which circle."""
    lines = []
    for kind, found in (("files", file_circles(imports)), ("packages", package_circles(imports))):
        for circle in sorted(found, key=len):
            lines.append(f"a circle of {len(circle)} {kind}: {', '.join(sorted(circle))}")
    return "\n".join(lines)


def trip_table(trips: Mapping[str, Trip]) -> str:
    """What each trip passes."""
    rows = [("trip", "calls", "rooms", "of them core", "")]
    rows += [
        (name, *map(str, (trip.calls, len(trip.rooms), trip.core_rooms)), "") for name, trip in trips.items()
    ]
    return in_columns(rows)


def upwards_in_words(imports: Iterable[Import]) -> str:
    """Each import that goes up, with its line."""
    return "\n".join(f"{each.who.path}:{each.line}: {each.whom.name}" for each in imports_upwards(imports))


def main(arguments: list[str]) -> int:
    """Print the figures. Returns: 1 when something is wrong.

    ``--circles`` names their members, ``--upwards`` the imports that go up; ``--known`` prints ``KNOWN`` as
    it would have to be now.
    """
    modules = read_modules(ROOT)
    trips = make_trips()
    figures = measure(modules, {name: len(trip.rooms) for name, trip in trips.items() if "PUBLISH" in name})
    wrong = faults(figures, KNOWN)
    pages = {
        "--circles": lambda: circles_in_words(all_imports(modules)),
        "--upwards": lambda: upwards_in_words(all_imports(modules)),
        "--known": lambda: known_as_python(above_limits(figures)),
    }
    print(table(figures, KNOWN), trip_table(trips), sep="\n\n")
    for name in arguments:
        print("\n" + pages[name]())
    if wrong:
        print("\n" + "\n".join(map(str, wrong)), file=sys.stderr)
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
