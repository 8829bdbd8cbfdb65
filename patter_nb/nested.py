"""For scripts that are pasted into a cell: `asyncio.run(main())` where a loop runs already."""

from __future__ import annotations

import asyncio
import functools
import sys

from patter_nb.errors import warn

MARK = "_nest_asyncio2"
"""What the successor leaves in `asyncio` beside the mark of both."""


def allow_nested_run() -> None:
    """Let a pasted `asyncio.run(main())` work in a notebook; top-level `await main()` needs no such thing.

    It changes asyncio for the whole kernel, so it is done only when you ask. Harmless twice.
    """
    import nest_asyncio2

    if getattr(asyncio, "_nest_patched", False) and not hasattr(asyncio, MARK):
        if _loses_cells():
            _warn()
        return  # the first one to patch stays: what it has replaced cannot be put back
    nest_asyncio2.apply()


@functools.cache
def _warn() -> None:
    warn(
        "nest_asyncio is at work in this kernel already, and cells that wait behind a nested run are lost with it: restart the "
        "kernel and call patter_nb.allow_nested_run() instead of nest_asyncio.apply()."
    )


def _loses_cells() -> bool:
    """Whether this is a kernel of the version, or a later one, in which `nest_asyncio` drops cells without a word."""
    ipykernel = sys.modules.get("ipykernel")
    return ipykernel is not None and int(ipykernel.version_info[0]) >= 7
