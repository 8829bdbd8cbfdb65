"""What is made of the tables: percentiles with intervals, Patter's own statistics, files, plots, and what each column means."""

from patter_nb.frames.documentation import columns
from patter_nb.frames.files import read_csv, read_parquet

__all__ = ["columns", "read_csv", "read_parquet"]
