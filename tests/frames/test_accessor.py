"""`.voice` on every DataFrame, as soon as there is one of ours."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Iterator
from types import ModuleType

import pandas as pd
import pytest

from patter_nb.errors import PatterWarning
from patter_nb.frames import accessor
from patter_nb.records.tables import TABLES, frame


@pytest.fixture
def fresh() -> Iterator[ModuleType]:
    """The module as if nothing were registered yet; afterwards `.voice` is ours again."""
    accessor.register.cache_clear()
    yield accessor
    if "voice" in vars(pd.DataFrame):
        del pd.DataFrame.voice
    accessor.register.cache_clear()
    accessor.register()


def test_the_first_frame_of_ours_gives_every_frame_its_voice() -> None:
    code = (
        "import sys, patter_nb; assert 'pandas' not in sys.modules; phone = patter_nb.Patter(store=False); "
        "assert len(phone.turns.voice.columns()) > 30; import pandas; assert pandas.DataFrame({'turn': [1]}).voice"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], timeout=120, check=True)


def test_registering_again_is_silent_also_when_the_module_is_loaded_anew(fresh: ModuleType) -> None:
    accessor.register()
    accessor.register()
    importlib.reload(accessor)
    accessor.register()
    assert type(frame(TABLES["turns"], []).voice) is accessor.Voice


def test_a_voice_of_somebody_else_stays(fresh: ModuleType) -> None:
    theirs = property(lambda frame: "theirs")
    pd.DataFrame.voice = theirs
    with pytest.warns(PatterWarning, match=r"ours is patter_nb\.frames\.accessor\.Voice\(frame\)\.$"):
        accessor.register()
    assert pd.DataFrame({"turn": [1]}).voice == "theirs"
