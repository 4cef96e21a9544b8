"""A host server as data: what to run, and how it takes over a socket."""
