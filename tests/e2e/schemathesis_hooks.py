"""What schemathesis cannot send by itself."""

import schemathesis


@schemathesis.serializer("application/x-ndjson")
def lines(context, value):
    """Lines are described as a text, since no schema has a word for them."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")


@schemathesis.hook
def before_call(context, case, kwargs):
    """A poll that does not say for how long would wait for an event that nobody publishes."""
    query = case.query or {}
    if case.operation.path.startswith("/listen") and not isinstance(query.get("wait"), int | float | str):
        case.query = {**query, "wait": 0}
