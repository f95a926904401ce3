"""Proxies as docs/proxies.md configures them."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["examples", "haproxy", "nginx"]

DOCS = (Path(__file__).parents[2] / "docs" / "proxies.md").read_text()


def examples(language: str) -> list[str]:
    """The blocks of the documentation in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", DOCS, re.DOTALL | re.MULTILINE)


def nginx(folder: Path, port: int, backend: int, pem: Path) -> list[str]:
    """The command of an nginx at ``port``, before a radiod at ``backend``, with a key and certificate."""
    example, below, denied = examples("nginx")
    example = example.replace("listen 443 ssl;", f"listen 127.0.0.1:{port} ssl;").replace(
        "127.0.0.1:8080", f"127.0.0.1:{backend}"
    )
    example = example.replace("/etc/ssl/radio.pem", str(pem)).replace("radio.example.org", "localhost")
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    paths = "\n".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
    head = f"worker_processes 1;\ndaemon off;\nerror_log stderr;\npid {folder}/nginx.pid;\nevents {{}}\n"
    inner = denied if folder.name.startswith("denied") else ""
    server = example.rstrip().removesuffix("}") + below + inner + "}\n"
    (folder / "nginx.conf").write_text(f"{head}http {{\naccess_log off;\n{paths}\n{server}}}\n")
    return ["nginx", "-c", str(folder / "nginx.conf"), "-e", "stderr"]


def haproxy(folder: Path, port: int, backend: int, pem: Path) -> list[str]:
    """The same of a HAProxy."""
    example, denied, _ = examples("haproxy")
    if folder.name.startswith("denied"):
        example = example.replace("    default_backend", f"{denied}    default_backend")
    example = example.replace("bind :443", f"bind 127.0.0.1:{port}").replace(
        "127.0.0.1:8080", f"127.0.0.1:{backend}"
    )
    (folder / "haproxy.cfg").write_text(example.replace("/etc/ssl/radio.pem", str(pem)))
    return ["haproxy", "-db", "-f", str(folder / "haproxy.cfg")]
