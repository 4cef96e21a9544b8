"""The known causes of a failure."""
