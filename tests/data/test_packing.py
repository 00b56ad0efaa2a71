import torch

from anyseq.data import batching
from anyseq.data.batching import Packed, pack


def examples(count):
    return [{"source": torch.arange(n % 5 + 1), "target": torch.full((n % 3,), n)} for n in range(count)]


def test_examples_packed_in_parts_are_those_packed_at_once(monkeypatch):
    monkeypatch.setattr(batching, "_PACKED_AT_ONCE", 4)
    for count in (1, 4, 11):
        packed = pack(iter(examples(count)))
        assert list(packed) == ["source", "target"]
        for name, found in packed.items():
            whole = Packed.of([each[name] for each in examples(count)])
            assert found.values.equal(whole.values) and found.offsets.equal(whole.offsets)
    assert pack([]) == {}


def test_packing_keeps_few_examples_at_a_time(monkeypatch):
    """Each small tensor has a memory of its own."""
    monkeypatch.setattr(batching, "_PACKED_AT_ONCE", 4)
    alive, most = 0, 0

    class Example(dict):
        def __init__(self, *fields):
            nonlocal alive, most
            super().__init__(*fields)
            alive += 1
            most = max(most, alive)

        def __del__(self):
            nonlocal alive
            alive -= 1

    pack(Example(each) for each in examples(40))
    assert most <= 9


def test_a_batch_does_not_look_at_the_whole_corpus():
    packed = Packed.of([torch.arange(3), torch.arange(1)])
    assert packed.lengths is packed.lengths
    assert packed.lengths.tolist() == [3, 1]
