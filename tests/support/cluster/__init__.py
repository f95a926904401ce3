"""A cluster in one process: nodes on a fake clock, over a fake engine that does all harm."""
