"""What Prometheus reads: the text, the figures of the process, and which figure has which name.

Counters are plain integers where things happen; here they are read, when somebody asks, and never counted.
"""
