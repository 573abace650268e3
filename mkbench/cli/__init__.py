"""Command line of mkbench."""
