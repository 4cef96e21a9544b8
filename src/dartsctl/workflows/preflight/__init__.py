"""Everything that is known before an `up`, and what it would meet."""
