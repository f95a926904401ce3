"""The parts of ``http.py``: what HTTP costs beside WAMP, table by table."""
