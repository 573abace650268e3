"""Facts of finished runs: what was run, on what, by which rules, and how to run it again."""
