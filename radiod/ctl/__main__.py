"""``python -m radiod.ctl`` is ``radioctl``."""

from radiod.ctl.app import main

main()
