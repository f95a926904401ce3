"""Single vehicles on the counts that an engine keeps."""

from __future__ import annotations

from simulator.agents.agents import Agents
from simulator.agents.freight import packed

__all__ = ["Agents", "packed"]
