"""Plots of tables: where the wait went, how many replies came in time, how it went over time, and what it cost.

Each is a function of a DataFrame and a method of `frame.voice`, and returns a matplotlib figure that a notebook shows by itself.
"""

from patter_nb.frames.plots.cost import cost
from patter_nb.frames.plots.ecdf import ecdf
from patter_nb.frames.plots.timeline import timeline
from patter_nb.frames.plots.waterfall import Statistic, waterfall

__all__ = ["Statistic", "cost", "ecdf", "timeline", "waterfall"]
