"""What Compose resolves, and how an engine treats it."""
