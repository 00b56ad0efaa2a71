"""The literal table of all parts. Entries are strings: nothing is imported until it is asked for."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Collection, Iterable
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
        "series": "anyseq.data.codecs.series:SeriesConfig",
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
        "segments": "anyseq.models.encoders.segments:SegmentsConfig",
    },
    "decoders": {
        "rnn": "anyseq.models.decoders.rnn:RnnDecoderConfig",
        "context": "anyseq.models.decoders.context:ContextDecoderConfig",
        "attention": "anyseq.models.decoders.attention:AttentionDecoderConfig",
        "transformer": "anyseq.models.decoders.transformer:TransformerDecoderConfig",
        "conv": "anyseq.models.decoders.conv:ConvDecoderConfig",
        "copying": "anyseq.models.decoders.copying:CopyingDecoderConfig",
        "placewise": "anyseq.models.decoders.aligned:PlacewiseDecoderConfig",
        "aligned": "anyseq.models.decoders.aligned:AlignedDecoderConfig",
        "crf": "anyseq.models.decoders.aligned:CrfDecoderConfig",
        "tree": "anyseq.models.decoders.tree:TreeDecoderConfig",
        "label": "anyseq.models.decoders.aligned:LabelDecoderConfig",
        "vector": "anyseq.models.decoders.vector:VectorDecoderConfig",
        "direct": "anyseq.models.decoders.direct:SegmentsDecoderConfig",
        "repeat": "anyseq.models.decoders.direct:RepeatDecoderConfig",
        "pointer": "anyseq.models.decoders.pointer:PointerDecoderConfig",
        "routing": "anyseq.models.decoders.routing:RoutingDecoderConfig",
    },
    "emissions": {
        "normal": "anyseq.models.emissions.normal:NormalConfig",
        "squared_error": "anyseq.models.emissions.normal:SquaredErrorConfig",
        "student_t": "anyseq.models.emissions.student:StudentTConfig",
        "quantile": "anyseq.models.emissions.quantile:QuantileConfig",
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
        "gleu": "anyseq.metrics.gleu:GleuConfig",
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
        "subjects": "anyseq.data.synthetic.subjects:SubjectsConfig",
        "typing": "anyseq.data.synthetic.typing:TypingConfig",
        "manual": "anyseq.data.synthetic.manual:ManualConfig",
        "stories": "anyseq.data.synthetic.stories:StoriesConfig",
        "dialogues": "anyseq.data.synthetic.dialogues:DialoguesConfig",
        "entities": "anyseq.data.synthetic.introductions:EntitiesConfig",
        "cadences": "anyseq.data.synthetic.cadences:CadencesConfig",
        "seasons": "anyseq.data.synthetic.seasons:SeasonsConfig",
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
        "forecast": "anyseq.tasks.forecast.task:ForecastConfig",
        "autoencode_pictures": "anyseq.tasks.autoencode.pictures:AutoencodePicturesConfig",
        "autoencode_series": "anyseq.tasks.autoencode.series:AutoencodeSeriesConfig",
        "point": "anyseq.tasks.point.task:PointConfig",
    },
}


def nearest(given: str, allowed: Iterable[str]) -> str:
    """Say which allowed name is meant (`; did you mean 'x'?`), or nothing where none is near."""
    close = difflib.get_close_matches(given, list(allowed), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


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
