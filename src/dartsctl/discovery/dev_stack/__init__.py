"""A dev stack beside production: its services, and the override file that separates it."""
