"""Text: masking of secrets, safe display, phrases."""
