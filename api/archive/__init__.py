"""Accepted events, kept for good in daily files."""
