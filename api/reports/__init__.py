"""What compliance looks at: `/v1/reports`."""
