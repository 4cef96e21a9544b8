"""What a look adds to doctor: one module for each check."""
