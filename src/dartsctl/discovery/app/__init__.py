"""An app's source files, read without running them: how it starts, its port, routes, variables."""
