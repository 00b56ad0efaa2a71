"""Pictures through one vector and back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from anyseq.core import Batch, Hypotheses, Item
from anyseq.data.check import Finding
from anyseq.data.codecs.pictures import Pictures
from anyseq.data.media import read_alone, read_labelled
from anyseq.errors import ConfigError
from anyseq.metrics.base import MetricConfig
from anyseq.search.settings import SearchConfig
from anyseq.tasks.autoencode.task import Autoencode, doubled
from anyseq.tasks.decoding import batches
from anyseq.tasks.splits import Splits
from anyseq.tasks.text_to_text import TextToTextConfig
from anyseq.tasks.trivial import Trivial

if TYPE_CHECKING:
    from anyseq.tasks.decoding import Prediction

_MOST_DRAWN = 12
_WHITE = 255.0
_MOST_COMPARED = 5000  # pictures of train that principal components are made of


class AutoencodePicturesConfig(TextToTextConfig):
    """Pictures that are to come out as they went in, judged by the mean squared error of their values."""

    metrics: tuple[MetricConfig, ...] = Field((), description="none: outputs are pictures, `mse` is measured")

    def build(self) -> AutoencodePictures:
        """Make the task."""
        return AutoencodePictures(self)


class AutoencodePictures(Autoencode):
    """Pictures and themselves, row by row.

    An output is how far the picture is from what comes back: the root of the mean squared difference, white being 1.

    Args:
        config: The recipe.
    """

    plots = ("predictions",)
    figures: ClassVar[Mapping[str, bool]] = {"mse": False}

    _config: AutoencodePicturesConfig  # type: ignore[assignment]

    @property
    def codec(self) -> Pictures:
        """The codec of both sides.

        Raises:
            ConfigError: it is none of pictures by rows.
        """
        codec = self.codecs["target"]
        if not (isinstance(codec, Pictures) and codec.rows):
            raise ConfigError("codec.source: here pictures come and go row by row: {kind: pictures, by: rows}, joint")
        return codec

    @property
    def endless(self) -> bool:
        """A picture has no end symbol: as many rows come back as it has."""
        return True

    def read_pairs(self, data: Any) -> list[Item]:
        """Pictures: files of a folder (or of the folders in it), a table of names, arrays."""
        config = self._config.codec.source
        if isinstance(data, str | Path) and Path(data).is_dir() and any(each.is_dir() for each in Path(data).iterdir()):
            return doubled(read_labelled(data, endings=config.endings))
        items = read_alone(data, config.endings, lambda raw: True)
        return [replace(item, raw={"source": item.raw["target"], "target": item.raw["target"]}) for item in items]

    def examine(self, splits: Splits, test: Sequence[Item]) -> Iterator[Finding]:
        """What a person should know of how pictures are read."""
        for name, items in (("train", splits.train), ("dev", splits.dev), ("test", test)):
            for remark in self._config.codec.source.remarks(item.raw["source"] for item in items):
                yield Finding("note", f"{name}: {remark}")

    def search(self, batch: Batch, settings: SearchConfig) -> Hypotheses:
        """What comes back: as many rows as pictures have."""
        length = {"min_length": 1, "max_length": self.codec.height, "max_length_ratio": None, "max_length_extra": 0}
        return super().search(batch, settings.model_copy(update=length))

    def output(self, values: Tensor, item: Item) -> str:
        """How far it is off."""
        off = self._white(values) - self._white(self.codec.encode(item.raw["source"]))
        return f"{off.square().mean().sqrt():.6g}"

    def _white(self, values: Tensor) -> Float[Tensor, " pixel"]:
        """Values as shares of white, all of a picture in a row."""
        return self.codec.measured.original(values.cpu()).flatten() / _WHITE

    def returned(self, items: Sequence[Item], settings: SearchConfig) -> Float[Tensor, "item pixel"]:
        """What comes back of pictures, as shares of white."""
        fields = [self.encode_source(item).fields for item in items]
        found: dict[int, Tensor] = {}
        self.model.eval()
        for rows in batches(fields, settings.batch_tokens):
            places = rows.tolist()
            batch = self.batch([items[place] for place in places], [fields[place] for place in places])
            with torch.inference_mode():
                values = self.search(batch, settings.model_copy(update={"beam_size": 1})).values[:, 0]
            found.update(zip(places, map(self._white, values), strict=True))
        return torch.stack([found[place] for place in range(len(items))])

    def _pixels(self, items: Sequence[Item]) -> Float[np.ndarray, "item pixel"]:
        return torch.stack([self._white(self.codec.encode(item.raw["source"])) for item in items]).double().numpy()

    def measure(self, items: Sequence[Item], settings: SearchConfig) -> Mapping[str, float]:
        """`mse`: the mean squared difference of values, white being 1."""
        off = self.returned(items, settings).double().numpy() - self._pixels(items)
        return {"mse": float((off**2).mean())}

    def trivial(self, train: Sequence[Item], items: Sequence[Item]) -> Trivial:
        """Principal components of train (of some thousands of it), as many as the model's vector has numbers."""
        count, pixels = self.model.encoder.summary_dim, self._pixels(train[:: -(-len(train) // _MOST_COMPARED)])
        mean = pixels.mean(0)
        _, _, directions = np.linalg.svd(pixels - mean, full_matrices=False)
        kept = directions[:count]
        given = self._pixels(items) - mean
        off = given - given @ kept.T @ kept
        name = f"{min(count, len(mean))} principal components"
        return Trivial(name, metrics={"mse": float((off**2).mean())})

    def plot(self, items: Sequence[Item], predictions: Sequence[Prediction], path: Path) -> None:
        """Draw the first pictures, and below each what comes back."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        shown = [item for item in items if not isinstance(item.raw["source"], str) or item.raw["source"]][:_MOST_DRAWN]
        shape = (self.codec.height, self.codec.width, self.codec.channels)
        given = torch.from_numpy(self._pixels(shown))
        figure = Figure(figsize=(1.1 * len(shown) + 0.4, 2.6), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots(2, len(shown), squeeze=False)
        for row, (name, pictures) in enumerate((("given", given), ("back", self.returned(shown, self._config.search)))):
            for axis, picture in zip(axes[row], pictures, strict=True):
                axis.imshow(picture.view(shape).clamp(0, 1).squeeze(-1).numpy(), cmap="gray", vmin=0, vmax=1)
                axis.set_xticks([])
                axis.set_yticks([])
            axes[row][0].set_ylabel(name)
        figure.savefig(path)
