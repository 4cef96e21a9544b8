"""Files in the user's project."""
