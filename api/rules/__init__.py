"""The rules in force, and putting others in force: `/v1/rules`."""
