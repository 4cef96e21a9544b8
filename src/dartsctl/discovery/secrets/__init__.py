"""Who may choose a secret, where Compose files and env files have it, and what they say of it."""
