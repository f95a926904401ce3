"""Towns from files: one module a format, each makes a ``Draft``.

``reading``, ``tables`` and ``xml`` know files; ``links`` makes streets of what stands in them, ``turning``
and ``routes`` decide who turns where. What can be read but not simulated is repaired, with a line; the rest
is refused with file and line.
"""
