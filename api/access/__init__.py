"""Who may do what: roles, API keys, and how many requests."""
