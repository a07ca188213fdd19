import numba
import pytest


def pytest_configure(config: pytest.Config) -> None:
    # Hashes wrap by design. Compiled code does so in silence, NumPy's scalars warn.
    if numba.config.DISABLE_JIT:
        config.addinivalue_line("filterwarnings", "ignore:overflow encountered:RuntimeWarning")
