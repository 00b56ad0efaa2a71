"""Translation: a sentence in one language to the same in another."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from anyseq.metrics.base import MetricConfig
from anyseq.metrics.surface import BleuConfig, ChrfConfig
from anyseq.tasks.text_to_text import TextToTextConfig


class TranslateConfig(TextToTextConfig):
    """Translation, judged by BLEU and chrF on detokenised text."""

    preparable: ClassVar[tuple[str, ...]] = ("max_length",)

    metrics: tuple[MetricConfig, ...] = Field(
        (BleuConfig(), ChrfConfig()), min_length=1, description="how good an output is; the first decides"
    )
