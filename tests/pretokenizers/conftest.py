import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))


@pytest.fixture(scope="session", autouse=True)
def toktk_home(tmp_path_factory):
    """Compile each pattern once a session, into a cache that nothing else uses."""
    with pytest.MonkeyPatch.context() as patch:
        home = tmp_path_factory.mktemp("toktk-home")
        patch.setenv("TOKTK_HOME", str(home))
        yield home
