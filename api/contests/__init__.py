"""What players contest, and who decides on it: `/v1/contests`."""
