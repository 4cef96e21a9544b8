"""A host server as data: what to run, its lease, and how it takes over a socket."""
