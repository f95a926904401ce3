"""Single vehicles on the counts that an engine keeps."""

from __future__ import annotations

from simulator.agents.agents import Agents

__all__ = ["Agents"]
