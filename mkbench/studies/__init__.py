"""Studies of finished runs, a folder each."""
