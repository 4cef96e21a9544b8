"""How long is waited for a stack that sets no time itself. Settings need these, and little else."""

SETTLING_TIME = 5.0
"""Seconds that a container without a health check must have run to be ready.

Each restart doubles it: a container that ends after some seconds runs for a moment again and again.
"""

SHORTEST_DEADLINE = 120.0
"""Seconds until a stack must be healthy, whose own health checks allow less."""
