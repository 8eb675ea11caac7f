"""Telling agents what waits for them, by mail as by webhook."""
