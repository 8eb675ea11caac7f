"""The stream side: a pure core, the drivers that run it, and the commands in front of them."""
