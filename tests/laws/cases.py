"""The table of all parts: small configurations that cover each part's variants. A line here brings a part all laws.

`tests/laws/test_laws_table.py` sees to it that every entry of the catalogue stands here.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import torch
from torch import Tensor, nn

from anyseq.core import Decoder, Emission, Memory, Padded, PartConfig, Pointers, State, Symbols, Tree, TreeSymbols
from anyseq.data.codecs.characters import CharactersConfig
from anyseq.data.codecs.factored import FactoredConfig
from anyseq.data.codecs.label_set import LabelSetConfig
from anyseq.data.codecs.labels import LabelsConfig
from anyseq.data.codecs.piano_roll import PianoRollConfig
from anyseq.data.codecs.pictures import PicturesConfig
from anyseq.data.codecs.pointers import PointersConfig
from anyseq.data.codecs.points import PointsConfig
from anyseq.data.codecs.sentences import SentencesConfig
from anyseq.data.codecs.series import SeriesConfig
from anyseq.data.codecs.sound import SoundConfig
from anyseq.data.codecs.spelt import SpeltConfig
from anyseq.data.codecs.subwords import SubwordsConfig
from anyseq.data.codecs.tokens import TokensConfig
from anyseq.data.codecs.trees import TreesConfig
from anyseq.data.codecs.words import WordsConfig
from anyseq.data.synthetic.cadences import CadencesConfig
from anyseq.data.synthetic.commands import CommandsConfig
from anyseq.data.synthetic.dates import DatesConfig
from anyseq.data.synthetic.dialogues import DialoguesConfig
from anyseq.data.synthetic.digits import DigitsConfig
from anyseq.data.synthetic.enquiries import EnquiriesConfig
from anyseq.data.synthetic.inflections import InflectionsConfig
from anyseq.data.synthetic.introductions import EntitiesConfig, IntroductionsConfig
from anyseq.data.synthetic.manual import ManualConfig
from anyseq.data.synthetic.names import NamesConfig
from anyseq.data.synthetic.opinions import OpinionsConfig
from anyseq.data.synthetic.origins import OriginsConfig
from anyseq.data.synthetic.phrases import PhrasesConfig
from anyseq.data.synthetic.places import PlacesConfig
from anyseq.data.synthetic.points import PointsConfig as GeneratedPointsConfig
from anyseq.data.synthetic.seasons import SeasonsConfig
from anyseq.data.synthetic.sentences import SentencesConfig as TreesOfSentencesConfig
from anyseq.data.synthetic.spellings import SpellingsConfig
from anyseq.data.synthetic.stories import StoriesConfig
from anyseq.data.synthetic.strings import CopyConfig, ExpandConfig, ReverseConfig
from anyseq.data.synthetic.subjects import SubjectsConfig
from anyseq.data.synthetic.tones import TonesConfig
from anyseq.data.synthetic.typing import TypingConfig
from anyseq.errors import ConfigError
from anyseq.metrics.brackets import BracketScoreConfig
from anyseq.metrics.error_rate import CharacterErrorRateConfig, PhonemeErrorRateConfig, WordErrorRateConfig
from anyseq.metrics.exact_match import ExactMatchConfig
from anyseq.metrics.gleu import GleuConfig
from anyseq.metrics.pointing import OutlineConfig, PointersRightConfig, TourConfig, TrianglesConfig
from anyseq.metrics.sets import LabelF1Config
from anyseq.metrics.surface import BleuConfig, ChrfConfig, TerConfig
from anyseq.metrics.tags import LabelAccuracyConfig, SpanF1Config, TagAccuracyConfig
from anyseq.models.decoders.aligned import (
    AlignedDecoderConfig,
    CrfDecoderConfig,
    LabelDecoderConfig,
    PlacewiseDecoderConfig,
)
from anyseq.models.decoders.attention import AttentionDecoderConfig, RnnAttentionDecoder
from anyseq.models.decoders.base import NOTHING_FOLDED, DecoderConfig, MemoryShape
from anyseq.models.decoders.context import ContextDecoderConfig
from anyseq.models.decoders.conv import ConvDecoderConfig
from anyseq.models.decoders.copying import CopyingDecoder, CopyingDecoderConfig
from anyseq.models.decoders.direct import RepeatDecoderConfig, SegmentsDecoderConfig
from anyseq.models.decoders.pointer import PointerDecoder, PointerDecoderConfig
from anyseq.models.decoders.rnn import Bridge, RnnDecoderConfig, SoftmaxHead
from anyseq.models.decoders.routing import RoutingDecoder, RoutingDecoderConfig
from anyseq.models.decoders.transformer import TransformerDecoderConfig
from anyseq.models.decoders.tree import TreeDecoderConfig
from anyseq.models.decoders.vector import VectorDecoderConfig
from anyseq.models.emissions.bernoulli import BernoulliConfig
from anyseq.models.emissions.normal import NormalConfig, SquaredErrorConfig
from anyseq.models.emissions.quantile import QuantileConfig
from anyseq.models.emissions.student import StudentTConfig
from anyseq.models.encoders.bottleneck import BottleneckConfig
from anyseq.models.encoders.conv import ConvEncoderConfig
from anyseq.models.encoders.dense import DenseEncoderConfig, PictureEncoderConfig
from anyseq.models.encoders.hops import HopsEncoderConfig
from anyseq.models.encoders.rnn import RnnEncoderConfig
from anyseq.models.encoders.segments import SegmentsConfig
from anyseq.models.encoders.transformer import TransformerEncoderConfig
from anyseq.models.ensemble import EnsembleDecoder
from anyseq.nn.attention_scores import AdditiveScores, Everywhere, Reader
from anyseq.nn.cells import Cell
from anyseq.nn.embeddings import FedBack, SymbolEmbedding
from anyseq.nn.recurrent import Causal, RecurrentStack
from anyseq.search import All, Constrained, NoRepeatNgram
from anyseq.training.objectives.carried import CarriedConfig
from anyseq.training.objectives.cross_entropy import CrossEntropyConfig
from anyseq.training.objectives.minimum_risk import MinimumRiskConfig
from anyseq.training.objectives.mixer import MixerConfig
from anyseq.training.objectives.reinforce import ReinforceConfig, SelfCriticalConfig
from anyseq.training.objectives.scheduled_sampling import ScheduledSamplingConfig
from signs import forbidden

BOTH_WAYS = {"pieces": "it looks both ways, so a fold in pieces is refused"}
BACKWARDS = {"pieces": "it begins with the source's end, so a fold in pieces is refused"}
REWARDS = {"targets": "it learns from rewards of what is drawn: tests/rewards"}
UNCONSTRAINED = {"constrained": "the target may be impossible after another symbol than its own: refused"}
ONE_BACK = {"far": "a symbol knows the one before it alone: a chain of the first order"}
NOTHING_BACK = {"fed_back": "it reads nothing of what it said"}
ONE_SYMBOL = {"long": "it says the same wherever it stands: targets of one symbol are learnt by heart"}
PLACEWISE = {"order": "each place is transformed by itself"}
NO_LABEL_SETS = {"texts": "it compares sets of labels: tests/classifying"}
NO_LABELS = {"texts": "it compares what stands in brackets before a text: tests/tagging"}
NO_FACTORS = {"texts": "its tokens have factors: tests/tagging"}
NO_TEXTS = {"texts": "it reads trees, pictures, sound, music, series, points, or labels: tests of their uses"}
POINTERS_INTO = {"texts": "it compares pointers into points: tests/pointing"}
ONE_VECTOR = {"symbols": "its memory has one place, however long the source: tests/autoencoding"}
ONE_OF_NUMBERS = {"symbols": "it emits vectors: tests/classifying"}
POINTERS = {"symbols": "its symbols are the source's elements: `pointing` gives every source as many"}
A_SET = {"order": "a set has no order"}
NO_SYMBOLS = {"symbols": "it reads pictures: tests/media"}
OF_SERIES = {"symbols": "it reads, or says, vectors: tests/forecasting"}
NARROW = {"reach": "places outside the window have no influence: that is what it is for"}


@dataclass(frozen=True)
class Variant:
    """One configuration of a part.

    Attributes:
        config: Small, and unlike its neighbours in what it exercises.
        exceptions: Laws that do not hold for it, with the reason.
    """

    config: Any
    exceptions: Mapping[str, str] = field(default_factory=dict)


def variants(kind: type[PartConfig], *settings: Mapping[str, Any], **common: Any) -> list[Variant]:
    return [Variant(kind(**common, **own)) for own in settings]


STACK = {"embed_dim": 4, "hidden_dim": 6, "num_layers": 2}
# As wide as the recurrent encoders' states.
HANDED_OVER = {"embed_dim": 4, "hidden_dim": 8, "num_layers": 2, "start": "states"}
BLOCKS = {"model_dim": 8, "ffn_dim": 10, "num_layers": 2, "num_heads": 2}
NORMS_AND_POSITIONS = [
    # More places than learned ones are tried too: they share the last.
    {"norm": norm, "positions": positions, "activation": "gelu" if positions == "rotary" else "relu"}
    | ({"max_positions": 4} if positions == "learned" else {})
    for norm, positions in product(("pre", "post"), ("sinusoidal", "learned", "rotary"))
]
# As wide as vectors to look at, and not; what a place of the decoder sees covers the longest target of the laws.
KERNELS = [
    {"embed_dim": 8, "hidden_dim": 6, "num_layers": 3, "kernel_width": 3},
    {"embed_dim": 6, "hidden_dim": 6, "num_layers": 2, "kernel_width": 4, "max_positions": 4},
    {"embed_dim": 4, "hidden_dim": 6, "num_layers": 1, "kernel_width": 7, "positions": "sinusoidal"},
]

POINTING = [
    {**STACK, "attention_dim": 8},
    {**STACK, "cell": "lstm", "glimpses": 1, "clip": 8.0, "attention_dim": 8},
]
ROUTING = RoutingDecoderConfig(model_dim=8, num_heads=2, clip=None)

PARTS: dict[str, dict[str, list[Variant]]] = {
    "encoders": {
        "rnn": [
            *(
                Variant(RnnEncoderConfig(embed_dim=4, hidden_dim=4, num_layers=2, **own), BOTH_WAYS)
                for own in ({"cell": "gru"}, {"cell": "lstm", "connections": "plain"}, {"gru_form": "reset_before"},
                    {"connections": "dense"})
            ),
            Variant(
                RnnEncoderConfig(
                    cell="lstm", embed_dim=4, hidden_dim=8, num_layers=2, bidirectional=False, reverse=True
                ), BACKWARDS,
            ),
            *variants(
                RnnEncoderConfig, {"cell": "gru"}, {"cell": "lstm"}, {"cell": "elman", "connections": "plain"},
                {"cell": "lstm", "activation": "relu"}, {"gru_form": "reset_before"},
                {"cell": "lstm", "connections": "dense"},
                embed_dim=4, hidden_dim=8, num_layers=2, bidirectional=False,
            ),
        ],
        "transformer": [
            *(Variant(TransformerEncoderConfig(**BLOCKS, **own), BOTH_WAYS) for own in NORMS_AND_POSITIONS),
            Variant(TransformerEncoderConfig(positions="none", **BLOCKS), BOTH_WAYS | A_SET),
        ],
        "conv": [Variant(ConvEncoderConfig(**own), BOTH_WAYS) for own in KERNELS],
        "dense": [Variant(DenseEncoderConfig(hidden_dim=8, num_layers=n, dropout=0.0), PLACEWISE) for n in (2, 3)],
        "picture": [Variant(PictureEncoderConfig(), NO_SYMBOLS)],
        "bottleneck": [Variant(BottleneckConfig(encoder=DenseEncoderConfig()), ONE_VECTOR)],
        "segments": [Variant(SegmentsConfig(encoder=DenseEncoderConfig()), OF_SERIES)],
        "hops": [
            Variant(HopsEncoderConfig(model_dim=8, **own), BACKWARDS) for own in (
                {"hops": 2}, {"max_positions": 3}, {"looks_back": 0}, {"looks_back": 2})
        ],
    },
    "decoders": {
        "rnn": [
            *variants(
                RnnDecoderConfig, {}, {"cell": "lstm", "connections": "plain"},
                {"cell": "elman", "activation": "relu", "tied": False}, {"gru_form": "reset_before"},
                {"activation": "identity"}, {"cell": "lstm", "connections": "dense"}, **STACK,
            ),
            *variants(RnnDecoderConfig, {"cell": "lstm"}, {"connections": "dense"}, **HANDED_OVER),
        ],
        "context": variants(
            ContextDecoderConfig, {}, {"cell": "lstm", "connections": "dense", "tied": False},
            {"gru_form": "reset_before", "connections": "plain"}, **STACK,
        ),
        "attention": [
            *variants(
                AttentionDecoderConfig, {"cell": "lstm"}, {"scores": "additive", "attention_dim": 3, "tied": False},
                {"input_feeding": True}, {"cell": "lstm", "input_feeding": True, "scores": "additive"},
                {"input_feeding": True, "connections": "dense"}, {"local_window": 10},
                {"local_window": 5, "input_feeding": True, "scores": "additive"}, **STACK,
            ),
            Variant(AttentionDecoderConfig(local_window=1, **STACK), NARROW),
            *variants(AttentionDecoderConfig, {"cell": "lstm", "input_feeding": True}, **HANDED_OVER),
            *variants(
                AttentionDecoderConfig, {"num_layers": 2},
                {"gru_form": "reset_before", "input_feeding": True}, scores="dot", embed_dim=4, hidden_dim=8,
            ),
        ],
        "transformer": variants(
            TransformerDecoderConfig, *({**own, "tied": tied} for own in NORMS_AND_POSITIONS for tied in (True, False)),
            **BLOCKS,
        ),
        "conv": variants(ConvDecoderConfig, *KERNELS, {**KERNELS[0], "tied": False}),
        "placewise": [
            Variant(PlacewiseDecoderConfig(label=label), NOTHING_BACK) for label in (None, "mean")
        ],
        "aligned": [Variant(AlignedDecoderConfig(label=label), ONE_BACK) for label in (None, "attention")],
        "crf": [Variant(CrfDecoderConfig(label=label), ONE_BACK) for label in (None, "max")],
        "label": [
            Variant(LabelDecoderConfig(pooling=pooling), ONE_BACK | ONE_SYMBOL)
            for pooling in ("max", "mean", "attention")
        ],
        "pointer": [Variant(PointerDecoderConfig(**own), POINTERS) for own in POINTING],
        "routing": [Variant(ROUTING, POINTERS)],
        "vector": [Variant(VectorDecoderConfig(emission=NormalConfig()), ONE_OF_NUMBERS)],
        "direct": [Variant(SegmentsDecoderConfig(emission=NormalConfig()), OF_SERIES)],
        "repeat": [Variant(RepeatDecoderConfig(emission=NormalConfig()), OF_SERIES)],
        "tree": variants(TreeDecoderConfig, {"cell": "lstm"}, {"levels": 1, "tied": False}, **STACK),
        "copying": variants(
            CopyingDecoderConfig, *(
                {"decoder": decoder} for decoder in (
                    AttentionDecoderConfig(**STACK), AttentionDecoderConfig(input_feeding=True, tied=False, **STACK),
                    TransformerDecoderConfig(**BLOCKS), ConvDecoderConfig(**KERNELS[0]),
                )
            ),
        ),
    },
    "emissions": {
        "normal": variants(NormalConfig, {}),
        "bernoulli": variants(BernoulliConfig, {}),
        "squared_error": variants(SquaredErrorConfig, {}, {"deviation": 0.3}),
        "student_t": variants(StudentTConfig, {}),
        "quantile": variants(QuantileConfig, {}, {"levels": (0.2, 0.7)}),
    },
    "objectives": {
        "cross_entropy": variants(CrossEntropyConfig, {"label_smoothing": 0.0}, {"label_smoothing": 0.3}),
        "carried": variants(CarriedConfig, {"label_smoothing": 0.3}),
        **{
            kind: [Variant(config(reward=ExactMatchConfig()), REWARDS)]
            for kind, config in {
                "reinforce": ReinforceConfig, "self_critical": SelfCriticalConfig,
                "minimum_risk": MinimumRiskConfig, "mixer": MixerConfig,
            }.items()
        },
        "scheduled_sampling": [
            Variant(ScheduledSamplingConfig(**own), UNCONSTRAINED)
            for own in (
                {"decay": "linear", "decay_steps": 9, "label_smoothing": 0.0},  # updates 7 of the laws: ε = 2/9
                {"decay": "inverse_sigmoid", "decay_steps": 3, "sample": False, "least": 0.1},
                {"decay": "exponential", "decay_steps": 9, "passes": 3},
            )
        ],
    },
    "codecs": {
        "characters": variants(CharactersConfig, {}, {"unicode": "nfkc", "case": "lower", "squeeze": False}),
        "words": variants(
            WordsConfig, {"min_count": 1}, {"min_count": 1, "squeeze": False, "unicode": "none"},
            {"min_count": 2, "max_size": 20, "case": "lower"},
        ),
        "subwords": variants(
            SubwordsConfig, {"vocab_size": 150},
            {"vocab_size": 400, "byte_fallback": True, "squeeze": False, "unicode": "none"},
            {"vocab_size": 400, "byte_fallback": True, "nbest_size": 4},
            {"vocab_size": 150, "model_type": "bpe", "case": "lower"},
            {"vocab_size": 450, "model_type": "bpe", "byte_fallback": True},
            {"vocab_size": 450, "model_type": "bpe", "byte_fallback": True, "bpe_dropout": 0.3},
        ),
        "tokens": variants(TokensConfig, {}, {"min_count": 2, "case": "lower", "unicode": "nfkc"}),
        "labels": variants(LabelsConfig, {}),
        "label_set": [Variant(LabelSetConfig(), NO_TEXTS)],
        "trees": [Variant(TreesConfig(tags=tags), NO_TEXTS) for tags in (False, True)],
        "pictures": [Variant(PicturesConfig(), NO_TEXTS)],
        "sound": [Variant(SoundConfig(), NO_TEXTS)],
        "sentences": [
            Variant(SentencesConfig(min_count=1, **own), NO_TEXTS) for own in ({}, {"longest": 3, "case": "lower"})
        ],
        "factored": [Variant(FactoredConfig(base=TokensConfig()), NO_FACTORS)],
        "piano_roll": [Variant(PianoRollConfig(), NO_TEXTS)],
        "series": [Variant(SeriesConfig(), NO_TEXTS)],
        "points": [Variant(PointsConfig(), NO_TEXTS)],
        "pointers": [Variant(PointersConfig(), NO_TEXTS)],
        "spelt": variants(SpeltConfig, {}, {"min_count": 1, "longest": 3, "case": "lower"}),
    },
    "metrics": {
        "bleu": variants(BleuConfig, {}),
        "chrf": variants(ChrfConfig, {}),
        "gleu": variants(GleuConfig, {}),
        "ter": variants(TerConfig, {}),
        "exact_match": variants(ExactMatchConfig, {}),
        "word_error_rate": variants(WordErrorRateConfig, {}),
        "phoneme_error_rate": variants(PhonemeErrorRateConfig, {}),
        "character_error_rate": variants(CharacterErrorRateConfig, {}),
        "accuracy": variants(TagAccuracyConfig, {}),
        "brackets": variants(
            BracketScoreConfig, *({"measured": measured} for measured in ("f1", "precision", "recall", "complete"))
        ),
        "f1": variants(SpanF1Config, {}),
        "pointers_right": [Variant(PointersRightConfig(), POINTERS_INTO)],
        "outline": [Variant(OutlineConfig(measured=each), POINTERS_INTO) for each in ("accuracy", "area", "simple")],
        "triangles": [Variant(TrianglesConfig(measured=each), POINTERS_INTO) for each in ("accuracy", "coverage")],
        "tour": [Variant(TourConfig(measured=each), POINTERS_INTO) for each in ("gap", "length", "valid")],
        "label_f1": [Variant(LabelF1Config(), NO_LABEL_SETS)],
        "label_accuracy": [Variant(LabelAccuracyConfig(), NO_LABELS)],
    },
    "generators": {
        "copy": variants(CopyConfig, {}),
        "reverse": variants(ReverseConfig, {}),
        "expand": variants(ExpandConfig, {}),
        "dates": variants(DatesConfig, {}),
        "phrases": variants(PhrasesConfig, {}),
        "introductions": variants(IntroductionsConfig, {}),
        "origins": variants(OriginsConfig, {}),
        "entities": variants(EntitiesConfig, {}),
        "opinions": variants(OpinionsConfig, {}),
        "sentences": variants(TreesOfSentencesConfig, {}),
        "enquiries": variants(EnquiriesConfig, {}),
        "places": variants(PlacesConfig, {}),
        "commands": variants(CommandsConfig, {}),
        "names": variants(NamesConfig, {}),
        "digits": variants(DigitsConfig, {}),
        "tones": variants(TonesConfig, {}),
        "subjects": variants(SubjectsConfig, {}),
        "typing": variants(TypingConfig, {}),
        "manual": variants(ManualConfig, {}),
        "stories": variants(StoriesConfig, {}, {"facts": 2}, {"facts": 3}),
        "dialogues": variants(DialoguesConfig, {}),
        "spellings": variants(SpellingsConfig, {}),
        "inflections": variants(InflectionsConfig, {}),
        "cadences": variants(CadencesConfig, {}),
        "seasons": variants(SeasonsConfig, {}, {"variables": 2}, {"every": "hour"}),
        "points": variants(
            GeneratedPointsConfig, {}, {"problem": "delaunay"}, {"problem": "tour", "least": 3, "most": 8},
            {"problem": "sort", "least": 1}, {"problem": "tour", "exact": False},
        ),
    },
}  # fmt: skip


def named(section: str) -> dict[str, Variant]:
    """All variants of a section's parts, each with a name that says what is special about it."""

    def walk() -> Iterator[tuple[str, Variant]]:
        for kind, variants in PARTS[section].items():
            base = variants[0].config.model_dump()
            for number, variant in enumerate(variants):
                own = [f"{key}={value}" for key, value in variant.config.model_dump().items() if value != base[key]]
                yield f"{kind}{number}[{','.join(own)}]", variant

    return dict(walk())


ENCODERS = {name: each for name, each in named("encoders").items() if "symbols" not in each.exceptions}


class AverageCell(Cell):
    """A user's own: the state moves half-way to a map of the input, and counts."""

    def __init__(self, input_dim: int, hidden_dim: int) -> None:
        super().__init__(input_dim, hidden_dim)
        self.map = nn.Linear(input_dim, hidden_dim)

    def start(self, like: Tensor) -> Tree:
        return super().start(like).replace(count=like.new_zeros(like.shape[0]))

    def step(self, x: Tensor, state: Tree) -> Tree:
        h = (state.h + self.map(x).sin()) / (2 + 0.1 * state.count[:, None])
        return Tree(h=h, count=state.count + 1)


def own_cell(
    memory: MemoryShape, target: Symbols, kind: type[RnnAttentionDecoder] = RnnAttentionDecoder
) -> RnnAttentionDecoder:
    """A decoder by hand, around a cell of one's own."""
    embed = SymbolEmbedding(target.vocab_size, 4)
    stack = RecurrentStack([Causal(AverageCell(4, 6))])
    return kind(
        fed_back=FedBack(embed, 4),
        stack=stack,
        first=Bridge(memory.summary_dim, stack),
        reader=Reader(AdditiveScores(6, memory.vectors_dim, 3), Everywhere(), 4),
        head=SoftmaxHead(nn.Linear(4, target.vocab_size), 0.0),
    )


def alone(config: DecoderConfig) -> Callable[[MemoryShape, Symbols], Decoder]:
    """A decoder that reads nothing of the memory."""
    return lambda memory, target: config.build(NOTHING_FOLDED, target)


def constrained(config: DecoderConfig) -> Callable[[MemoryShape, Symbols], Decoder]:
    """A decoder under a constraint of the model that has memory; symbol 1 never follows itself, 2 never 3."""

    def build(memory: MemoryShape, target: Symbols) -> Decoder:
        symbols = target.vocab_size
        constraint = All([NoRepeatNgram(2, symbols), forbidden([[1, 1], [3, 2]], symbols)])
        return Constrained(config.build(memory, target), constraint)

    return build


class OverOneMemory(EnsembleDecoder):
    """An ensemble whose members read the one memory that the laws give to every decoder."""

    def prepare(self, memory: Memory) -> Memory:
        return super().prepare(memory.replace(**{f"member{i}": memory for i in range(len(self.members))}))


def ensemble(*configs: DecoderConfig) -> Callable[[MemoryShape, Symbols], Decoder]:
    """The decoders of these configurations as one."""
    return lambda memory, target: OverOneMemory([config.build(memory, target) for config in configs])


class CopyingOwn(CopyingDecoder):
    """The last symbol is each source's own: the decoder inside does not have it."""

    def prepare(self, memory: Memory) -> Memory:
        one = memory.item[:, None]
        return super().prepare(memory.replace(own=Padded(one, torch.ones_like(one, dtype=torch.bool))))


def copying_own(config: DecoderConfig) -> Callable[[MemoryShape, Symbols], Decoder]:
    def build(memory: MemoryShape, target: Symbols) -> Decoder:
        fewer = Symbols(target.vocab_size - 1)
        return CopyingOwn(config.build(memory, fewer), memory.vectors_dim, fewer)

    return build


def in_brackets(config: TreeDecoderConfig) -> Callable[[MemoryShape, Symbols], Decoder]:
    """A decoder of trees over a stream that writes some: 2 opens a bracket, 3 closes it, the others take an element."""

    def build(memory: MemoryShape, target: Symbols) -> Decoder:
        closed_by = [3 if symbol == 2 else 0 for symbol in range(target.vocab_size)]
        takes = [symbol not in (0, 2, 3) for symbol in range(target.vocab_size)]
        return config.build(memory, TreeSymbols(target.vocab_size, closed_by=tuple(closed_by), takes=tuple(takes)))

    return build


class PointingAtSymbols(Decoder):
    """Every source has as many places to point at as there are symbols besides the end, all made of its memory."""

    def __init__(self, decoder: PointerDecoder | RoutingDecoder, places: int) -> None:
        super().__init__()
        self.decoder, self.places = decoder, places

    def prepare(self, memory: Memory) -> Memory:
        real = memory.vectors.masked_fill(~memory.valid[:, :, None], 0)
        mean = real.sum(1, keepdim=True) / memory.valid.sum(1)[:, None, None]
        apart = torch.arange(self.places * mean.shape[2]).view(self.places, -1).to(mean).sin()
        valid = torch.ones(memory.rows, self.places, dtype=torch.bool, device=mean.device)
        prepared = self.decoder.prepare(memory.replace(vectors=mean + apart, valid=valid))
        return prepared.replace(vectors=memory.vectors, valid=memory.valid)

    def start(self, memory: Memory) -> State:
        return self.decoder.start(memory)

    def step(self, memory: Memory, state: State, previous: Tensor) -> tuple[Emission, State]:
        return self.decoder.step(memory, state, previous)

    def unroll(
        self, memory: Memory, target: Padded, state: State | None = None, previous: Tensor | None = None
    ) -> tuple[Emission, State]:
        return self.decoder.unroll(memory, target, state, previous)


def pointing(config: PointerDecoderConfig | RoutingDecoderConfig) -> Callable[[MemoryShape, Symbols], Decoder]:
    return lambda memory, target: PointingAtSymbols(config.build(memory, Pointers()), target.vocab_size - 1)


# The catalogue's decoders, and what can be built of them.
DECODERS: dict[str, Callable[[MemoryShape, Symbols], Decoder]] = {
    **{name: each.config.build for name, each in named("decoders").items() if "symbols" not in each.exceptions},
    "own cell": own_cell,
    "constrained attention": constrained(AttentionDecoderConfig(input_feeding=True, **STACK)),
    "constrained transformer": constrained(TransformerDecoderConfig(positions="rotary", **BLOCKS)),
    "ensemble": ensemble(AttentionDecoderConfig(cell="lstm", **STACK), TransformerDecoderConfig(**BLOCKS)),
    "ensemble that does not attend": ensemble(TransformerDecoderConfig(**BLOCKS), RnnDecoderConfig(**STACK)),
    "tree in brackets": in_brackets(TreeDecoderConfig(cell="lstm", **STACK)),
    "pointing without a recurrence": pointing(ROUTING),
    "pointing": pointing(PointerDecoderConfig(**POINTING[0])),
    "pointing after a glimpse, clipped": pointing(PointerDecoderConfig(**POINTING[1])),
    "constrained copying": constrained(CopyingDecoderConfig(decoder=AttentionDecoderConfig(**STACK))),
    "copying own symbols, attention": copying_own(AttentionDecoderConfig(input_feeding=True, **STACK)),
    # One head: two that look at different places for good are a dead end that law 17 meets now and then.
    "copying own symbols, transformer": copying_own(TransformerDecoderConfig(**{**BLOCKS, "num_heads": 1})),
}


# Laws that a decoder of that table is free of, with the reason.
FREE_OF: dict[str, Mapping[str, str]] = {
    **{name: each.exceptions for name, each in named("decoders").items()},
    "pointing without a recurrence": {
        "far": "of what came before the last it sees what is left",
        "long": "it does not count what comes again",
    },
}


# Those of language models: no part of a model with an encoder.
ALONE: dict[str, Callable[[MemoryShape, Symbols], Decoder]] = {
    "rnn alone": alone(RnnDecoderConfig(cell="lstm", **STACK)),
    "transformer alone": alone(TransformerDecoderConfig(positions="rotary", **BLOCKS)),
}


def unlike_new(module: nn.Module, dtype: torch.dtype = torch.float64) -> nn.Module:
    """Weights a little off what they start with (biases that are 0 hide what they do), in evaluation mode."""
    module = module.to(torch.float64).eval()
    for parameter in module.parameters():
        parameter.data.add_(0.3 * torch.randn_like(parameter))
    return module.to(dtype)


def rotated(firsts: Sequence[str], seconds: Sequence[str]) -> list[tuple[str, str]]:
    """Pairs in which every name of both stands at least once; a second that a first does not suit gets the next."""
    pairs = []
    for i in range(max(len(firsts), len(seconds))):
        second = seconds[i % len(seconds)]
        turned = [firsts[(i + further) % len(firsts)] for further in range(len(firsts))]
        pairs.append((next(first for first in turned if fits(first, second)), second))
    missing = [first for first in firsts if first not in dict(pairs)]
    return pairs + [(first, next(second for second in seconds if fits(first, second))) for first in missing]


@functools.cache
def fits(encoder: str, decoder: str) -> bool:
    """Whether the two can be put together."""
    try:
        DECODERS[decoder](MemoryShape.of(ENCODERS[encoder].config.build(Symbols(5))), Symbols(5))
    except ConfigError:
        return False
    return True
