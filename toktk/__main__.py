"""``toktk`` and ``python -m toktk``: see to signals first, for the imports of a command take a second."""

import gc
import os
import sys

# Container objects between two collections of garbage. A command makes many that last and few cycles:
# with Python's 700, a short one spends a twentieth of its time on looking for them.
GARBAGE = 500_000


def main() -> None:
    """Run the command line and end the process."""
    try:
        from toktk import interruption
    except KeyboardInterrupt:
        sys.exit(130)
    try:
        interruption.install()
        gc.set_threshold(GARBAGE)
        from toktk.cli import main as command
        from toktk.cli.ending import OutOfMemory

        try:
            command(prog_name="toktk")
        except OutOfMemory as end:
            # Python would have every library clean up, and some of them lack what they could not have.
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(int(str(end.code)))
    finally:
        interruption.finish()


if __name__ == "__main__":
    main()
