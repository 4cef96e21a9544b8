"""dartsctl: Docker Compose with exact port checks, and dev servers off production ports."""

__version__ = "0.1.0"
