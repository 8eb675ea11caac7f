"""What is known of one player: `/v1/players`."""
