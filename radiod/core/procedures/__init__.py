"""The procedures that the router itself answers: ``radiod.*`` here, ``wamp.*`` in ``wamp_meta``.

One module for each family, ``radiod.channel.*`` and so on, each with one class. Its attribute ``procedures``
maps names to signatures and handlers; a handler takes the calling session and the parameters by keyword, and
returns one dictionary, perhaps later. To add a family, write its class and name it in ``dispatch``.
"""

from radiod.core.procedures.dispatch import Procedures

__all__ = ["Procedures"]
