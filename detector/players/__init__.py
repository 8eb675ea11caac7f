"""What is known of one player: plain data, changed by the engine alone."""
