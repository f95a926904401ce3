"""What an operator sees of a server that runs: families of ``radiod.admin.*`` that change nothing."""
