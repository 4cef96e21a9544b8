"""What `init` learns from texts and models: decisions without input or output."""
