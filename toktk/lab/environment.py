"""What a result was made on: versions, machine, plugins. Never the host's or the user's name."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import unicodedata
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from toktk import __version__
from toktk.metrics import METRICS
from toktk.paths import home
from toktk.pretokenizers.patterns import PRETOKENIZERS
from toktk.registry import OWN
from toktk.runtime import usable_cores
from toktk.trainers import TRAINERS

# Every package that can change a figure or its cost, in the order shown.
PACKAGES = (
    "numpy",
    "numba",
    "llvmlite",
    "pyarrow",
    "datasets",
    "tokenizers",
    "tiktoken",
    "sentencepiece",
    "regex",
    "click",
    "rich",
    "platformdirs",
    "wordfreq",
)


def environment() -> dict[str, Any]:
    """Return a JSON-able description of this installation and machine.

    Packages are looked up, not imported; a missing one is None. Memory is in bytes. The
    home directory in the cache's path is written ``~``, since it usually holds the user's name.
    """
    cache = home()
    kinds = (TRAINERS, PRETOKENIZERS, METRICS)
    return {
        "toktk": __version__,
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "unicode": unicodedata.unidata_version,
        "packages": {name: _version(name) for name in PACKAGES},
        "plugins": {
            kind.group: {name: origin for name, origin in kind.names().items() if origin != OWN}
            for kind in kinds
        },
        "os": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
        "cpu": _cpu_model(),
        "logical_cores": os.cpu_count(),
        "usable_cores": usable_cores(),
        "memory": _memory(),
        "cache": _without_home(cache),
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _cpu_model() -> str | None:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    if sys.platform == "darwin":
        command = ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]
        sysctl = subprocess.run(command, capture_output=True, text=True, check=False)
        if sysctl.returncode == 0:
            return sysctl.stdout.strip()
    return platform.processor() or None


def _memory() -> int | None:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):  # Windows has no sysconf, others not every name
        return None


def _without_home(path: Path) -> str:
    own = os.path.expanduser("~")  # noqa: PTH111 - Path.home() raises where there is none
    return f"~/{path.relative_to(own).as_posix()}" if path.is_relative_to(own) else str(path)
