"""Reserving ports: the process that holds them for `watch`, and how it is asked to let go."""
