"""What is done without being asked for: alerts taken over, webhooks sent, deadlines watched."""
