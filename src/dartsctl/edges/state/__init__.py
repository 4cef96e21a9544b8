"""The state folder and what is kept in it."""
