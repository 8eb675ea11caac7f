"""What runs the core: where events come from, and where alerts go."""
