"""Finding and repairing the cause of a failure."""
