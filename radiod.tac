"""The same service as ``twistd radiod``, for ``twistd -ny radiod.tac``; set RADIOD_CONFIG to name a file."""

import os
import sys

from twisted.application.service import Application

from radiod.tap import Options, makeService, twistd_options

options = Options()
options["config"] = os.environ.get("RADIOD_CONFIG")

application = Application("radiod")
makeService(options, twistd=twistd_options(sys.argv[1:])).setServiceParent(application)
