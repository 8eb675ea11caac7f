"""What lies within a window: exact series of events, and tiles of bets."""
