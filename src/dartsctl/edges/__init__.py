"""One outside thing a file; the edges do not know each other, `commands/` joins them."""
