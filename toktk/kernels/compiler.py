"""How kernels are compiled: what other kernels call becomes a part of these, and machine code of theirs.

Numba compiles a function that others call as if it were called from Python too: with two wrappers,
optimized and turned into machine code by itself, and then once more in each of its callers. Here it is
typed and lowered once, without any of that, and optimized where it is called, which saves a fifth to a
third of the time to compile. Numba has no public way to it, so this room uses names of its insides:
`numba.core.registry.CPUDispatcher`, `numba.core.compiler.compile_extra`,
`numba.core.codegen.JITCodeLibrary`. Passes that no kernel needs are left out, as Numba lets one do.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from numba.core import types
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, DefaultPassBuilder, Flags, compile_extra
from numba.core.registry import CPUDispatcher
from numba.core.typed_passes import NopythonRewrites
from numba.core.types.misc import unliteral
from numba.core.untyped_passes import InlineClosureLikes

_NOT_NEEDED = (InlineClosureLikes, NopythonRewrites)
"""What looks for functions within a function, and for operations on whole arrays."""


class _Compiler(CompilerBase):  # type: ignore[misc]
    def define_pipelines(self) -> list[Any]:
        passes = DefaultPassBuilder.define_nopython_pipeline(self.state)
        passes.passes = [one for one in passes.passes if one[0] not in _NOT_NEEDED]
        passes.finalize()
        return [passes]


class CompiledKernel(CPUDispatcher):  # type: ignore[misc]
    """A function compiled for calls from Python, and, apart from that, as a part of other kernels."""

    def __init__(self, function: Callable[..., Any], options: dict[str, Any]) -> None:
        super().__init__(function, targetoptions=options, pipeline_class=_Compiler)

    @functools.cached_property
    def _part(self) -> _Part:
        return _Part(self.py_func, targetoptions=self.targetoptions)

    @property
    def _numba_type_(self) -> Any:
        """What numba takes this for where a kernel names it."""
        return types.Dispatcher(self._part)


class _Part(CPUDispatcher):  # type: ignore[misc]
    """A function as other kernels call it: never called from Python."""

    def compile(self, sig: Any) -> None:
        """Type and lower the function for the types of its arguments, once for all numbers written out."""
        arguments = tuple(map(unliteral, sig))
        if arguments in self.overloads:
            return
        flags = Flags()
        self.targetdescr.options.parse_as_flags(flags, self.targetoptions)
        flags.no_compile = flags.no_cpython_wrapper = flags.no_cfunc_wrapper = True
        library = _PartLibrary(self.targetctx.codegen(), self.py_func.__qualname__)
        with self._compiling_counter:
            result = compile_extra(
                self.typingctx, self.targetctx, self.py_func, arguments, None, flags, {}, library,
                pipeline_class=_Compiler,
            )  # fmt: skip
        self.targetctx.insert_user_function(library, result.fndesc, [library])
        self.overloads[arguments] = result

    def get_overload(self, sig: Any) -> Any:
        """Return what numba finds the function by."""
        return self.overloads[tuple(sig)].library


class _PartLibrary(JITCodeLibrary):  # type: ignore[misc]
    """The code of a part, which is linked into what calls it, and neither optimized nor run by itself."""

    def finalize(self) -> None:
        """Link what the part calls."""
        for library in dict.fromkeys(self._linking_libraries):
            self._final_module.link_in(library._get_module_for_linking(), preserve=True)
        self._finalize_dynamic_globals()
        self._finalized = True
