"""A wake word: one word, spotted in sound that goes on."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from anyseq.core import Batch, Codec, Hypotheses, Item, Padded, Stopped
from anyseq.data.check import Finding
from anyseq.data.codecs.sound import Sound, SoundConfig
from anyseq.data.spoken import read_spoken
from anyseq.data.synthetic.streams import Composer
from anyseq.errors import ConfigError, ModelFolderError, UsageError
from anyseq.inspection.traces import Picture, draw_traces
from anyseq.models.seq2seq import Seq2Seq
from anyseq.search.settings import SearchConfig
from anyseq.tasks.base import Task
from anyseq.tasks.choosing import DecodingConfig
from anyseq.tasks.settings import AtFaults
from anyseq.tasks.splits import EncodedSource, Splits
from anyseq.tasks.spot.detecting import Detector, Tally, Trace, choose, smooth, tally
from anyseq.tasks.spot.listener import SAID, Listener, probability, said_of
from anyseq.tasks.spot.reading import Reader
from anyseq.tasks.spot.settings import SpotConfig
from anyseq.tasks.trivial import Trivial
from anyseq.training.checkpoint import write_atomically

if TYPE_CHECKING:
    from anyseq.tasks.decoding import Prediction

_CHOSEN = "threshold.json"
_UNCHOSEN = 0.5
_FEWEST = 20  # occurrences in dev, below which a miss rate says little
_NEVER = 2.0


class Spot(Task):
    """Streams of sound, a causal fold over their frames, and of each frame whether the keyword has just been said.

    Training hears streams put together anew each time from recordings of single words; dev and test are streams, too.
    The threshold is chosen on dev when training has ended, and kept with the codecs.

    Args:
        config: The recipe.
    """

    hears: ClassVar[bool] = True
    plots: ClassVar[tuple[Literal["predictions", "judged"], ...]] = ("predictions",)

    def __init__(self, config: SpotConfig) -> None:
        self._config = config
        self.metrics = [metric.build() for metric in config.metrics]
        self._reader = Reader(config.data, config.codec.source)
        self._composer: Composer | None = None
        self._threshold: float | None = None

    @property
    def config(self) -> SpotConfig:
        """The recipe."""
        return self._config

    def read(self) -> Splits:
        """Read recordings and put streams together, or read streams; or generate recordings."""
        splits, self._composer = self._reader.read()
        return splits

    def read_pairs(self, data: Any) -> list[Item]:
        """Streams, or recordings of which streams are put together."""
        return self._reader.judged(data)

    def read_test(self) -> list[Item] | None:
        """The same for test."""
        return self._reader.read_test()

    @property
    def reads_files(self) -> bool:
        """A source is the name of a file, or samples."""
        return True

    @property
    def endings(self) -> tuple[str, ...]:
        """Of recordings."""
        return SoundConfig.endings

    @property
    def at_faults(self) -> AtFaults:
        """As `data.check` says."""
        return self._config.data.check

    def examine(self, splits: Splits, test: Sequence[Item]) -> Iterator[Finding]:
        """Count how often the keyword is said; look for parts that are too short to judge by."""
        data = self._config.data
        if data.noise is not None and "recorded" not in (*data.streams.noises, *data.judged.noises):
            remedy = "data.streams.noises=[white, babble, recorded]"
            yield Finding("warning", f"data.noise is heard nowhere, for no noises have `recorded`: {remedy}")
        for name, items in (("train", splits.train), ("dev", splits.dev), ("test", test)):
            if not items:
                continue
            spoken = [each for item in items for each in read_spoken(item.raw["target"])]
            recordings = len({each.name for each in spoken if each.name})
            distinct = f", in {recordings:,} recordings" if recordings else ""
            said = f"the keyword is said {len(spoken):,} times{distinct}"
            yield Finding("note", f"{name}: {len(items):,} streams; {said}")
            if not spoken:
                yield Finding("error", f"{name}: the keyword is never said; longer or more streams are needed")
            elif len(spoken) < _FEWEST and name != "train":
                remedy = "give more, or raise data.judged.count"
                yield Finding("warning", f"{name}: the keyword is said {len(spoken)} times, few to judge by; {remedy}")

    def fit_codecs(self, items: Sequence[Item], reading: Codec | None = None) -> None:
        """Learn what frames are like."""
        self._use_codec(reading or self._config.codec.source.fit(item.raw["source"] for item in items))

    def save_codecs(self, folder: Path) -> None:
        """One folder; the threshold is chosen later."""
        (folder / "source").mkdir(parents=True)
        self.codecs["source"].save(folder / "source")

    def load_codecs(self, folder: Path) -> None:
        """Read what `save_codecs` wrote."""
        self._use_codec(self._config.codec.source.load(folder / "source"))

    def load_settled(self, folder: Path) -> None:
        """Read the threshold; of a run that has not ended it is a half.

        Raises:
            ModelFolderError: the file holds none.
        """
        path = folder / _CHOSEN
        try:
            self._threshold = float(json.loads(path.read_text(encoding="utf-8"))["threshold"])
        except FileNotFoundError:  # a run that has not ended; whoever judges by others must not choose on them
            self._threshold = _UNCHOSEN
        except (OSError, ValueError, TypeError, KeyError) as fault:
            raise ModelFolderError(f"{path} holds no threshold ({fault!r}); copy the model folder again") from None

    def _use_codec(self, codec: Any) -> None:
        if not isinstance(codec, Sound):
            raise ConfigError("codec.source: what is heard are recordings: kind=sound")
        self.codecs, self._sound = {"source": codec}, codec

    def build_model(self) -> None:
        """Make the model.

        Raises:
            ConfigError: its encoder needs the end of the sound.
        """
        self.model: Seq2Seq = self._config.model.build(self._sound.stream, SAID + 1)
        with torch.no_grad():
            probe = Padded(torch.zeros(1, 1, self._sound.bands), torch.ones(1, 1, dtype=torch.bool))
            if self.model.encoder(probe).get("carry") is None:
                raise ConfigError(
                    "model.encoder: what listens reads from left to right and never sees an end: kind=rnn "
                    "bidirectional=false"
                )

    def select(self, splits: Splits) -> Splits:
        """All streams."""
        return splits

    def encode_source(self, item: Item) -> EncodedSource:
        """The frames; of no name there are none."""
        raw = item.raw["source"]
        if isinstance(raw, str) and not raw:
            return EncodedSource(torch.zeros(0), empty=True, cut=False)
        return EncodedSource(self._sound.encode(raw), empty=False, cut=False)

    def encode(self, item: Item, seed: int | None = None) -> Mapping[str, Tensor]:
        """Frames, and of each whether the keyword was said; with a seed of another stream of the same kind."""
        raw = item.raw
        if seed is not None and self._composer is not None:
            raw = self._reader.raw(self._composer.stream(self._config.data.streams, seed))
        frames = self._sound.encode(raw["source"])
        return {"source": frames, "target": self._said(len(frames), raw["target"])}

    def _said(self, frames: int, target: str) -> Int[Tensor, " frame"]:
        """1 of frames that end around an occurrence's end, `lead_ms` before it to `hold_ms` behind it."""
        detection, times = self._config.detection, torch.arange(frames)
        times_s = (times * self._sound.hop + self._sound.window) / self._sound.sample_rate_hz
        said = torch.zeros(frames, dtype=torch.int64)
        for each in read_spoken(target):
            behind = times_s - each.end_s
            said[(behind >= -detection.lead_ms / 1000) & (behind <= detection.hold_ms / 1000)] = SAID
        return said

    @property
    def augments(self) -> bool:
        """Whether streams are put together anew."""
        return self._composer is not None

    def refuse(self, settings: SearchConfig) -> None:
        """Refuse settings for texts, and for several outputs."""
        super().refuse(settings)
        if settings.width > 1:
            raise UsageError("a model that listens has one output: search.beam_size=1, and no search.samples")

    def search(self, batch: Batch, settings: SearchConfig) -> Hypotheses:
        """Whole recordings at once: 1 of each frame at which there is a detection; log_prob of the likelier symbols."""
        source = batch.source
        log_probs = said_of(self.model.decoder, self.model.encode(batch))
        marks = torch.zeros_like(source.valid, dtype=torch.int64)
        for row, length in enumerate(source.lengths.tolist()):
            said = probability(log_probs[row, :length])
            marks[row, self._detector(self.threshold(settings)).feed(said)[1]] = 1
        likelier = log_probs.amax(-1).masked_fill(~source.valid, 0.0).sum(1, keepdim=True)
        ended, one = torch.full_like(likelier, Stopped.END, dtype=torch.int64), torch.ones_like(source.lengths)
        return Hypotheses(marks[:, None], source.lengths[:, None], likelier, likelier, ended, one)

    def output(self, values: Tensor, item: Item) -> str:
        """When the keyword was heard, in seconds."""
        times_s = values.nonzero()[:, 0] * self._sound.hop + self._sound.window
        return " ".join(f"{each / self._sound.sample_rate_hz:.2f}" for each in times_s.tolist())

    def threshold(self, settings: SearchConfig | None = None) -> float:
        """From which smoothed probability on the keyword counts as said: as asked for, as chosen on dev, or a half."""
        known = self._known(settings)
        return _UNCHOSEN if known is None else known

    def _known(self, settings: SearchConfig | None) -> float | None:
        asked = settings.threshold if isinstance(settings, DecodingConfig) else self._config.search.threshold
        return self._threshold if asked is None else asked

    def listener(self, settings: SearchConfig | None = None) -> Listener:
        """What hears a stream, from its beginning on."""
        return Listener(self.model, self._sound, self._detector(self.threshold(settings)))

    def _detector(self, threshold: float) -> Detector:
        return Detector(threshold, self._frames_in(self._config.detection.smooth_ms), self._refractory)

    @property
    def _refractory(self) -> int:
        return self._frames_in(self._config.detection.refractory_ms)

    def _frames_in(self, milliseconds: float) -> int:
        return round(milliseconds / 1000 * self._sound.sample_rate_hz / self._sound.hop)

    def trace(self, item: Item) -> Trace:
        """The smoothed probability of each frame of an item, heard piece by piece."""
        samples = self._sound.samples(item.raw["source"])
        listener = Listener(self.model, self._sound, self._detector(_NEVER))
        levels = [listener.levels for _ in listener.whole(samples)]
        return self._trace(item, np.concatenate(levels), len(samples))

    def _trace(self, item: Item, levels: np.ndarray, samples: int) -> Trace:
        rate = self._sound.sample_rate_hz
        times_s = (np.arange(len(levels)) * self._sound.hop + self._sound.window) / rate
        return Trace(levels, times_s, read_spoken(item.raw.get("target", "")), samples / rate)

    def _tally(self, traces: Sequence[Trace], threshold: float) -> Tally:
        tolerance_s = self._config.detection.tolerance_ms / 1000
        return tally((trace.heard(threshold, self._refractory) for trace in traces), tolerance_s)

    def _chosen(self, traces: Sequence[Trace]) -> float:
        detection = self._config.detection
        return choose(traces, detection.false_alarms, self._refractory, detection.tolerance_ms / 1000)

    def tally(self, items: Sequence[Item], settings: SearchConfig | None = None) -> Tally:
        """How streams are heard."""
        return self._tally([self.trace(item) for item in items], self.threshold(settings))

    def measure(self, items: Sequence[Item], settings: SearchConfig) -> Mapping[str, float]:
        """Misses, false alarms and delays; in training, at the threshold that is best for these items of dev."""
        traces, threshold = [self.trace(item) for item in items], self._known(settings)
        threshold = self._chosen(traces) if threshold is None else threshold
        return {**self._tally(traces, threshold).figures(), "threshold": threshold}

    def settle(self, items: Sequence[Item], folder: Path) -> Sequence[str]:
        """Choose the threshold, unless the recipe has one."""
        if self._config.search.threshold is not None:
            return []
        self._threshold = self._chosen([self.trace(item) for item in items])
        write_atomically(folder / _CHOSEN, json.dumps({"threshold": self._threshold}))
        wanted = self._config.detection.false_alarms
        return [f"threshold {self._threshold:.4f}, chosen on dev for {wanted:g} false alarms in ten minutes at most"]

    def trivial(self, train: Sequence[Item], items: Sequence[Item]) -> Trivial:
        """Whatever is loud, with the threshold that is best for these very items."""
        traces = []
        for item in items:
            samples = self._sound.samples(item.raw["source"])
            loudness = self._loudness(samples).double().numpy()
            past = np.full(max(0, self._frames_in(self._config.detection.smooth_ms) - 1), loudness.min())
            traces.append(self._trace(item, smooth(loudness, past), len(samples)))
        return Trivial("whatever is loud", metrics=self._tally(traces, self._chosen(traces)).figures())

    def _loudness(self, samples: Float[Tensor, " sample"]) -> Float[Tensor, " frame"]:
        padded = torch.cat([samples, samples.new_zeros(max(0, self._sound.window - len(samples)))])
        return (padded.unfold(0, self._sound.window, self._sound.hop) ** 2).mean(1).clamp(min=1e-12).log10()

    def plot(self, items: Sequence[Item], predictions: Sequence[Prediction], path: Path) -> None:
        """The sound, how likely it is that the keyword was said, and the detections."""
        pictures = []
        for item, prediction in zip(items, predictions, strict=True):
            trace, raw = self.trace(item), item.raw["source"]
            spoken = [(each.begin_s, each.end_s) for each in trace.spoken]
            detected = list(map(float, prediction.output.split()))
            name, samples = raw if isinstance(raw, str) else item.place, self._sound.samples(raw).numpy()
            pictures.append(Picture(name, samples, trace.seconds, trace.times_s, trace.levels, detected, spoken))
        draw_traces(pictures, path)


