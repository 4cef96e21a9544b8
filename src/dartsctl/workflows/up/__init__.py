"""Starting a stack: checks before, conflicts, checks after."""
