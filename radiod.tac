"""The same service as ``twistd radiod``, for ``twistd -ny radiod.tac``; set RADIOD_CONFIG to name a file."""

import os

from twisted.application.service import Application

from radiod.tap import Options, makeService

options = Options()
options["config"] = os.environ.get("RADIOD_CONFIG")

application = Application("radiod")
makeService(options).setServiceParent(application)
