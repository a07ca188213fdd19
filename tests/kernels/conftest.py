import numba
import pytest
from hypothesis import settings

if numba.config.DISABLE_JIT:
    # Plain Python is a hundred times slower; what is asked of it is that it runs and agrees.
    settings.register_profile("plain", settings.get_profile("toktk"), max_examples=20)
    settings.load_profile("plain")
elif numba.config.BOUNDSCHECK:
    # The same examples as without checks would do; what is asked is that none leaves an array.
    settings.register_profile("checked", settings.get_profile("toktk"), max_examples=20)
    settings.load_profile("checked")


def pytest_configure(config: pytest.Config) -> None:
    # Hashes wrap by design. Compiled code does so in silence, NumPy's scalars warn.
    if numba.config.DISABLE_JIT:
        config.addinivalue_line("filterwarnings", "ignore:overflow encountered:RuntimeWarning")
