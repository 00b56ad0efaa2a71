"""The recipe of a wake word."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field, field_validator

from anyseq.core import PartConfig
from anyseq.data.codecs.base import CodecConfig
from anyseq.data.synthetic.base import GeneratorConfig
from anyseq.data.synthetic.streams import StreamsConfig
from anyseq.metrics.base import MetricConfig
from anyseq.models.framewise import FramewiseConfig
from anyseq.tasks.settings import AtFaults, TaskConfig
from anyseq.tasks.spot.detecting import DetectionConfig

if TYPE_CHECKING:
    from anyseq.tasks.spot.task import Spot


class SpotData(PartConfig):
    """Recordings of single words, of which streams are put together. Without `train`, the generator's."""

    train: Any = Field(
        None, description="recordings to learn from: FOLDER with a folder for each word, or FILE (.tsv) of files and "
        "words; or FILE of streams and when the keyword is said in each (1.25-1.75 7.1-7.5, in seconds)"
    )  # fmt: skip
    dev: Any = Field(
        None, description="the same to choose and stop by; null: a tenth of each word's recordings in train"
    )
    test: Any = Field(None, description="the same for the final figure; null: no final figure")
    noise: Any = Field(None, description="recordings of noise: FOLDER or [FILE, ...], for noises with `recorded`")
    generator: GeneratorConfig | None = Field(None, description="the embedded default, where no recordings are given")
    keyword: str = Field(description="the word that is to be spotted: a label of the recordings")
    streams: StreamsConfig = Field(
        StreamsConfig(), description="how streams of train are put together, anew each epoch"
    )
    judged: StreamsConfig = Field(StreamsConfig(), description="how streams of dev and test are put together")
    check: AtFaults = Field(
        "stop", description="errors found in the data: stop (train nothing), tell (and train), off (look for none)"
    )

    @field_validator("keyword", mode="before")
    @classmethod
    def _as_text(cls, value: Any) -> Any:
        """A digit is a word, too."""
        return str(value) if isinstance(value, int) else value


class SpotCodecs(PartConfig):
    """How sound is heard."""

    named: ClassVar[tuple[str, ...]] = ("source",)

    source: CodecConfig = Field(description="codec of the sound")


class SpotConfig(TaskConfig):
    """One word in sound that goes on, judged by misses, false alarms and delay."""

    data: SpotData = Field(description="what to learn from")
    codec: SpotCodecs = Field(description="how sound is heard")
    model: FramewiseConfig = Field(description="a causal fold, and what is said of each of its places")
    detection: DetectionConfig = Field(default_factory=DetectionConfig, description="when the keyword counts as said")
    metrics: tuple[MetricConfig, ...] = Field(
        (), max_length=0, description="none: outputs are moments, of which the task finds figures; the loss decides"
    )

    def build(self) -> Spot:
        """Make the task."""
        from anyseq.tasks.spot.task import Spot  # here: the task reads this module

        return Spot(self)
