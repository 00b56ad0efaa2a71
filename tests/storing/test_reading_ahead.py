import time

import pytest
import torch

from anyseq.core import Batch
from anyseq.data.batching import Position, TokenBatches
from anyseq.errors import DataError, RunError
from anyseq.training import ahead
from anyseq.training.ahead import ReadAhead
from anyseq.training.meter import Meter


def batches():
    return TokenBatches(torch.full((40,), 4), 16, 1)


def test_it_gives_what_reading_in_turn_gives():
    plan = batches().batches(Position(0, 3))

    def make(rows, epoch):
        return Batch({"rows": rows + 100 * epoch}, [])

    with ReadAhead(batches(), make, Position(0, 3)).reading() as reader:
        epoch = 0
        for _ in range(30):
            rows, after = next(plan)
            batch, at = reader.next()
            assert batch.fields["rows"].equal(rows + 100 * epoch) and at == after
            epoch = after.epoch


def test_a_fault_is_raised_where_the_batch_is_asked_for():
    def fail(rows, epoch):
        raise DataError("this line is damaged", "train.tsv", 7)

    with ReadAhead(batches(), fail, Position()).reading() as reader, pytest.raises(DataError, match=r"train\.tsv:7"):
        reader.next()


def test_a_thread_that_is_gone_or_hangs_is_an_error_and_no_hang(monkeypatch):
    monkeypatch.setattr(ahead, "_LOOK_SECONDS", 0.01)
    monkeypatch.setattr(ReadAhead, "_read", lambda self: None)
    with ReadAhead(batches(), lambda *_: None, Position()).reading() as reader, pytest.raises(RunError, match="ended"):
        reader.next()
    monkeypatch.setattr(ReadAhead, "_read", lambda self: self._ended.wait(5))
    hanging = ReadAhead(batches(), lambda *_: None, Position(), patience=0.05)
    with hanging.reading() as reader, pytest.raises(RunError, match="disk"):
        reader.next()


def test_waiting_is_what_was_not_read_ahead():
    def slowly(rows, epoch):
        time.sleep(0.05)
        return Batch({"rows": rows}, [])

    with ReadAhead(batches(), slowly, Position()).reading() as reader:
        meter = Meter()
        meter.waiting(reader.next)
        assert 0.02 < meter.waited < 2
        time.sleep(0.5)
        before = meter.waited
        meter.waiting(reader.next)
        assert meter.waited - before < 0.04
