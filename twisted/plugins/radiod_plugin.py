"""Tells twistd about radiod; its module is a string, so that `twistd --help` loads no server code."""

from twisted.application.service import ServiceMaker

radiod = ServiceMaker(
    "radiod", "radiod.tap", "Your own data radio: WAMP, WebSocket and HTTP on one port.", "radiod"
)
