"""What sessions do with channels, as tests of the core say it: clients in, error URIs out."""

EVENT, SUBSCRIBED, PUBLISHED, ERROR = 36, 33, 17, 8


def samples(client):
    """First positional arguments of the events that came."""
    return [message[4][0] for message in client.received() if message[0] == EVENT]


def outcome(client, *message):
    """The error URI that answers a request, or None."""
    answers = [one for one in _request(client, *message) if one[0] in (ERROR, SUBSCRIBED, PUBLISHED)]
    (answer,) = answers
    return answer[4] if answer[0] == ERROR else None


def _request(client, *message):
    client.received()
    client.request(*message)
    return client.received()


def subscribe(client, topic, **options):
    """Subscribe; returns as ``outcome``."""
    return outcome(client, 32, options, topic)


def publish(client, topic, value="x", **options):
    """Publish, acknowledged; returns as ``outcome``."""
    return outcome(client, 16, {"acknowledge": True, **options}, topic, [value])


def private(owner, name="a", key="secret", **options):
    """Have ``owner`` open a private channel; returns the answer."""
    return owner.call("radiod.channel.create", name, public=False, key=key, **options)
