"""Starting a stack: conflicts settled, Compose, checks after."""
