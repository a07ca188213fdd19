import os

import pytest

from toktk.errors import StorageError
from toktk.paths import home


def test_the_home_of_no_such_user(monkeypatch):
    monkeypatch.setenv("TOKTK_HOME", "~nosuchuser/x")
    with pytest.raises(StorageError, match=r"TOKTK_HOME=~nosuchuser/x(?s:.*)Set TOKTK_HOME=DIR"):
        home()


@pytest.mark.skipif(os.name == "nt", reason="users have a profile there")
def test_a_user_without_a_home(monkeypatch):
    import pwd

    def unknown(_):
        raise KeyError

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    for name in ("TOKTK_HOME", "HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(StorageError, match=r"no TOKTK_HOME(?s:.*)Set TOKTK_HOME=DIR"):
        home()
