"""From facts to root causes and repairs."""
