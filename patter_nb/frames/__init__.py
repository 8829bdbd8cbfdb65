"""What is made of the tables: percentiles with intervals, Patter's own statistics, files, plots, and what each column means."""

from patter_nb.frames.documentation import columns

__all__ = ["columns"]
