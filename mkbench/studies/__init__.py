"""What is asked of finished runs: one folder a study."""
