"""Tables: declared columns for the console, CSV, Markdown, LaTeX and HTML."""

from mkbench.tables.cells import Cell, fixed, show_estimate
from mkbench.tables.console import to_console
from mkbench.tables.csv_text import to_csv
from mkbench.tables.files import publish_table, write_table
from mkbench.tables.html_text import to_html
from mkbench.tables.latex import to_latex
from mkbench.tables.markdown import to_markdown
from mkbench.tables.result_table import BELOW, BESIDE, NO_INTERVALS, Column, Layout, ResultTable, csv_bounds

__all__ = [
    "BELOW",
    "BESIDE",
    "NO_INTERVALS",
    "Cell",
    "Column",
    "Layout",
    "ResultTable",
    "csv_bounds",
    "fixed",
    "publish_table",
    "show_estimate",
    "to_console",
    "to_csv",
    "to_html",
    "to_latex",
    "to_markdown",
    "write_table",
]
