"""``python -m toktk``."""

from toktk.cli import main

main(prog_name="toktk")
