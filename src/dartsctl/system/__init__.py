"""Safe use of the operating system: files by descriptor, users, signals."""
