"""Tells twistd about radiod; the module is named as a string so that `twistd --help` loads no server code."""

from twisted.application.service import ServiceMaker

radiod = ServiceMaker("radiod", "radiod.tap", "Your own data radio: WAMP, WebSocket and HTTP on one port.", "radiod")
