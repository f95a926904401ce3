"""The procedures that the router itself answers, ``radiod.*`` and ``wamp.*``.

One module for each family, with one class (``family``). To add a family, write its class and name it in
``realm.realm``.
"""
