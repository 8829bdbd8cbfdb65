"""`patter-nb lab`: JupyterLab on the notebooks that come with the package, in a folder of the user's own."""

from __future__ import annotations

import filecmp
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from patter_nb.errors import ConfigError, need

FOLDER = Path("patter_nb-notebooks")
"""Where the notebooks go unless somebody says otherwise."""

SUFFIXES = (".ipynb", ".png")
"""The notebooks and their pictures."""


@dataclass(frozen=True, slots=True)
class Copied:
    """What became of each file: its name below the folder."""

    new: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    """Those that were there and are another one than ours, such as those that somebody has worked in."""

    def told(self, folder: Path) -> list[str]:
        """For whoever started it, line by line."""
        lines = [f"{len(self.new)} files are new in {folder}"] if self.new else []
        if self.kept:
            lines.append(f"yours stay as they are: {', '.join(self.kept)} (delete one, and the next start brings ours)")
        return lines


def notebooks_folder() -> Path:
    """Where the notebooks lie: inside an installed package, beside the package in a clone."""
    package = Path(__file__).parent
    for folder in (package / "notebooks", package.parent / "notebooks"):
        if any(folder.glob("*.ipynb")):
            return folder
    raise ConfigError(f"The notebooks are neither in {package} nor beside it: install the package again.")


def copy_notebooks(source: Path, folder: Path) -> Copied:
    """Copy what is not there yet. Nothing that is there is touched."""
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"folder is {str(folder)!r}, which is a file: give the name of a folder.")
    if folder.resolve() == source.resolve():
        return Copied()  # whoever has the clone works in it
    new, kept = [], []
    for path in sorted(path for path in source.rglob("*") if path.suffix in SUFFIXES):
        name = path.relative_to(source)
        if any(part.startswith(".") for part in name.parts):
            continue  # what Jupyter keeps for itself
        if not (mine := folder / name).exists():
            mine.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, mine)
            new.append(str(name))
        elif not filecmp.cmp(path, mine, shallow=False):
            kept.append(str(name))
    return Copied(tuple(new), tuple(kept))


def open_lab(folder: Path, *, browser: bool = True, arguments: Sequence[str] = ()) -> int:
    """Run JupyterLab on the folder, its first notebook open, until it is shut down; `arguments` are its own. Returns the exit
    code."""
    need("jupyterlab", extra="nb", what="patter-nb lab")
    need("ipywidgets", extra="nb", what="patter-nb lab")
    from jupyterlab.labapp import LabApp

    first = [f"--LabApp.default_url=/lab/tree/{quote(path.name)}" for path in sorted(folder.glob("*.ipynb"))[:1]]
    quiet = [] if browser else ["--no-browser"]
    given = [f"--ServerApp.root_dir={folder.resolve()}", *first, *quiet, *arguments]
    try:
        LabApp.launch_instance(argv=given)
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    return 0
