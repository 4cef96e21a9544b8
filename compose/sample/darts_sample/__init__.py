"""A small darts server that reads the same variables as the real one, see compose/README.md."""
