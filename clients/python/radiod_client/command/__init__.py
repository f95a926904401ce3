"""The command ``radio``: listen, publish, call, record, replay and plot at a terminal."""
