"""Traces: what carries a W3C ``traceparent`` becomes spans, which go to a collector of OpenTelemetry's."""
