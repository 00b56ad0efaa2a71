"""Types and shapes are checked while the tests run: by jaxtyping and beartype, each combination of them once.

What a call gives and gets is judged by types, shapes, dtypes and words alone. So a call that gives and gets what an
earlier one of the same function did is not judged again. Of a function whose signature has no shape, which mypy has
judged, the first calls are looked at. (To judge every call took half the time of all tests.)
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import threading
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from types import FunctionType
from typing import Any, get_type_hints

import jaxtyping
import numpy as np
from beartype import beartype
from torch import Tensor
from torch.nn import Parameter

MANY = 16
"""Containers with more than so many elements, or nested deeper than `DEEP`, are judged anew each time."""
DEEP = 4
KEPT = 2000
"""Combinations that are remembered of each function."""
FIRST = 1000
"""Calls that are looked at where there is no shape in a signature."""

Function = Callable[..., Any]
_jaxtyped = jaxtyping.jaxtyped
_checks: dict[int, Checks] = {}


class _Next(threading.local):
    """The functions that are to be called as soon as what they are given has been checked."""

    def __init__(self) -> None:
        self.functions: list[Function] = []


_next = _Next()


class _TooMuchError(Exception):
    """A value that is not described shortly."""


def check(function: Function) -> Function:
    """Beartype, but for `Self`: jaxtyping hands over bare functions, for which it cannot know whose `Self` is meant."""
    function.__annotations__ = {
        name: Any if "Self" in str(hint) else hint for name, hint in function.__annotations__.items()
    }
    return beartype(function)


def install() -> None:
    """From now on what is imported of anyseq is checked."""
    jaxtyping.jaxtyped = jaxtyped
    jaxtyping.install_import_hook("anyseq", f"{__name__}.{check.__name__}")


def jaxtyped(decorated: Any = None, *, typechecker: Function) -> Any:
    """`jaxtyping.jaxtyped`, as its import hook uses it, with a memory."""
    if decorated is None:
        return functools.partial(jaxtyped, typechecker=typechecker)
    if not inspect.isclass(decorated):
        return remembering(decorated, typechecker)
    if dataclasses.is_dataclass(decorated) and not hasattr(decorated.__init__, "__wrapped__"):
        decorated.__init__ = remembering(decorated.__init__, typechecker)  # type: ignore[misc]
    return decorated


class Checks:
    """What is known of all functions made by one `def`: of that in another function there is a new one each time."""

    def __init__(self, function: FunctionType, typechecker: Function) -> None:
        self.function, self.typechecker = function, typechecker
        self.seen: dict[Hashable, set[Hashable]] = {}
        self.left = FIRST

    @functools.cached_property
    def hints(self) -> str:
        """The signature's types, as far as they can be told."""
        try:
            return str(get_type_hints(self.function))
        except (NameError, AttributeError, TypeError, ValueError):
            return "jaxtyping.Unknown, Literal"

    @functools.cached_property
    def worded(self) -> bool:
        return "Literal" in self.hints

    def count(self) -> None:
        """Count a call, but for a function that has shapes."""
        if "jaxtyping." in self.hints:
            self.left = -1
        elif self.left > 0:
            self.left -= 1

    def call(self, function: Function, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        """Call a function as if it had the signature of these, checked."""
        depth = len(_next.functions)  # a check may call what is checked itself
        _next.functions.append(function)
        try:
            return self._checked(*args, **kwargs)
        finally:
            del _next.functions[depth:]

    @functools.cached_property  # made when it is first called: most functions never are
    def _checked(self) -> Function:
        following = _next  # by closure: the globals are those of the function, whose names its annotations have

        def standing(*args: Any, **kwargs: Any) -> Any:
            return following.functions.pop()(*args, **kwargs)

        alike = FunctionType(standing.__code__, self.function.__globals__, closure=standing.__closure__)
        return _jaxtyped(functools.update_wrapper(alike, self.function), typechecker=self.typechecker)


def remembering(function: FunctionType, typechecker: Function) -> Function:
    """A function that is checked where it gives or gets what it has not given or got before."""
    checks = _checks.setdefault(id(function.__code__), Checks(function, typechecker))

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        if not checks.left or jaxtyping.config.jaxtyping_disable:
            return function(*args, **kwargs)
        if checks.left > 0:
            checks.count()
        try:
            given = described(args, checks.worded)
            if kwargs:
                given = given, tuple(kwargs), described(kwargs.values(), checks.worded)
        except _TooMuchError:
            return checks.call(function, args, kwargs)
        known = checks.seen.get(given)
        if known is None:
            result = checks.call(function, args, kwargs)
            if len(checks.seen) < KEPT:
                checks.seen[given] = {outline(result, checks.worded)}
            return result
        result = function(*args, **kwargs)
        got = outline(result, checks.worded)
        if got is None or got not in known:
            checks.call(lambda *_, **__: result, args, kwargs)
            known.add(got)
        return result

    return wrapped


def outline(result: Any, worded: bool) -> Hashable:
    """A description of what was got; none where it would be long."""
    try:
        return described((result,), worded)
    except _TooMuchError:
        return None


_ARRAYS = {Tensor, Parameter, np.ndarray}
_LIKE_THEM = (list, dict, set, frozenset, Tensor, np.ndarray)


def described(values: Iterable[Any], worded: bool, depth: int = 0) -> Hashable:
    """All that a check of types and shapes can see of some values: of words, where a `Literal` asks for some."""
    found: list[Hashable] = []
    for value in values:
        kind = type(value)
        found.append(kind)
        if kind in _ARRAYS:
            found += (value.dtype, value.shape)
        elif kind is str:
            if worded:
                found.append(value)
        elif kind in (list, dict, set, frozenset) or isinstance(value, tuple):
            if len(value) > MANY or depth > DEEP:
                raise _TooMuchError
            parts = described(value, worded, depth + 1)
            found.append((parts, described(value.values(), worded, depth + 1)) if kind is dict else parts)
        elif isinstance(value, type):
            found.append(value)
        elif isinstance(value, _LIKE_THEM):
            raise _TooMuchError
    return tuple(found)


@contextmanager
def unchecked() -> Iterator[None]:
    """Types and shapes are not checked."""
    jaxtyping.config.update("jaxtyping_disable", True)
    try:
        yield
    finally:
        jaxtyping.config.update("jaxtyping_disable", False)
