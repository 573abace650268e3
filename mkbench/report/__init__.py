"""Pages of finished runs: one HTML file to send to a colleague, and a table of many runs to host."""
