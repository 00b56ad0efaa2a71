"""A function of one's own as a metric, and so as a reward."""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Sequence

from anyseq.errors import AnyseqError, DataError
from anyseq.metrics.base import Metric, MetricConfig, check_items, own_signature

Judge = Callable[[str, str], float]
"""From an output and a reference to how good it is, 0 to 1, the higher the better."""


class FunctionMetric(Metric):
    """100 times the mean of a function of output and reference; of several references the one it likes best.

    Args:
        judge: The function.
        name: The metric's.
    """

    higher_is_better = True

    def __init__(self, judge: Judge, name: str) -> None:
        self.judge, self.name = judge, name

    def statistics(self, outputs: Sequence[str], references: Sequence[Sequence[str]]) -> list[list[float]]:
        """[value, 1] of each item.

        Raises:
            DataError: as of every metric; or the function fails, or gives no number.
        """
        check_items(outputs, references)
        pairs = zip(outputs, references, strict=True)
        return [[max(self._judged(output, each) for each in given), 1.0] for output, given in pairs]

    def _judged(self, output: str, reference: str) -> float:
        call = f"{self.name}({output!r:.40}, {reference!r:.40})"
        try:
            value = self.judge(output, reference)
        except AnyseqError:
            raise
        except Exception as fault:
            failed = f"{type(fault).__name__}: {fault}"
            raise DataError(f"{call} fails ({failed}): mend the function (the traceback: --debug)") from fault
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = math.nan
        if not math.isfinite(number):
            raise DataError(f"{call} gives {value!r:.40}, not a number: mend the function")
        return number

    def combine(self, totals: Sequence[float]) -> float:
        """The mean, times 100."""
        value, items = totals
        return 100 * value / items

    def signature(self, references: Sequence[Sequence[str]]) -> str:
        """References, version."""
        return own_signature(references, {"function": self.name})


@functools.cache
def metric_of(judge: Callable[..., float]) -> type[MetricConfig]:
    """The configuration class of the metric that a function is: known by the function's own module and name.

    Raises:
        DataError: it does not take an output and a reference.
    """
    name = judge.__name__
    try:
        inspect.signature(judge).bind("", "")
    except TypeError:
        raise DataError(f"{judge.__module__}:{name} must take two texts, an output and a reference") from None

    def build(self: MetricConfig) -> FunctionMetric:
        return FunctionMetric(judge, name)

    place = {"__module__": judge.__module__, "__qualname__": judge.__qualname__}
    return type(name, (MetricConfig,), {**place, "__doc__": judge.__doc__, "build": build})
