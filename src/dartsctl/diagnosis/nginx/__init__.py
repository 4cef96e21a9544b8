"""Reading nginx's configuration and error log."""
