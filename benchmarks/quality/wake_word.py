"""Train a wake word (the digit seven) for some normalised minutes, and let it hear an hour of other recordings.

    python benchmarks/quality/wake_word.py tag/wake_word --minutes 20 --output DIR [key=value ...]

Reads `fsdd` in the folder ANYSEQ_DATA names; without it, says so and ends. Of each speaker and digit the recordings
14 to 49 are train; 10 to 13 (a tenth of train) choose checkpoint and threshold, in an hour of babble, the harder
noise; 5 to 9 are heard: an hour in which one of them comes every 2 s on average, gaps of 0.2 to 4 s, a tenth of them
sevens; once in white noise, once in the babble of six (recordings of train, no sevens), both at 10 dB. With `--live`
it is heard in pieces of 20 ms, too, and the same must come of it: the times, and the numbers to 1e-5.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
from timed import arguments, data_folder, train_and_judge

from anyseq.api import Predictor
from anyseq.core import Item
from anyseq.data.spoken import written
from anyseq.data.synthetic.streams import Composer, Recording, StreamsConfig

KEYWORD = "7"
RATE_HZ = 8000
PIECE = RATE_HZ // 50
NOISES = ("white", "babble")
STREAM = {"snr_db": (10.0, 10.0), "loudness_db": 0.0, "keyword_share": 0.1, "every_s": 2.0, "gaps_s": (0.2, 4.0)}


def recordings() -> dict[str, list[Recording]]:
    with np.load(data_folder("fsdd") / "train.npz") as file:
        audio, offsets, labels = file["audio"], file["offsets"], file["label"].tolist()
        speakers, numbers = [str(each) for each in file["speaker"]], file["index"].tolist()
    found: dict[str, list[Recording]] = {"train": [], "chosen_by": [], "heard": []}
    for place, (speaker, number) in enumerate(zip(speakers, numbers, strict=True)):
        samples = audio[offsets[place] : offsets[place + 1]].astype(np.float32) / 32768
        split = "heard" if number < 10 else "chosen_by" if number < 14 else "train"
        found[split].append(Recording(samples, str(labels[place]), f"{labels[place]}_{speaker}_{number}"))
    return found


def hear(predictor: Predictor, composer: Composer, noise: str, seconds: float, live: bool) -> Mapping[str, Any]:
    stream = composer.stream(StreamsConfig(seconds=seconds, noises=(noise,), **STREAM), seed=7)
    item = Item({"source": stream.samples, "target": written(stream.spoken)})
    found = predictor.task.tally([item])
    said, missed = Counter(found.names), Counter(found.missed)
    return {
        **found.figures(),
        "missed_by_recording": {name: f"{count} of {said[name]}" for name, count in missed.most_common()},
        **(hear_live(predictor, item) if live else {}),
    }


def hear_live(predictor: Predictor, item: Item) -> Mapping[str, Any]:
    samples, whole = item.raw["source"], predictor.listener()
    at_once, expected = zip(*((found, whole.levels) for found in whole.whole(samples)), strict=True)
    listener, levels, detections = predictor.listener(), [], []
    began = time.monotonic()
    for first in range(0, len(samples), PIECE):
        detections += listener.feed(samples[first : first + PIECE])
        levels.append(listener.levels)
    return {
        "live_seconds": round(time.monotonic() - began, 1),
        "live_minus_whole_largest": float(np.abs(np.concatenate(levels) - np.concatenate(expected)).max()),
        "live_times_are_the_same": [each.time_s for each in detections]
        == [each.time_s for found in at_once for each in found],
    }


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--seconds", type=float, default=3600.0, help="of the stream that is heard")
    parser.add_argument("--live", action="store_true", help="hear it in pieces of 20 ms, too: minutes")
    given = parser.parse_intermixed_args()
    found = recordings()
    pairs = {name: [(each.samples, each.label) for each in own] for name, own in found.items()}
    heard = Composer(found["heard"], KEYWORD, RATE_HZ, babble=found["train"])

    def judge(predictor: Predictor) -> Mapping[str, Any]:
        conditions = {noise: hear(predictor, heard, noise, given.seconds, given.live) for noise in NOISES}
        return {"threshold": predictor.task.threshold(), **conditions}

    settings = {"data.keyword": KEYWORD, "data.train": pairs["train"], "data.dev": pairs["chosen_by"]}
    judged = {"data.judged.count": 60, "data.judged.loudness_db": 0.0, "data.judged.noises": ["babble"]}
    train_and_judge(given, {**settings, **judged}, judge)


if __name__ == "__main__":
    main()
