"""``toktk`` and ``python -m toktk``: see to signals first, for the imports of a command take a second."""

import sys


def main() -> None:
    """Run the command line and end the process."""
    try:
        from toktk import interruption
    except KeyboardInterrupt:
        sys.exit(130)
    try:
        interruption.install()
        from toktk.cli import main as command

        command(prog_name="toktk")
    finally:
        interruption.finish()


if __name__ == "__main__":
    main()
