import os

import pytest

from toktk.errors import StorageError
from toktk.paths import atomic_write, home


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


def test_what_cannot_be_written_names_the_option_that_moves_it(tmp_path, monkeypatch):
    monkeypatch.setenv("TOKTK_HOME", str(tmp_path / "home"))
    for place, option in (("home", "TOKTK_HOME=DIR"), ("run", "-o")):
        (tmp_path / place).mkdir()
        (tmp_path / place / "file").touch()
        target = tmp_path / place / "file" / "tokenizer.json"
        with (
            pytest.raises(StorageError, match=f"choose another place with {option}[.]"),
            atomic_write(target) as unfinished,
        ):
            unfinished.touch()
