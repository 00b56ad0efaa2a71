from __future__ import annotations

from collections.abc import Iterator

import pytest

import run_time_types


@pytest.fixture
def unchecked() -> Iterator[None]:
    """For laws over whole models; their parts are checked in the laws of decoders, encoders and objectives."""
    with run_time_types.unchecked():
        yield
