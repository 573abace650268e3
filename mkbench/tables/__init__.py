"""Tables: declared columns for the console, CSV, Markdown, LaTeX and HTML."""
