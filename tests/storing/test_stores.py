import json
from pathlib import Path
from unittest import mock

import pytest
import torch

from anyseq import api
from anyseq.cli.main import main
from anyseq.config import load_recipe
from anyseq.data.batching import Packed
from anyseq.data.corpora import mixture, read_corpora
from anyseq.data.store import sources
from anyseq.data.store.shards import narrow
from anyseq.data.store.store import Store
from anyseq.errors import DataError, OutputExistsError
from anyseq.tasks import storing
from tiny_runs import assert_same_run, tensors
from tiny_stores import TINY, prepare, train


@pytest.fixture
def small_shards(monkeypatch):
    monkeypatch.setattr(sources, "SHARD_LINES", 40)


def test_a_store_holds_what_reading_into_memory_gives(texts, tmp_path, small_shards):
    made = prepare(texts, tmp_path / "store")
    assert (made.count, made.left_out, made.held_out, made.total) == (299, 1, 0, 300)
    store = Store(tmp_path / "store")
    assert len(store.shards) == 8
    task = load_recipe("translate/attention", [*TINY, *texts.train, *texts.dev, "data.prepare=never"]).build()
    splits = task.read()
    task.fit_codecs(splits.train)
    splits = task.select(splits)
    assert list(store) == list(splits.train)
    assert store.left_out() == list(splits.left_out) and store.left_out()[0][0].endswith("train.source:18")
    rows = torch.randperm(299)[:100]
    for name, packed in splits.encoded.items():
        assert isinstance(packed, Packed)
        assert store.fields[name].lengths.equal(packed.lengths.int())
        found, wanted = store.fields[name].rows(rows), packed.rows(rows)
        assert found.values.equal(wanted.values) and found.valid.equal(wanted.valid)


def test_training_from_a_store_is_training_from_texts_bit_for_bit(texts, tmp_path, small_shards):
    prepare(texts, tmp_path / "store")
    train(tmp_path / "texts_run", *texts.train, *texts.dev, "data.prepare=never")
    train(tmp_path / "store_run", f"data.train={tmp_path}/store", *texts.dev)
    train(tmp_path / "cache_run", *texts.train, *texts.dev, "data.prepare=always")
    assert_same_run(tmp_path / "texts_run", tmp_path / "store_run")
    assert_same_run(tmp_path / "texts_run", tmp_path / "cache_run")


def test_a_run_on_prepared_data_goes_on_bit_for_bit(texts, tmp_path, small_shards):
    words = (*texts.train, *texts.dev, "data.prepare=always", "training.schedule=constant")
    train(tmp_path / "whole", *words)
    train(tmp_path / "halves", *words, "training.max_steps=4")
    api.resume(tmp_path / "halves", overrides=["training.max_steps=12"], device="cpu", threads=1)
    one, other = (tensors(tmp_path / name, 12) for name in ("whole", "halves"))
    assert [name for name in one if not torch.equal(one[name], other[name])] == []


def test_preparing_goes_on_where_it_was_killed(texts, tmp_path, small_shards, monkeypatch):
    calls, write = [], storing.write_shard
    killed = mock.Mock(side_effect=[mock.DEFAULT] * 3 + [KeyboardInterrupt], wraps=write)
    monkeypatch.setattr(storing, "write_shard", killed)
    with pytest.raises(KeyboardInterrupt):
        prepare(texts, tmp_path / "store")
    assert not (tmp_path / "store").exists()
    done = {path.name: path.stat().st_mtime_ns for path in (tmp_path / ".store.preparing").glob("shard_*.symbols")}
    assert len(done) == 3
    monkeypatch.setattr(storing, "write_shard", write)
    prepare(texts, tmp_path / "store", tell=lambda text, _: calls.append(text))
    assert any("3 shards are done" in text for text in calls)
    assert all((tmp_path / "store" / name).stat().st_mtime_ns == when for name, when in done.items())
    prepare(texts, tmp_path / "another")
    assert Store(tmp_path / "store").digest == Store(tmp_path / "another").digest


def test_a_changed_file_is_noticed(texts, tmp_path):
    prepare(texts, tmp_path / "store")
    path = texts.folder / "train.source"
    path.write_text(path.read_text() + "more\n")
    with pytest.raises(DataError, match=r"train\.source changed since it was prepared"):
        api.train("translate/attention", tmp_path / "run", device="cpu", overrides=[
            *(word for word in TINY if word != "data.check=off"), f"data.train={tmp_path}/store", *texts.dev
        ])  # fmt: skip


def test_the_cache_is_made_anew_for_a_changed_file(texts, tmp_path):
    words = (*texts.train, *texts.dev, "data.prepare=always", "training.max_steps=1", "training.validate_every=1")
    train(tmp_path / "run", *words)
    for side in ("source", "target"):
        with (texts.folder / f"train.{side}").open("a") as stream:
            stream.write("red\n")
    train(tmp_path / "other", *words)
    homes = [path for path in (tmp_path / "cache/prepared").iterdir() if path.is_dir()]
    assert sorted(len(Store(home)) for home in homes) == [299, 300]


@pytest.mark.parametrize("damage", ["cut", "changed", "removed"])
def test_a_damaged_shard_is_named(texts, tmp_path, small_shards, damage):
    prepare(texts, tmp_path / "store")
    path = tmp_path / "store" / "shard_00003.symbols"
    content = bytearray(path.read_bytes())
    content[-5] ^= 255
    path.unlink()
    if damage != "removed":
        path.write_bytes(content[:-1] if damage == "cut" else content)
    with pytest.raises(DataError, match=r"shard_00003\.symbols: this shard of prepared data is damaged"):
        train(tmp_path / "run", f"data.train={tmp_path}/store", *texts.dev)


def test_other_settings_than_it_was_prepared_with_are_refused(texts, tmp_path):
    prepare(texts, tmp_path / "store")
    with pytest.raises(DataError, match=r"max_length is 128 there, 50 here"):
        train(tmp_path / "run", f"data.train={tmp_path}/store", *texts.dev, "data.max_length=50")
    with pytest.raises(OutputExistsError, match=r"already holds prepared data"):
        prepare(texts, tmp_path / "store")
    prepare(texts, tmp_path / "store", "data.max_length=50", overwrite=True)


def test_a_dev_part_is_held_out_with_no_source_in_both(texts, tmp_path, small_shards):
    words = [*TINY, *texts.train, "data.held_out=20"]
    made = api.prepare_data("translate/attention", tmp_path / "store", overrides=words, workers=2)
    store = Store(tmp_path / "store")
    held = store.held_out()
    assert 5 <= len(held) == made.held_out <= 40 and len(store) == 299 - len(held)
    assert not {item.raw["source"] for item in held} & {item.raw["source"] for item in store}
    train(tmp_path / "run", f"data.train={tmp_path}/store", "data.held_out=20")


def test_a_faulty_line_is_told_with_file_and_line(texts, tmp_path, small_shards):
    table = tmp_path / "train.tsv"
    rows = ["source\ttarget", *(f"red {n}\tblue" for n in range(100))]
    rows[71] = "lonely"
    table.write_text("\n".join(rows) + "\n")
    with pytest.raises(DataError, match=r"train\.tsv:72: 1 columns"):
        api.prepare_data("transduce/pairs", tmp_path / "store", overrides=[f"data.train={table}"], workers=1)


def test_there_must_be_something_to_prepare(tmp_path, capsys):
    assert main(["prepare", "translate/attention", "--output", str(tmp_path / "store")]) == 2
    assert "nothing to prepare: give data.train" in capsys.readouterr().err


def test_corpora_have_weights_in_memory_and_on_disk(texts, tmp_path, small_shards):
    path = {side: str(texts.folder / f"train.{side}") for side in ("source", "target")}
    small = {side: str(texts.folder / f"dev.{side}") for side in ("source", "target")}
    given = json.dumps([{"path": path, "weight": 1}, {"path": small, "weight": 4}])
    words = (f"data.train={given}", *texts.dev, "training.max_steps=30", "training.validate_every=30")
    train(tmp_path / "memory", *words, "data.prepare=never")
    train(tmp_path / "disk", *words, "data.prepare=always")
    assert_same_run(tmp_path / "memory", tmp_path / "disk")
    [home] = [path for path in (tmp_path / "cache/prepared").iterdir() if path.is_dir()]
    assert Store(home).mixture.counts == (299, 20) and Store(home).mixture.shown == (299, 80)


def test_the_cache_tells_one_corpus_of_two_files_from_two_corpora(texts, tmp_path, small_shards):
    train_, dev = (
        {side: str(texts.folder / f"{name}.{side}") for side in ("source", "target")} for name in ("train", "dev")
    )
    both = {side: [train_[side], dev[side]] for side in train_}
    short = (*texts.dev, "data.prepare=always", "training.max_steps=1", "training.validate_every=1")
    train(tmp_path / "one", f"data.train={json.dumps(both)}", *short)
    two = json.dumps([{"path": train_, "weight": 1}, {"path": dev, "weight": 4}])
    train(tmp_path / "two", f"data.train={two}", *short)
    homes = [path for path in (tmp_path / "cache/prepared").iterdir() if path.is_dir()]
    assert sorted(Store(home).mixture.counts for home in homes) == [(299, 20), (319,)]


def test_wrong_corpora_are_refused():
    for given in ([{"path": "a", "wieght": 2}], [{"path": "a", "weight": 0}], [{"path": "a"}, "b"]):
        with pytest.raises(DataError, match="corpus"):
            read_corpora(given, list)
    assert mixture([], ()) is None


def test_numbers_are_kept_in_the_smallest_type():
    assert narrow(torch.tensor([0, 255])).dtype == torch.uint8
    assert narrow(torch.tensor([0, 256])).dtype == torch.int16
    assert narrow(torch.tensor([0, 2**15])).dtype == torch.int32
    assert narrow(torch.tensor([0, 2**40])).dtype == torch.int64


def test_mapped_symbols_are_no_memory_of_the_process(texts, tmp_path):
    maps = Path("/proc/self/maps")
    if not maps.exists():
        pytest.skip("says nothing of its memory")
    prepare(texts, tmp_path / "store")
    store = Store(tmp_path / "store")
    values = store.shards[0].symbols["source.values"]
    assert values.data_ptr() and str(tmp_path / "store" / "shard_00000.symbols") in maps.read_text()
