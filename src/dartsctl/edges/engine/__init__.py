"""Docker: the engine and Compose."""
