"""This host: sockets, processes, signals."""
