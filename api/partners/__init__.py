"""Aid organisations: who they are, whom they may help, how they are reached: `/v1/partners`."""
