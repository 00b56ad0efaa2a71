"""What a recipe says of series: where they are, how they are cut, and what reads them."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator

from anyseq.core import PartConfig
from anyseq.data.codecs.base import CodecConfig
from anyseq.data.codecs.series import SeriesConfig
from anyseq.data.series import Layout
from anyseq.data.synthetic.base import GeneratorConfig
from anyseq.metrics.base import MetricConfig
from anyseq.models.series import SeriesModelConfig
from anyseq.tasks.settings import AtFaults, TaskConfig

Share = Annotated[float, Field(ge=0)]
Names = Annotated[tuple[str, ...], Field(strict=False)]


class SeriesData(PartConfig):
    """Series, and the windows that are cut of them. Without `train`, the generator's."""

    train: Any = Field(None, description="what to learn from: FILE.csv with a header and dates, or [FILE, ...]")
    dev: Any = Field(None, description="what to choose and stop by; null: the rows of train that `split` says")
    test: Any = Field(None, description="for the final figure; null: the last rows of train, as `split` says")
    generator: GeneratorConfig | None = Field(None, description="the embedded default, where no files are given")
    split: tuple[Share, Share, Share] = Field(
        (0.7, 0.15, 0.15), strict=False, description="rows of train, dev and test, in time order: shares (at most 1 "
        "together), or numbers of rows",
    )  # fmt: skip
    look_back: int = Field(36, ge=1, description="rows of a window that the model reads")
    stride: int = Field(1, ge=1, description="rows from window to window of dev and test; of train it is 1")
    date: str | None = Field(None, description="column of the dates; null: the first one, where it holds dates")
    variables: Names = Field((), description="columns to be learnt; []: all that are not dates or known in advance")
    known: Names = Field((), description="columns that are known in advance: prices, holidays, plans")
    gaps: Literal["stop", "fill"] = Field("stop", description="rows or numbers that are missing: stop; or fill in "
        "the last one before, and leave out windows whose target would hold such")  # fmt: skip
    check: AtFaults = Field(
        "stop", description="errors found in the data: stop (train nothing), tell (and train), off (look for none)"
    )

    @field_validator("split")
    @classmethod
    def _of_one_whole(cls, split: tuple[float, float, float]) -> tuple[float, float, float]:
        if max(split) <= 1 and sum(split) > 1 + 1e-9:
            raise ValueError(f"the shares are {sum(split):g} together: give at most 1, or counts of rows")
        if not split[0]:
            raise ValueError("no rows are left to train on: give the first number a value above 0")
        return split

    @field_validator("known")
    @classmethod
    def _either(cls, known: tuple[str, ...], info: Any) -> tuple[str, ...]:  # ValidationInfo is no runtime_checkable
        if both := [name for name in known if name in info.data.get("variables", ())]:
            raise ValueError(f"{', '.join(both)}: in data.variables, too; what is known in advance is not learnt")
        return known

    @property
    def layout(self) -> Layout:
        """What the columns are."""
        return Layout(self.date, self.variables, self.known, self.gaps == "fill")


class SeriesCodecs(PartConfig):
    """How series become vectors."""

    named: ClassVar[tuple[str, ...]] = ("target",)

    target: CodecConfig = Field(SeriesConfig(), description="codec of the values, and of what is known besides")


class SeriesTaskConfig(TaskConfig):
    """Windows of series, judged by numbers."""

    data: SeriesData = Field(default_factory=SeriesData, description="what to learn from")
    codec: SeriesCodecs = Field(default_factory=SeriesCodecs, description="how series become vectors")
    model: SeriesModelConfig = Field(description="the encoder-decoder")
    metrics: tuple[MetricConfig, ...] = Field((), max_length=0, description="none: outputs are numbers, no texts")
