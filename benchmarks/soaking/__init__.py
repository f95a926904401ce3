"""The parts of ``soak.py``: a mixed load for hours, and what it does to the server."""
