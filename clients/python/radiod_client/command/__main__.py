"""``python -m radiod_client.command`` is ``radio``."""

import sys

from radiod_client.command.app import main

sys.exit(main())
