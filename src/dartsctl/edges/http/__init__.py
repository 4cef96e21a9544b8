"""HTTP requests to services."""
