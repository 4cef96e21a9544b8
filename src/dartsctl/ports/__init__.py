"""Who has which host port, and what can be done about it."""
