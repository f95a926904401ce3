"""A bare twisted.web server: every POST is answered by one constant. What HTTP costs before anybody does anything."""

import sys

from twisted.internet import reactor
from twisted.web.resource import Resource
from twisted.web.server import Site


class Constant(Resource):
    isLeaf = True

    def render_POST(self, request):
        request.content.read()
        request.setHeader(b"content-type", b"application/json")
        return b'{"message": "OK"}'


def formless():
    try:
        return Site(Constant(), parsePOSTFormSubmission=False)
    except TypeError:
        # Twisted 24.7 looks for forms in each body, whatever one says.
        return Site(Constant())


with_forms, without = map(int, sys.argv[1:])
reactor.listenTCP(with_forms, Site(Constant()), interface="127.0.0.1")
reactor.listenTCP(without, formless(), interface="127.0.0.1")
reactor.run()
