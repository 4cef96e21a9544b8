"""What runs: containers, the proxy, and what they answer."""
