"""Lightning callbacks of a run: progress, results, figures and exports."""

from mkbench.callbacks.progress import GroupProgress
from mkbench.callbacks.result_writer import ResultWriter
from mkbench.callbacks.visualiser import Visualiser

__all__ = ["GroupProgress", "ResultWriter", "Visualiser"]
