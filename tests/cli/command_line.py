"""Run toktk as a user does, in this process."""

from __future__ import annotations

from click.testing import CliRunner, Result

from toktk.cli import main


def run(*args: object) -> Result:
    """Run a command; an error that is no message is raised.

    Without `--progress` it shows none: what plain lines tell of depends on how fast the machine is.
    """
    variables = {"TOKTK_PROGRESS": "none"}
    result = CliRunner().invoke(main, [str(arg) for arg in args], env=variables)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def good(*args: object) -> Result:
    result = run(*args)
    assert result.exit_code == 0, result.stderr
    return result


def fails(*args: object, code: int = 1) -> str:
    """Run a command, which must end with `code` and a message of some three lines; return it."""
    result = run(*args)
    assert (result.exit_code, result.stdout) == (code, "")
    assert "Traceback" not in result.stderr
    if code == 1:
        lines = result.stderr.splitlines()
        start = next(i for i, line in enumerate(lines) if line.startswith("Error: "))
        assert all(line.startswith("  ") for line in lines[start + 1 :])
        assert 2 <= len(lines) - start <= 5, result.stderr
    return result.stderr
