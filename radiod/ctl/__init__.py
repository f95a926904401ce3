"""``radioctl``: what an operator does with a running radiod, over its admin socket or over the network."""
