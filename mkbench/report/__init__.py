"""Pages of finished runs: one HTML file to send to a colleague, a table of many runs to host, and the app."""
