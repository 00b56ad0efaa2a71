"""Transduction: a string of characters to another, where only an exact answer is right."""

from __future__ import annotations

from pydantic import Field

from anyseq.metrics.base import MetricConfig
from anyseq.metrics.error_rate import CharacterErrorRateConfig
from anyseq.metrics.exact_match import ExactMatchConfig
from anyseq.tasks.text_to_text import TextToTextConfig


class TransduceConfig(TextToTextConfig):
    """Transduction, judged by exact match and character error rate."""

    metrics: tuple[MetricConfig, ...] = Field(
        (ExactMatchConfig(), CharacterErrorRateConfig()),
        min_length=1,
        description="how good an output is; the first decides",
    )
