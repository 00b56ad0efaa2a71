"""Packages whose names are imported when they are asked for, so that what computes nothing need not import torch."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def attributes(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """Make the `__getattr__` of a package (PEP 562).

    Args:
        package: Its name.
        homes: For each module the public names it holds, with spaces between.
    """
    modules = {name: module for module, names in homes.items() for name in names.split()}

    def get(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"{package} has no {name!r}; it has {', '.join(sorted(modules))}")
        value = getattr(import_module(modules[name]), name)
        setattr(sys.modules[package], name, value)  # the next time without this call
        return value

    return get
