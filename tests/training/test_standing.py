from __future__ import annotations

from dataclasses import asdict

import pytest

from anyseq.training.standing import Standing


def test_what_was_written_is_read_and_what_an_older_version_lacks_has_its_default() -> None:
    standing = Standing(step=7, best=(1.0, -2.0), unreported=(1.0, 2.0, 3.0), given_up="enough")
    written = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(standing).items()}
    assert Standing.read(written) == standing
    del written["given_up"]
    assert Standing.read(written).given_up is None
    del written["epoch"]
    with pytest.raises(KeyError, match="epoch"):
        Standing.read(written)
