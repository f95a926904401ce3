"""One event on its way to one subscriber: buffers, pace, loss and what is told of it."""
