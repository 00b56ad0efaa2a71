"""What the views say of models whose numbers can be worked out by hand."""

from __future__ import annotations

import json
import math
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import nn

from anyseq.core import Batch, Item, Memory, Padded, State, Symbols
from anyseq.inspection.about import histogram, side, sizes
from anyseq.inspection.attention import attention_maps, attention_over, copied
from anyseq.inspection.errors import Answers, Judged, by_length, calibration, errors, repeated, surplus
from anyseq.inspection.gates import FoundCell, gates
from anyseq.inspection.gradients import Connectivity, Gradients, gradients
from anyseq.inspection.properties import PROPERTIES, areas, correlations, ranks
from anyseq.inspection.reading import read
from anyseq.inspection.report import as_bytes, page
from anyseq.inspection.result import Inspection
from anyseq.inspection.search import choices, parted, record, trees
from anyseq.inspection.shown import END, START, Shown
from anyseq.models.alone import Alone, AloneConfig
from anyseq.models.decoders.aligned import PlacewiseDecoderConfig
from anyseq.models.decoders.attention import AttentionDecoderConfig
from anyseq.models.decoders.rnn import RnnDecoderConfig
from anyseq.models.encoders.rnn import RnnEncoderConfig
from anyseq.models.seq2seq import Seq2SeqConfig
from anyseq.nn.attention_scores import DotScores, Everywhere, Reader
from anyseq.nn.emissions import Table
from anyseq.nn.taps import Listener
from anyseq.search import Beam, EndSymbol, Greedy, search
from search.search_toys import Recurrent

LETTERS = ("⟨end⟩", "a", "7", "b", "3")


def of_texts(*texts: list[int]) -> tuple[Batch, list[Shown]]:
    """Texts that a language model reads, with letters and digits for symbols."""
    padded = Padded.stack([torch.tensor(text) for text in texts])
    shown = [Shown("", "", (), tuple(LETTERS[symbol] for symbol in text)) for text in texts]
    return Batch({"target": padded}, [Item({}, key) for key in range(len(texts))]), shown


def language_model(cell: str, activation: str = "tanh") -> Alone:
    """One embedding, one cell, one channel; all weights 0."""
    decoder = RnnDecoderConfig(
        cell=cell, activation=activation, embed_dim=1, hidden_dim=1, num_layers=1, tied=False, dropout=0.0
    )
    model = AloneConfig(decoder=decoder).build(Symbols(len(LETTERS))).double()
    for parameter in model.parameters():
        nn.init.zeros_(parameter)
    return model


def test_attention_is_the_softmax_of_the_scores() -> None:
    reader = Reader(DotScores(1, 1), Everywhere(), 1)
    memory = Memory(item=torch.zeros(1), vectors=torch.tensor([[[0.0], [math.log(2)]]]), valid=torch.ones(1, 2) > 0)
    with Listener(reader, ("weights",)) as listener:
        reader(torch.tensor([[[1.0], [2.0]]]), reader.prepare(memory))
    wanted = torch.tensor([[[[1 / 3, 2 / 3], [1 / 5, 4 / 5]]]])
    torch.testing.assert_close(listener.heard["weights"][0], wanted)


def test_who_does_not_know_looks_everywhere_alike() -> None:
    widths = {"embed_dim": 4, "hidden_dim": 4, "dropout": 0.0}
    model = Seq2SeqConfig(encoder=RnnEncoderConfig(**widths), decoder=AttentionDecoderConfig(**widths))
    built = model.build(Symbols(9), Symbols(9))
    for parameter in built.parameters():
        nn.init.zeros_(parameter)
    sides = dict.fromkeys(("source", "target"), Padded.stack([torch.tensor([5, 6, 7, 0]), torch.tensor([5, 0])]))
    shown = [Shown("", "", ("x", "y", "z", END), ("x", "y", "z", END)), Shown("", "", ("x", END), ("x", END))]
    batch = Batch(sides, [Item({}, 0), Item({}, 1)])
    (long,), (short,) = attention_maps(read(built, batch, shown, ("weights", "pointers")))
    assert (long.looks, long.at, long.columns) == ("output", "source", ("x", "y", "z", END))
    np.testing.assert_allclose(long.weights, np.full((1, 4, 4), 0.25), atol=1e-6)
    np.testing.assert_allclose(short.weights, np.full((1, 2, 2), 0.5), atol=1e-6)


def test_what_is_copied_is_known_to_belong_together() -> None:
    date = tuple("04/01/1979")
    assert copied(tuple("1979-01-04"), date) == ((0, 6), (1, 7), (2, 8), (3, 9))
    assert copied(tuple("1979"), tuple("1979 1979")) == () == copied(("a", "b"), ("a", "b"))
    assert copied((*"abc", END), (*"abc", END)) == ((0, 0), (1, 1), (2, 2))
    widths = {"embed_dim": 4, "hidden_dim": 4, "dropout": 0.0}
    config = Seq2SeqConfig(encoder=RnnEncoderConfig(**widths), decoder=AttentionDecoderConfig(**widths))
    model = config.build(Symbols(9), Symbols(9))
    for parameter in model.parameters():
        nn.init.zeros_(parameter)
    batch = Batch(dict.fromkeys(("source", "target"), Padded.stack([torch.tensor([5, 6, 7, 0])])), [Item({}, 0)])
    shown = Shown("", "", (*"xyz", END), (*"xyz", END))
    found = attention_over([read(model, batch, [shown], ("weights",))])
    assert found is not None
    # All weights are a quarter, and of equal ones the first is the largest: right for the first place alone.
    (known,) = found.known
    assert (known.path, known.head, known.places) == ("decoder.reader", 0, 3)
    assert (known.weight, known.found) == (pytest.approx(0.25), pytest.approx(1 / 3))


def test_gates_saturate_and_a_cell_follows_digits() -> None:
    model = language_model("lstm")
    cell, embed = model.decoder.stack.layers[0].cell, model.decoder.fed_back.embed
    embed.weight.data[:] = torch.tensor([[-1.0], [-1.0], [1.0], [-1.0], [1.0]])  # digits are 1
    model.decoder.fed_back.start.data[:] = -1.0
    cell.bias_ih.data[:] = torch.tensor([10.0, -10.0, 0.0, 0.0])  # i open, f shut, o between
    cell.weight_ih.data[2] = 1.0  # g = tanh(x)
    batches = [of_texts([1, 2, 1, 0], [4, 3, 2, 0]), *[of_texts([2, 1, 0], [3, 4, 0])] * 8]
    found = gates((read(model, *batch, ("gates", "state", "turned")) for batch in batches), items=3)
    assert found is not None and len(found.items) == 3
    saturated = {each.gate: (each.shut.item(), each.open.item()) for each in found.saturation}
    assert saturated == {"input": (0.0, 1.0), "forget": (1.0, 0.0), "output": (0.0, 0.0)}
    (trace,) = found.items[0]
    assert (trace.over, trace.places) == ("output", (START, "a", "7", "a"))
    i, f, c = 1 / (1 + math.exp(-10)), 1 / (1 + math.exp(10)), 0.0
    for place, x in enumerate((-1, -1, 1, -1)):
        c = f * c + i * math.tanh(x)
        assert trace.states["c"][place, 0] == pytest.approx(c, abs=1e-6)
        assert trace.states["h"][place, 0] == pytest.approx(0.5 * math.tanh(c), abs=1e-6)
    digits = [each for each in found.found if each.property == "a digit"]
    assert {(each.path, each.state, each.cell, each.score) for each in digits} == {
        ("decoder.stack.layers.0.cell", "c", 0, 1.0), ("decoder.stack.layers.0.cell", "h", 0, 1.0)
    }  # fmt: skip
    lean = found.lean().items[0][0]
    assert lean.cells.tolist() == [0] and lean.gates["input"].shape == (4, 1)


def reader_of_letters() -> Alone:
    """A cell that says of each letter, and of the start, how much it is, and remembers nothing."""
    model = language_model("elman")
    model.decoder.stack.layers[0].cell.weight_ih.data[:] = 1.0
    model.decoder.fed_back.embed.weight.data[:] = torch.tensor([[0.0], [0.1], [0.9], [0.2], [0.8]])
    return model


def test_a_number_stays_one_where_a_half_of_the_items_holds_0_and_1_alone() -> None:
    batch, shown = of_texts(*[[1, 2, 0]] * 40)
    reading = read(reader_of_letters(), batch, shown, ("gates", "state", "turned"))
    # It follows the cell on the half that cells are chosen on; on the other it is 0 or 1, whatever the cell does.
    other = ([0, 1], [1, 0])
    told = [{"depth": np.array(other[at // 2 % 2] if at % 2 else [1, 2], float)} for at in range(40)]
    found = gates([reading], 1, told)
    assert found is not None and not [each for each in found.found if each.property == "depth"]


def test_of_one_text_cells_are_chosen_on_its_first_half_and_judged_on_the_other() -> None:
    model = reader_of_letters()

    def digits(text: list[int]) -> list[FoundCell]:
        found = gates([read(model, *of_texts(text), ("gates", "state", "turned"))], 1)
        assert found is not None
        return [each for each in found.found if each.property == "a digit"]

    (cell,) = digits([1, 2, 3] * 20)
    assert (cell.measure, cell.score, cell.places) == ("auc", 1.0, 30)
    assert not digits([1, 2, 3] * 10 + [1, 3] * 15), "the other half has no digits to judge it by"


def test_what_was_read_from_right_to_left_stands_where_it_was_read() -> None:
    widths = {"embed_dim": 1, "hidden_dim": 1, "dropout": 0.0, "cell": "elman"}
    encoder = RnnEncoderConfig(**widths, bidirectional=True)
    model = Seq2SeqConfig(encoder=encoder, decoder=AttentionDecoderConfig(**widths)).build(Symbols(5), Symbols(5))
    sides = dict.fromkeys(("source", "target"), Padded.stack([torch.tensor([1, 2, 3, 0]), torch.tensor([4, 0])]))
    shown = [Shown("", "", LETTERS[:4], LETTERS[:4]), Shown("", "", ("3", END), ("3", END))]
    reading = read(model, Batch(sides, [Item({}, 0), Item({}, 1)]), shown, ("state", "turned"))
    vectors = model.eval().encode(reading.batch).vectors.detach().numpy()
    for column, way in enumerate(("forward_cell", "backward_cell")):
        states = reading.in_time(f"encoder.stack.layers.0.{way}", "state.h")
        for row, length in enumerate((4, 2)):
            np.testing.assert_allclose(states[row, :length, 0], vectors[row, :length, column], atol=1e-6)


def test_a_linear_memory_fades_as_its_weight_says() -> None:
    model = language_model("elman", activation="identity")
    decoder = model.decoder
    cell = decoder.stack.layers[0].cell
    cell.weight_ih.data[:], cell.weight_hh.data[:] = 1.0, 0.5
    output = next(module for module in decoder.modules() if isinstance(module, nn.Linear) and module.out_features == 5)
    output.weight.data[:] = torch.tensor([[2.0], [3.0], [-4.0], [1.0], [0.0]])
    if not isinstance(decoder.readout, nn.Identity):
        decoder.readout.weight.data[:] = 1.0
    found = gradients(model, *of_texts([1, 2, 0]))
    assert found is not None
    (item,) = found.items
    assert (item.rows, item.columns) == (("a", "7", END), (START, "a", "7"))
    wanted = [[3, 0, 0], [4 * 0.5, 4, 0], [2 * 0.25, 2 * 0.5, 2]]
    np.testing.assert_allclose(item.norms, wanted, atol=1e-6)
    assert found.distance.tolist() == [0, 1, 2] and found.pairs.tolist() == [3, 2, 1]
    np.testing.assert_allclose(found.norm, [3, 1.5, 0.5], atol=1e-6)


def test_what_is_said_of_places_is_said_when_they_were_just_read() -> None:
    encoder = RnnEncoderConfig(
        cell="elman", activation="identity", embed_dim=1, hidden_dim=1, num_layers=1, bidirectional=False, dropout=0.0
    )
    model = Seq2SeqConfig(encoder=encoder, decoder=PlacewiseDecoderConfig(dropout=0.0)).build(Symbols(5), Symbols(5))
    model = model.double()
    cell = model.encoder.stack.layers[0].cell
    for parameter in cell.parameters():
        nn.init.zeros_(parameter)
    cell.weight_ih.data[:], cell.weight_hh.data[:] = 1.0, 0.5
    model.decoder.output.weight.data[:] = torch.tensor([[2.0], [3.0], [-4.0], [1.0], [0.0]])
    sides = dict.fromkeys(("source", "target"), Padded.stack([torch.tensor([1, 2, 0])]))
    found = gradients(model, Batch(sides, [Item({}, 0)]), [Shown("", "", ("a", "7", END), ("a", "7", END))])
    assert found is not None
    np.testing.assert_allclose(found.items[0].norms, [[3, 0, 0], [4 * 0.5, 4, 0], [2 * 0.25, 2 * 0.5, 2]], atol=1e-6)
    assert found.distance.tolist() == [0, 1, 2] and found.pairs.tolist() == [3, 2, 1]
    np.testing.assert_allclose(found.norm, [3, 1.5, 0.5], atol=1e-6)


class Trap(Recurrent):
    """What looks best at first leads to what is worse: greedy takes a, the beam takes b."""

    TABLE: ClassVar = {None: [0.0, 0.6, 0.4], 1: [0.5, 0.25, 0.25], 2: [1.0, 0.0, 0.0]}

    def __init__(self) -> None:
        super().__init__(3)

    def start(self, memory: Memory) -> State:
        return State(steps=torch.zeros_like(memory.item))

    def step(self, memory: Memory, state: State, previous: torch.Tensor) -> tuple[Table, State]:
        keys = [None if step == 0 else last for step, last in zip(state.steps.tolist(), previous.tolist(), strict=True)]
        probabilities = torch.tensor([self.TABLE[key] for key in keys], dtype=torch.float64)
        return Table(probabilities.log()), State(steps=state.steps + 1)


def test_the_tree_of_a_search() -> None:
    model, names = Alone(Trap()), ["⟨end⟩", "a", "b"]

    def run(strategy: Greedy | Beam) -> tuple[list[int], list]:
        memory = Memory(item=torch.zeros(1, dtype=torch.int64))
        found, steps = record(model, lambda: search(model.decoder, memory, strategy=strategy, stop=EndSymbol(4)))
        return found.values[0, 0, : int(found.lengths[0, 0])].tolist(), steps

    greedy, _ = run(Greedy())
    beam, steps = run(Beam(2))
    assert (greedy, beam, parted(greedy, beam)) == ([1, 0], [2, 0], 0)
    (nodes,) = trees(steps, [beam], [names.__getitem__])
    seen = [
        (each.step, each.symbol, round(math.exp(each.log_prob), 6), each.fate, each.best, each.parent) for each in nodes
    ]
    assert seen[:2] == [(1, "a", 0.6, "lives", False, -1), (1, "b", 0.4, "lives", True, -1)]
    assert seen[2:4] == [(2, END, 0.4, "ended", True, 1), (2, END, 0.3, "ended", False, 0)]
    assert {(each[1], each[2], each[5]) for each in seen[4:6]} == {("a", 0.15, 0), ("b", 0.15, 0)}
    table = torch.tensor([[0.6, 0.3, 0.1], [0.2, 0.0, 0.8]]).log()
    one, two = choices(table, [1, 2], names.__getitem__)
    assert (one.said, one.symbols) == ("a", (END, "a", "b")) and one.probability == pytest.approx(0.3)
    assert two.symbols == ("b", END) and two.probabilities == pytest.approx((0.8, 0.2))


def test_errors_by_hand() -> None:
    answers = [
        Answers(("a", "b"), ("a", "c"), np.array([0.95, 0.55]), np.array([0.05, 2.0])),
        Answers(("b",), ("c",), np.array([0.55]), np.array([4.0])),
    ]
    groups, error = calibration(answers)
    assert [(each.low, each.count, each.value, each.expected) for each in groups] == [
        (0.5, 2, 0.0, pytest.approx(0.55)), (0.9, 1, 1.0, pytest.approx(0.95))
    ]  # fmt: skip
    assert error == pytest.approx((2 * 0.55 + 0.05) / 3)
    items = [
        Judged(1, "x", "a c", "a b", 50.0, -1.0, 1.0, 3, (), ("b",)),
        Judged(2, "y", "c", "b", 0.0, -1.0, 4.0, 9, (), ("b",)),
    ]
    found = errors(items, answers, "bleu", True)
    assert [each.place for each in found.items] == [2, 1]
    assert [each.place for each in errors(items, answers, "ter", False).items] == [1, 2]
    assert found.confusions == (("b", "c", 2),) and found.missing == (("b", 2),)
    assert [(each.low, each.count, each.value) for each in found.by_position] == [(1, 2, 2.025), (2, 1, 2.0)]
    assert [(each.low, each.high, each.value) for each in found.by_length] == [(3, 3, 50.0), (9, 9, 0.0)]
    assert sum(each.count for each in by_length([(length, 1.0) for length in range(100)])) == 100
    assert surplus(["a", "b", "b"], ["b", "c"]) == ("a", "b")
    assert repeated(["the", "the", "cat"], ["the", "cat"]) == ("the",)
    assert repeated(["a", "dog"], ["the", "cat"]) == ()


def test_data_and_model_by_hand() -> None:
    (bars,) = {histogram([3, 4, 4])}
    assert [(each.low, each.high, each.count) for each in bars] == [(3, 3, 1), (4, 4, 2)]
    assert sum(each.count for each in histogram(list(range(5, 100)))) == 95
    one = side("source", [3, 5], [["q"], []])
    assert (one.mean, one.longest, one.covered, one.unknown) == (4.0, 5, 0.5, (("q", 1),))
    model = language_model("elman")
    # Tables: 5 symbols. A cell of 1 to 1: W and U, two biases. The output: 5 weights, 5 biases.
    found = {each.name: (each.parameters, each.products) for each in sizes(model)}
    assert found["target embedding"] == (5, 0) and found["output"] == (10, 5)
    assert sum(each for each, _ in found.values()) == sum(each.numel() for each in model.parameters())


def test_properties_and_how_closely_they_are_followed() -> None:
    text = tuple('a (b "c d") 7')
    assert PROPERTIES["inside brackets"](text) == [0, 0, *[1] * 8, 0, 0, 0]
    assert PROPERTIES["inside quotes"](text) == [0, 0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0]
    assert PROPERTIES["length of the word so far"](tuple("ab c")) == [1, 2, 0, 1]
    assert PROPERTIES["length of the line so far"](("ab", "\n", "c")) == [2, 0, 1]
    assert PROPERTIES["a digit"](text)[-1] == 1 and sum(PROPERTIES["a digit"](text)) == 1
    values = np.array([[1.0, 3.0], [2.0, 2.0], [2.0, 2.0], [5.0, 0.0]])
    assert ranks(values).tolist() == [[1, 4], [2.5, 2.5], [2.5, 2.5], [4, 1]]
    # Of the four pairs (so, not so) the first cell has 3 right and one equal, the second the opposite.
    np.testing.assert_allclose(areas(ranks(values), np.array([0.0, 0.0, 1.0, 1.0])), [3.5 / 4, 0.5 / 4])
    np.testing.assert_allclose(correlations(ranks(values[[0, 1, 3]]), np.array([4.0, 6.0, 9.0])), [1, -1])
    assert np.isnan(areas(ranks(values), np.ones(4))).all()
    assert np.isnan(correlations(ranks(values), np.ones(4))).all()


def test_bytes_keep_a_number_to_a_255th_of_the_span() -> None:
    import base64

    def read_back(array: np.ndarray) -> np.ndarray:
        written = as_bytes(array)
        data = np.frombuffer(base64.b64decode(written["bytes"]), np.uint8).reshape(written["shape"])
        return written["low"] + data * (written["high"] - written["low"]) / 255

    array = np.linspace(-2, 3, 100).reshape(10, 10)
    assert np.abs(read_back(array) - array).max() <= 5 / 255 / 2 + 1e-9
    small = array[5:] * 1e-3  # a gradient of a thousandth is no zero
    assert np.abs(read_back(small) - small).max() <= 3e-3 / 255 / 2 + 1e-9
    np.testing.assert_allclose(read_back(np.full((9, 9), 0.25)), 0.25)


def test_numbers_that_are_none_leave_the_report_readable() -> None:
    norms = np.full((10, 10), 2.5e-6)
    norms[0, :2] = np.nan, np.inf
    ends = np.array([np.nan, 1.0])
    seen = Gradients((Connectivity(("a",) * 10, ("b",) * 10, norms),), np.array([0, 1]), ends, np.array([1, 1]))
    found = Inspection("it", "transduce", 1, (Shown("", "", (), ("a",)),), gradients=seen)
    as_json = json.loads(json.dumps(found.as_dict(), allow_nan=False))["gradients"]
    assert as_json["norm"] == [None, 1.0] and as_json["items"][0]["norms"][0][:3] == [None, None, 2.5e-6]
    text = page([found])
    data = text.partition('<script type="application/json" id="data">')[2].partition("</script>")[0]
    told = json.loads(data, parse_constant=pytest.fail)["models"][0]["gradients"]
    assert told["norm"] == [None, 1.0] and told["items"][0]["norms"]["high"] == 2.5e-6
