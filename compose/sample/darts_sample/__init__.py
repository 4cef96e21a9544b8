"""A small darts server with the real one's contract of variables: see compose/README.md."""
