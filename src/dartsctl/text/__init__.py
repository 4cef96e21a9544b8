"""Text: masking of secrets, safe display, strict JSON, phrases."""
