"""The commands of the command line that need no trainer: one module each with `HELP`, `add_arguments` and `run`."""
