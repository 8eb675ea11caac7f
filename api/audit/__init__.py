"""What was decided, seen and sent, in a chain that nobody can quietly change."""
