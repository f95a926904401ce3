"""The pure core: who listens to what, who answers which call, which channels exist.

It knows no reactor, socket, clock or file: decoded messages and time come in by method calls, decisions leave
through two outboxes. Its packages are floors, each knows only those below it:

    modules here < budgets < sessions < delivery, history < pubsub, rpc < channels < procedures < realm

To read it, begin at the top, with ``realm.realm``, and go down where you are curious.
"""
