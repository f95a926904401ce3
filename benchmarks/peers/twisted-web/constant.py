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


with_forms, without = map(int, sys.argv[1:])
reactor.listenTCP(with_forms, Site(Constant()), interface="127.0.0.1")
reactor.listenTCP(without, Site(Constant(), parsePOSTFormSubmission=False), interface="127.0.0.1")
reactor.run()
