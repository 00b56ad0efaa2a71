"""A picture as a sequence: of one vector with all of it, or of its rows."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, final

import numpy as np
import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from anyseq.core import Codec, Item, Vectors
from anyseq.data.codecs.base import CodecConfig
from anyseq.data.codecs.measured import Measured
from anyseq.data.prefixes import Step
from anyseq.errors import DataError

_FILE = "codec.json"


@final
class Pictures(Codec):
    """Grey or coloured pictures of one size; values less their mean over train, by their standard deviation there.

    Law: decode(encode(x)) is x, for arrays of bytes.

    Args:
        height, width, channels: Of every picture.
        rows: Whether each row is an element; else all of it is one.
        measured: Mean and standard deviation of train's values.
        shift: Training sees a picture moved by up to so many pixels each way.
    """

    def __init__(self, height: int, width: int, channels: int, rows: bool, measured: Measured, shift: int = 0) -> None:
        self.height, self.width, self.channels, self.rows = height, width, channels, rows
        self.measured, self.shift = measured, shift
        dim = width * channels
        self.stream = Vectors(dim, length=height) if rows else Vectors(height * dim, (height, width, channels))

    def encode(self, raw: Any) -> Float[Tensor, "time value"]:
        """Encode a picture: an array [row, column] or [row, column, channel], or a file.

        Raises:
            DataError: it has another size, or is none.
        """
        return self._vectors(self._read(raw))

    def _read(self, raw: Any) -> np.ndarray:
        picture = read_picture(raw, self.channels)
        if picture.shape != (self.height, self.width, self.channels):
            named = f"{raw}: " if isinstance(raw, str) else ""
            raise DataError(
                f"{named}a picture of {picture.shape[1]} x {picture.shape[0]} is given, the model's have "
                f"{self.width} x {self.height} (columns x rows): bring it to that size"
            )
        return picture

    def _vectors(self, picture: np.ndarray) -> Tensor:
        values = self.measured.scaled(torch.from_numpy(picture.astype(np.float32)))
        return values.reshape(self.height if self.rows else 1, -1)

    def augment(self, raw: Any, seed: int) -> Float[Tensor, "time value"]:
        """The same, moved at random; what comes in is as at the edge."""
        draw, most = random.Random(seed), self.shift
        down, right = draw.randint(-most, most), draw.randint(-most, most)
        padded = np.pad(self._read(raw), ((most, most), (most, most), (0, 0)), mode="edge")
        return self._vectors(padded[most + down :, most + right :][: self.height, : self.width])

    @property
    def augments(self) -> bool:
        """Whether pictures are moved."""
        return self.shift > 0

    def decode(self, values: Float[Tensor, "time value"], item: Item | None = None) -> np.ndarray:
        """The picture, as bytes [row, column, channel]."""
        whole = self.measured.original(values).round().clamp(0, 255).to(torch.uint8)
        return whole.reshape(self.height, self.width, self.channels).numpy()

    def save(self, folder: Path) -> None:
        """Write `codec.json`."""
        content = {
            "height": self.height, "width": self.width, "channels": self.channels, "rows": self.rows,
            "shift": self.shift, "measured": self.measured.as_lists(),
        }  # fmt: skip
        (folder / _FILE).write_text(json.dumps(content), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote.

        Raises:
            ModelFolderError: the file is missing or is none of ours.
        """
        return cls(**Measured.read(folder / _FILE))


class PicturesConfig(CodecConfig):
    """A picture: an array, or the name of a file (PNG, JPEG, ...)."""

    reads_files: ClassVar[bool] = True
    endings: ClassVar[tuple[str, ...]] = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".tif", ".tiff", ".webp")
    steps: ClassVar[tuple[Step, ...]] = ()
    in_training: ClassVar[tuple[str, ...]] = ("shift",)

    by: Literal["whole", "rows"] = Field("whole", description="what an element is: all of the picture, or each row")
    colour: Literal["grey", "rgb"] = Field("grey", description="read files as grey, or as red, green and blue")
    shift: int = Field(0, ge=0, description="training sees pictures moved by up to so many pixels each way")

    def fit(self, raws: Iterable[Any]) -> Pictures:
        """Learn size, mean and standard deviation.

        Raises:
            DataError: there is no picture, or they differ in size.
        """
        channels = 1 if self.colour == "grey" else 3
        total = squares = torch.zeros(1, dtype=torch.float64)
        count, shape, first = 0, None, ""
        for raw in raws:
            picture = read_picture(raw, channels)
            if shape is None:
                shape, first = picture.shape, f" ({raw})" if isinstance(raw, str) else ""
            if picture.shape != shape:
                raise DataError(
                    f"{f'{raw}: ' if isinstance(raw, str) else ''}this picture has {picture.shape[1]} x "
                    f"{picture.shape[0]}, the first one{first} {shape[1]} x {shape[0]}: bring all to one size"
                )
            values = torch.from_numpy(picture.astype(np.float64))
            total, squares, count = total + values.sum(), squares + (values**2).sum(), count + values.numel()
        if shape is None:
            raise DataError("there are no pictures to learn from; look at data.train")
        measured = Measured.of(total, squares, count)
        height, width, _ = shape
        return Pictures(height, width, channels, self.by == "rows", measured, self.shift)

    def load(self, folder: Path) -> Pictures:
        """Read a codec of this kind that `Pictures.save` wrote; training sees as these settings say."""
        codec = Pictures.load(folder)
        codec.shift = self.shift
        return codec


def read_picture(raw: Any, channels: int) -> np.ndarray:
    """A picture as an array [row, column, channel] of bytes (arrays keep their type).

    Raises:
        DataError: it is no picture, or has other channels.
    """
    if isinstance(raw, str):
        from PIL import Image, UnidentifiedImageError  # here: texts need no pictures

        try:
            with Image.open(raw) as opened:
                if opened.mode.startswith(("I", "F")):
                    raise DataError("the picture has more than 8 bits a channel; convert it to 8", raw)
                raw = np.asarray(opened.convert("L" if channels == 1 else "RGB"))
        except FileNotFoundError:
            raise DataError("there is no such picture", raw) from None
        except UnidentifiedImageError:
            raise DataError("this is no picture; give PNG or JPEG", raw) from None
        except OSError as fault:
            raise DataError(f"this is no picture ({fault}); give PNG or JPEG", raw) from None
    picture = np.asarray(raw)
    if picture.ndim == 2:
        picture = picture[:, :, None]
    if picture.ndim != 3 or picture.shape[2] != channels:
        raise DataError(f"an array of shape {picture.shape} is given; a picture is [row, column] or [..., {channels}]")
    if picture.dtype.kind == "f" and not np.isfinite(picture).all():
        raise DataError("a picture holds nan or infinity; mend it")
    return picture
