"""The ladder: what a platform is asked to do about an alert, by when, and until when."""
