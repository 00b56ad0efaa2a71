"""The literal table of all parts and recipes. Entries are strings: nothing is imported until it is asked for."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType
from typing import TYPE_CHECKING

from anyseq.errors import ConfigError

if TYPE_CHECKING:
    from anyseq.core.parts import PartConfig

PARTS: dict[str, dict[str, str]] = {
    "codecs": {
        "characters": "anyseq.data.codecs.characters:CharactersConfig",
        "words": "anyseq.data.codecs.words:WordsConfig",
        "subwords": "anyseq.data.codecs.subwords:SubwordsConfig",
        "tokens": "anyseq.data.codecs.tokens:TokensConfig",
        "spelt": "anyseq.data.codecs.spelt:SpeltConfig",
        "factored": "anyseq.data.codecs.factored:FactoredConfig",
        "trees": "anyseq.data.codecs.trees:TreesConfig",
        "labels": "anyseq.data.codecs.labels:LabelsConfig",
        "label_set": "anyseq.data.codecs.label_set:LabelSetConfig",
        "pictures": "anyseq.data.codecs.pictures:PicturesConfig",
        "sound": "anyseq.data.codecs.sound:SoundConfig",
        "sentences": "anyseq.data.codecs.sentences:SentencesConfig",
        "piano_roll": "anyseq.data.codecs.piano_roll:PianoRollConfig",
        "points": "anyseq.data.codecs.points:PointsConfig",
        "pointers": "anyseq.data.codecs.pointers:PointersConfig",
    },
    "encoders": {
        "rnn": "anyseq.models.encoders.rnn:RnnEncoderConfig",
        "transformer": "anyseq.models.encoders.transformer:TransformerEncoderConfig",
        "conv": "anyseq.models.encoders.conv:ConvEncoderConfig",
        "bottleneck": "anyseq.models.encoders.bottleneck:BottleneckConfig",
        "dense": "anyseq.models.encoders.dense:DenseEncoderConfig",
        "picture": "anyseq.models.encoders.dense:PictureEncoderConfig",
        "hops": "anyseq.models.encoders.hops:HopsEncoderConfig",
    },
    "decoders": {
        "rnn": "anyseq.models.decoders.rnn:RnnDecoderConfig",
        "context": "anyseq.models.decoders.context:ContextDecoderConfig",
        "attention": "anyseq.models.decoders.attention:AttentionDecoderConfig",
        "transformer": "anyseq.models.decoders.transformer:TransformerDecoderConfig",
        "conv": "anyseq.models.decoders.conv:ConvDecoderConfig",
        "copying": "anyseq.models.decoders.copying:CopyingDecoderConfig",
        "aligned": "anyseq.models.decoders.aligned:AlignedDecoderConfig",
        "crf": "anyseq.models.decoders.aligned:CrfDecoderConfig",
        "tree": "anyseq.models.decoders.tree:TreeDecoderConfig",
        "label": "anyseq.models.decoders.aligned:LabelDecoderConfig",
        "vector": "anyseq.models.decoders.vector:VectorDecoderConfig",
        "pointer": "anyseq.models.decoders.pointer:PointerDecoderConfig",
    },
    "emissions": {
        "normal": "anyseq.models.emissions.normal:NormalConfig",
        "bernoulli": "anyseq.models.emissions.bernoulli:BernoulliConfig",
    },
    "objectives": {
        "cross_entropy": "anyseq.training.objectives.cross_entropy:CrossEntropyConfig",
        "carried": "anyseq.training.objectives.carried:CarriedConfig",
        "scheduled_sampling": "anyseq.training.objectives.scheduled_sampling:ScheduledSamplingConfig",
        "reinforce": "anyseq.training.objectives.reinforce:ReinforceConfig",
        "self_critical": "anyseq.training.objectives.reinforce:SelfCriticalConfig",
        "minimum_risk": "anyseq.training.objectives.minimum_risk:MinimumRiskConfig",
        "mixer": "anyseq.training.objectives.mixer:MixerConfig",
    },
    "metrics": {
        "bleu": "anyseq.metrics.surface:BleuConfig",
        "chrf": "anyseq.metrics.surface:ChrfConfig",
        "ter": "anyseq.metrics.surface:TerConfig",
        "exact_match": "anyseq.metrics.exact_match:ExactMatchConfig",
        "word_error_rate": "anyseq.metrics.error_rate:WordErrorRateConfig",
        "phoneme_error_rate": "anyseq.metrics.error_rate:PhonemeErrorRateConfig",
        "character_error_rate": "anyseq.metrics.error_rate:CharacterErrorRateConfig",
        "accuracy": "anyseq.metrics.tags:TagAccuracyConfig",
        "brackets": "anyseq.metrics.brackets:BracketScoreConfig",
        "label_accuracy": "anyseq.metrics.tags:LabelAccuracyConfig",
        "label_f1": "anyseq.metrics.sets:LabelF1Config",
        "f1": "anyseq.metrics.tags:SpanF1Config",
        "pointers_right": "anyseq.metrics.pointing:PointersRightConfig",
        "outline": "anyseq.metrics.pointing:OutlineConfig",
        "triangles": "anyseq.metrics.pointing:TrianglesConfig",
        "tour": "anyseq.metrics.pointing:TourConfig",
    },
    "constraints": {},
    "generators": {
        "copy": "anyseq.data.synthetic.strings:CopyConfig",
        "reverse": "anyseq.data.synthetic.strings:ReverseConfig",
        "expand": "anyseq.data.synthetic.strings:ExpandConfig",
        "dates": "anyseq.data.synthetic.dates:DatesConfig",
        "phrases": "anyseq.data.synthetic.phrases:PhrasesConfig",
        "introductions": "anyseq.data.synthetic.introductions:IntroductionsConfig",
        "origins": "anyseq.data.synthetic.origins:OriginsConfig",
        "opinions": "anyseq.data.synthetic.opinions:OpinionsConfig",
        "enquiries": "anyseq.data.synthetic.enquiries:EnquiriesConfig",
        "sentences": "anyseq.data.synthetic.sentences:SentencesConfig",
        "spellings": "anyseq.data.synthetic.spellings:SpellingsConfig",
        "inflections": "anyseq.data.synthetic.inflections:InflectionsConfig",
        "places": "anyseq.data.synthetic.places:PlacesConfig",
        "commands": "anyseq.data.synthetic.commands:CommandsConfig",
        "digits": "anyseq.data.synthetic.digits:DigitsConfig",
        "tones": "anyseq.data.synthetic.tones:TonesConfig",
        "names": "anyseq.data.synthetic.names:NamesConfig",
        "manual": "anyseq.data.synthetic.manual:ManualConfig",
        "stories": "anyseq.data.synthetic.stories:StoriesConfig",
        "dialogues": "anyseq.data.synthetic.dialogues:DialoguesConfig",
        "entities": "anyseq.data.synthetic.introductions:EntitiesConfig",
        "cadences": "anyseq.data.synthetic.cadences:CadencesConfig",
        "points": "anyseq.data.synthetic.points:PointsConfig",
    },
    "tasks": {
        "translate": "anyseq.tasks.translate.task:TranslateConfig",
        "transduce": "anyseq.tasks.transduce.task:TransduceConfig",
        "tag": "anyseq.tasks.tag.task:TagConfig",
        "parse": "anyseq.tasks.parse.task:ParseConfig",
        "classify": "anyseq.tasks.classify.task:ClassifyConfig",
        "autoencode": "anyseq.tasks.autoencode.task:AutoencodeConfig",
        "language_model": "anyseq.tasks.language_model.task:LanguageModelConfig",
        "contiguous": "anyseq.tasks.language_model.contiguous:ContiguousConfig",
        "answer": "anyseq.tasks.answer.task:AnswerConfig",
        "music": "anyseq.tasks.music.task:MusicConfig",
        "spot": "anyseq.tasks.spot.settings:SpotConfig",
        "point": "anyseq.tasks.point.task:PointConfig",
    },
}


@dataclass(frozen=True)
class Recipe:
    """One line of `anyseq recipes`.

    Attributes:
        resource: Where the YAML lies: "package:file".
        shape: What goes in and what comes out.
        description: What is trained.
        data: What it trains on when no data is given.
    """

    resource: str
    shape: str
    description: str
    data: str

    @property
    def path(self) -> Path:
        """The YAML file. Found without importing its package, which would import torch."""
        package, _, name = self.resource.partition(":")
        return Path(__file__).parent.joinpath(*package.split(".")[1:], name)


RECIPES: dict[str, Recipe] = {
    "translate/attention": Recipe(
        "anyseq.tasks.translate:attention.yaml",
        "text → text",
        "bidirectional GRU encoder, GRU decoder with attention, joint subwords",
        "generated phrases",
    ),
    "translate/transformer": Recipe(
        "anyseq.tasks.translate:transformer.yaml", "text → text", "Transformer, joint subwords", "generated phrases"
    ),
    "translate/conv": Recipe(
        "anyseq.tasks.translate:conv.yaml",
        "text → text",
        "gated convolutions, attention in every decoder layer, joint subwords",
        "generated phrases",
    ),
    "translate/plain": Recipe(
        "anyseq.tasks.translate:plain.yaml",
        "text → text",
        "recurrent encoder and decoder joined by one vector alone",
        "generated phrases",
    ),
    "translate/sutskever": Recipe(
        "anyseq.tasks.translate:sutskever.yaml",
        "text → text",
        "deep LSTM encoder and decoder, the source read backwards, all layers' states handed over",
        "generated phrases",
    ),
    "translate/cho": Recipe(
        "anyseq.tasks.translate:cho.yaml",
        "text → text",
        "GRU encoder; GRU decoder that reads the source's one vector at every step, maxout output",
        "generated phrases",
    ),
    "translate/copying": Recipe(
        "anyseq.tasks.translate:copying.yaml",
        "text → text",
        "recurrent, whole words; what no vocabulary has is copied from the source (pointer-generator)",
        "generated sentences with invented names",
    ),
    "transduce/pairs": Recipe(
        "anyseq.tasks.transduce:pairs.yaml",
        "characters → characters",
        "any table of short pairs, by characters; GRU with attention",
        "dates, generated from CLDR (extra: examples)",
    ),
    "transduce/dates": Recipe(
        "anyseq.tasks.transduce:dates.yaml",
        "characters → characters",
        "dates as people write them, in 48 languages, to ISO 8601; GRU with attention",
        "generated from CLDR (extra: examples)",
    ),
    "transduce/copy": Recipe(
        "anyseq.tasks.transduce:copy.yaml", "characters → characters", "repeat the source", "generated strings"
    ),
    "transduce/reverse": Recipe(
        "anyseq.tasks.transduce:reverse.yaml",
        "characters → characters",
        "the source from back to front",
        "generated strings",
    ),
    "classify/characters": Recipe(
        "anyseq.tasks.classify:characters.yaml",
        "text → label",
        "short texts by their characters: languages, kinds of names; convolutions",
        "names of countries, CLDR: which language is it? (extra: examples)",
    ),
    "classify/words": Recipe(
        "anyseq.tasks.classify:words.yaml",
        "text → label",
        "texts by their words: sentiment, topic; bidirectional GRU, the largest value of each channel",
        "generated opinions, with negations and changes of mind",
    ),
    "classify/labels": Recipe(
        "anyseq.tasks.classify:labels.yaml",
        "text → labels",
        "several labels for a text by its words, each for itself; bidirectional GRU",
        "generated enquiries about several things at once",
    ),
    "classify/linear": Recipe(
        "anyseq.tasks.classify:linear.yaml",
        "picture → label",
        "one linear layer and a softmax: the least there is",
        "scikit-learn's handwritten digits (extra: examples)",
    ),
    "classify/dense": Recipe(
        "anyseq.tasks.classify:dense.yaml",
        "picture → label",
        "two dense layers of 256",
        "scikit-learn's handwritten digits (extra: examples)",
    ),
    "classify/pictures": Recipe(
        "anyseq.tasks.classify:pictures.yaml",
        "picture → label",
        "a small convolution",
        "scikit-learn's handwritten digits (extra: examples)",
    ),
    "classify/rows": Recipe(
        "anyseq.tasks.classify:rows.yaml",
        "picture → label",
        "its rows read one by one; GRU",
        "scikit-learn's handwritten digits (extra: examples)",
    ),
    "classify/sounds": Recipe(
        "anyseq.tasks.classify:sounds.yaml",
        "sound → label",
        "recordings as log-mel frames; bidirectional GRU",
        "a telephone's keys in noise, generated",
    ),
    "answer/attention": Recipe(
        "anyseq.tasks.answer:attention.yaml",
        "text → text",
        "a question over a story: it looks at the sentences in several hops (memory network)",
        "generated stories: who is where, who has what",
    ),
    "answer/plain": Recipe(
        "anyseq.tasks.answer:plain.yaml",
        "text → text",
        "the same without attention: GRU, the story in one vector",
        "generated stories",
    ),
    "answer/dialogue": Recipe(
        "anyseq.tasks.answer:dialogue.yaml",
        "text → text",
        "the next turn of a dialogue from the last ones (`predict --interactive`); GRU with attention that copies",
        "generated small talk with somebody who remembers",
    ),
    "tag/aligned": Recipe(
        "anyseq.tasks.tag:aligned.yaml",
        "tokens → a tag each",
        "bidirectional GRU over words and their characters, a softmax at each",
        "generated sentences with names of people and places",
    ),
    "tag/crf": Recipe(
        "anyseq.tasks.tag:crf.yaml",
        "tokens → a tag each",
        "the same, all tags of a sentence together (CRF), spans in IOB",
        "generated sentences with names of people and places",
    ),
    "autoencode/text": Recipe(
        "anyseq.tasks.autoencode:text.yaml",
        "text → itself",
        "a text in one vector and back: its fingerprint, for `anyseq embed`; GRU",
        "generated phrases",
    ),
    "language_model/names": Recipe(
        "anyseq.tasks.language_model:names.yaml",
        "nothing → text",
        "names, letter by letter, from nothing or from their beginning on; GRU",
        "names of countries and languages in 14 languages, CLDR (extra: examples)",
    ),
    "language_model/text": Recipe(
        "anyseq.tasks.language_model:text.yaml",
        "nothing → text",
        "one long text by characters, the state carried from piece to piece; LSTM",
        "Python's manual of its language",
    ),
    "parse/guided": Recipe(
        "anyseq.tasks.parse:guided.yaml",
        "tokens → a tree over them",
        "bidirectional LSTM over words and their characters; an LSTM that reads where it writes; always a tree",
        "generated English sentences",
    ),
    "parse/attention": Recipe(
        "anyseq.tasks.parse:attention.yaml",
        "tokens → a tree over them",
        "LSTMs with attention: trees as a foreign language, repaired where they are none",
        "generated English sentences",
    ),
    "parse/plain": Recipe(
        "anyseq.tasks.parse:plain.yaml",
        "tokens → a tree over them",
        "the same without attention, the sentence read backwards",
        "generated English sentences",
    ),
    "tag/intents": Recipe(
        "anyseq.tasks.tag:intents.yaml",
        "tokens → a label and a tag each",
        "what a command wants, and the words that say of what: the same, with a label before the tags",
        "generated commands with invented titles and towns",
    ),
    "tag/wake_word": Recipe(
        "anyseq.tasks.spot:wake_word.yaml",
        "sound → when a word is said",
        "a wake word in sound that goes on, heard as it comes (`predict --input -`); causal GRU",
        "a telephone's keys in noise and babble, generated",
    ),
    "transduce/expand": Recipe(
        "anyseq.tasks.transduce:expand.yaml",
        "characters → characters",
        "a3b2 → aaabb: outputs up to ten times the input",
        "generated strings",
    ),
    "transduce/pronounce": Recipe(
        "anyseq.tasks.transduce:pronounce.yaml",
        "characters → tokens",
        "letters to sounds, any of several pronunciations is right; LSTM with attention",
        "generated words in an English-like orthography",
    ),
    "transduce/inflect": Recipe(
        "anyseq.tasks.transduce:inflect.yaml",
        "characters and features → characters",
        "a lemma and features to the inflected form; LSTM with attention",
        "generated nouns and verbs with vowel harmony and consonant gradation",
    ),
    "point/hull": Recipe(
        "anyseq.tasks.point:hull.yaml",
        "points → some of them",
        "the convex hull of points, of any number; Transformer, pointer decoder (Ptr-Net)",
        "points and their hulls, drawn anew for every epoch",
    ),
    "point/delaunay": Recipe(
        "anyseq.tasks.point:delaunay.yaml",
        "points → some of them",
        "the Delaunay triangulation of points; the same",
        "points and their triangulations, drawn anew for every epoch (extra: examples)",
    ),
    "point/tsp": Recipe(
        "anyseq.tasks.point:tsp.yaml",
        "points → some of them",
        "the shortest round trip through cities; the same, every tour valid",
        "cities and their exact shortest tours, drawn anew for every epoch",
    ),
    "point/sort": Recipe(
        "anyseq.tasks.point:sort.yaml",
        "numbers → some of them",
        "numbers in increasing order, by their places; LSTM, pointer decoder",
        "numbers, drawn anew for every epoch",
    ),
    "music/chorales": Recipe(
        "anyseq.tasks.music:chorales.yaml",
        "nothing → music",
        "pieces of several voices as piano rolls, from nothing or from a beginning on, MIDI in and out; LSTM",
        "generated progressions in four voices, of four styles",
    ),
    "music/collection": Recipe(
        "anyseq.tasks.music:collection.yaml",
        "music → label",
        "which collection a piece is from, after any number of frames; GRU",
        "generated progressions in four voices, of four styles",
    ),
}


def nearest(given: str, allowed: Iterable[str]) -> str:
    """Say which allowed name is meant (`; did you mean 'x'?`), or nothing where none is near."""
    close = difflib.get_close_matches(given, list(allowed), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def recipe(name: str) -> Recipe:
    """Look a recipe up.

    Raises:
        ConfigError: there is none of that name.
    """
    if name not in RECIPES:
        raise ConfigError(
            f"no recipe is called {name!r}{nearest(name, RECIPES)} (the recipes: {', '.join(RECIPES)};"
            " a file of your own ends in .yaml)"
        )
    return RECIPES[name]


def resolve(section: str, kind: str, trust: Collection[str] | None = None) -> type[PartConfig]:
    """Import the configuration class of a part.

    Args:
        section: The catalogue's section the part must belong to.
        kind: A name of that section, or "my_module:MyConfig" for a part from outside.
        trust: Modules whose code may be imported for parts from outside, with all that is in them; None trusts all
            (the recipe is the user's own file, not a model folder).

    Raises:
        ConfigError: there is no such part, it is of another section, cannot be imported, or is not trusted.
    """
    entries = PARTS[section]
    if ":" in kind:
        return _outside(section, kind, trust)
    if kind not in entries:
        raise ConfigError(
            f"no part of section {section!r} is called {kind!r}{nearest(kind, entries)}"
            f" (allowed: {', '.join(entries) or 'none'}, or my_module:MyConfig)"
        )
    module, _, name = entries[kind].partition(":")
    found: type[PartConfig] = vars(importlib.import_module(module))[name]
    return found


def kind_of(config: type[PartConfig]) -> str:
    """The name `resolve` knows a configuration class by."""
    own = f"{config.__module__}:{config.__qualname__}"
    return next((kind for kind, entry in PARTS[config.section].items() if entry == own), own)


def _outside(section: str, kind: str, trust: Collection[str] | None) -> type[PartConfig]:
    from anyseq.core.parts import PartConfig  # here: it imports torch

    module, _, name = kind.partition(":")
    if trust is not None and not any(f"{module}.".startswith(f"{trusted}.") for trusted in trust):
        raise ConfigError(
            f"this model needs code from outside anyseq, {kind!r}, which is not run unasked;"
            f" if you know where it comes from: --trust {module}"
        )
    try:
        there = vars(importlib.import_module(module))
    except Exception as error:  # whatever a stranger's module does when imported
        raise ConfigError(
            f"{kind!r} cannot be imported ({type(error).__name__}: {error}); is the folder of {module!r}"
            " the current one, or in PYTHONPATH?"
        ) from error
    if name not in there:
        configs = [each for each, value in there.items() if isinstance(value, type) and issubclass(value, PartConfig)]
        raise ConfigError(f"{module!r} has no {name!r}{nearest(name, configs)}")
    found = there[name]
    if section == "metrics" and isinstance(found, FunctionType):
        from anyseq.metrics.function import metric_of

        return metric_of(found)
    if not (isinstance(found, type) and issubclass(found, PartConfig) and found.section == section):
        raise ConfigError(f"{kind!r} is no PartConfig with section = {section!r}: name the configuration class")
    return found
