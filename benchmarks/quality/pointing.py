"""Train a pointing model for some normalised minutes, and judge it on problems drawn apart, beside published figures.

    python benchmarks/quality/pointing.py point/hull --test 5 10 --minutes 60 --output DIR [key=value ...]
    python benchmarks/quality/pointing.py point/hull --test 50 100 200 --minutes 120 --output DIR \\
        data.generator.least=5 data.generator.most=50
    python benchmarks/quality/pointing.py point/tsp --given tsp_10_exact --test 5 10 --minutes 60 --output DIR

`--test` names numbers of points: `--count` problems of each are drawn with a seed of their own, with exact answers, and
searched with the recipe's beam and greedily; tours, where `--starts` says in how many cities they begin, also by the
shortest of several looks: from eight sides, and greedily from each start. `--given` names a file of the folder `ptrnet`
of the one ANYSEQ_DATA names (convex_hull_5, tsp_10_exact), published lines that stand for the published test. Dev is
drawn by the recipe, with another seed. Without `--test` and `--given` nothing is judged but dev.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from timed import arguments, data_folder, train_and_judge

from anyseq.api import Predictor
from anyseq.config import load_recipe
from anyseq.core import Item
from anyseq.data.synthetic.points import PointsConfig

SEED = 20_150_612  # of what is judged

# Vinyals et al. 2015, Tables 1 and 2, and the text of section 4.3: the models trained on the same number of points, or
# (from 50 on, and of hulls all) on 5 to 50. Tours: mean length, and that of the shortest.
PUBLISHED: Mapping[str, Mapping[int, str]] = {
    "hull": {
        5: "accuracy 92.0, area 99.6 (LSTM without pointers 87.7, 99.6)",
        10: "accuracy 87.0, area 99.8 (LSTM without pointers 29.9, FAIL)",
        50: "accuracy 69.6 (72.6 trained on 50 alone), area 99.9 (LSTM 1.9, with attention 38.9)",
        100: "accuracy 50.3, area 99.9",
        200: "accuracy 22.1, area 99.9",
        500: "accuracy 1.3, area 99.2",
    },
    "delaunay": {
        5: "accuracy 80.7, coverage 93.0", 10: "accuracy 22.6, coverage 81.3", 50: "accuracy 0, coverage 52.8",
    },
    "tour": {
        5: "length 2.12, shortest 2.12", 10: "length 2.88, shortest 2.87", 20: "length 3.88, shortest 3.83",
    },
}  # fmt: skip
GIVEN = ("convex_hull_5", "tsp_10_exact")


def judged(predictor: Predictor, items: list[Item], starts: int) -> dict[str, Any]:
    """Figures with the recipe's search, and greedily; and the shortest tours of several looks, begun so often."""
    items, references = predictor.task.judged_by_targets(items)  # type: ignore[assignment]
    searches: dict[str, dict[str, Any]] = {"beam": {}, "greedy": {"beam_size": 1}}
    if starts:
        begun = {"samples": starts, "spread": True, "temperature": 1e-6, "shortest": True}
        searches["eight_sides"] = {"beam_size": 1, "symmetries": 8, "shortest": True}
        searches["all_starts"] = begun
        searches["all_starts_eight_sides"] = {**begun, "symmetries": 8}
    found = {name: predictor.evaluate(items, references, **search) for name, search in searches.items()}
    own = {name: each.metrics for name, each in found.items()}
    trivial = predictor.task.trivial([], items)
    assert trivial is not None
    measures = [metric.measure(trivial.outputs, references) for metric in predictor.task.metrics]
    return {"count": len(items), **own, "trivial": {measure.name: measure.value for measure in measures}}


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--test", type=int, nargs="*", default=(), metavar="POINTS")
    parser.add_argument("--count", type=int, default=10_000, help="problems of each number of points")
    parser.add_argument("--given", choices=GIVEN, help="published lines to be judged on, too")
    parser.add_argument("--starts", type=int, default=0, help="of tours: begun in so many cities, the shortest counts")
    given = parser.parse_intermixed_args()
    folder = data_folder("ptrnet") if given.given else None
    problem = dict(load_recipe(given.recipe).data)["generator"].problem

    def judge(predictor: Predictor) -> Mapping[str, Any]:
        figures: dict[str, Any] = {}
        for points in given.test:
            drawn = PointsConfig(problem=problem, least=points, most=points, test=given.count, seed=SEED)
            published = PUBLISHED.get(problem, {}).get(points, "")
            found = judged(predictor, drawn.generate("test"), given.starts)
            figures[f"points_{points}"] = {**found, "published": published}
        if folder is not None:
            lines = predictor.task.read_pairs(str(folder / f"{given.given}.rest.txt.gz"))
            figures[given.given] = judged(predictor, lines, given.starts)
        return {"test": figures}

    train_and_judge(given, {}, judge)


if __name__ == "__main__":
    main()
