"""The tones of a telephone's keys, in noise."""

from __future__ import annotations

from random import Random

import numpy as np

from anyseq.core import Item
from anyseq.data.synthetic.base import SizedGeneratorConfig

SAMPLE_RATE_HZ = 8000
LOW_HZ, HIGH_HZ = (697, 770, 852, 941), (1209, 1336, 1477)
KEYS = ("123", "456", "789", "*0#")


class TonesConfig(SizedGeneratorConfig):
    """A key pressed for 60 to 200 ms, somewhere in 300 to 600 ms of noise that is as loud or 6 dB softer.

    Each key is the sum of two tones (ITU-T Q.23), each up to 1.5 % off, as loud as the other to 4 dB.
    """

    def generate(self, split: str) -> list[Item]:
        """Make the items of a split."""
        draw = Random(f"{self.seed} {split}")
        return [self._item(draw, key) for key in range(self.size(split))]

    def _item(self, draw: Random, number: int) -> Item:
        row, column = draw.randrange(4), draw.randrange(3)
        length, pressed = (int(draw.uniform(*ms) * SAMPLE_RATE_HZ / 1000) for ms in ((300, 600), (60, 200)))
        time = np.arange(pressed) / SAMPLE_RATE_HZ
        tone = np.zeros(pressed)
        for frequency in (LOW_HZ[row], HIGH_HZ[column]):
            turned, loudness = draw.uniform(0, 2 * np.pi), 10 ** (draw.uniform(-2, 2) / 20)
            tone += loudness * np.sin(2 * np.pi * frequency * draw.uniform(0.985, 1.015) * time + turned)
        noise = np.random.default_rng(draw.getrandbits(32)).standard_normal(length)
        sound = noise * 10 ** (draw.uniform(-6, 0) / 20)
        begin = draw.randrange(length - pressed)
        sound[begin : begin + pressed] += tone
        return Item({"source": (0.1 * sound).astype(np.float32), "target": KEYS[row][column]}, number)
