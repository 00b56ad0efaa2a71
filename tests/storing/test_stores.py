import json
import os
import signal
import threading
import time
from pathlib import Path
from unittest import mock

import pytest
import torch

from anyseq import api
from anyseq.api.going_on import refuse_other_changes
from anyseq.cli.main import main
from anyseq.config import load_recipe
from anyseq.data.batching import Packed
from anyseq.data.corpora import Corpus, corpora, mixture, read_corpora
from anyseq.data.store import sources
from anyseq.data.store.shards import narrow
from anyseq.data.store.store import Store
from anyseq.errors import DataError, Interrupted, OutputExistsError, UsageError
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
    with pytest.raises(Interrupted, match="what is finished is kept: the same command goes on"):
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


def _slow(*given):
    time.sleep(60)


def test_a_signal_does_not_wait_for_the_shards_at_work(texts, tmp_path, small_shards, monkeypatch):
    monkeypatch.setattr(storing, "write_shard", _slow)
    began, words = time.monotonic(), [*TINY, *texts.train, *texts.dev]

    def interrupt():
        while not list((tmp_path / ".store.preparing").glob("learnt.json")):
            time.sleep(0.05)
        time.sleep(1)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(Interrupted):
        api.prepare_data("translate/attention", tmp_path / "store", overrides=words, workers=2)
    assert time.monotonic() - began < 40


def test_a_changed_file_is_noticed(texts, tmp_path):
    prepare(texts, tmp_path / "store")
    path = texts.folder / "train.source"
    path.write_text(path.read_text() + "more\n")
    with pytest.raises(DataError, match=r"train\.source changed since it was prepared"):
        api.train("translate/attention", tmp_path / "run", device="cpu", overrides=[
            *(word for word in TINY if word != "data.check=off"), f"data.train={tmp_path}/store", *texts.dev
        ])  # fmt: skip
    with pytest.raises(OutputExistsError, match=r"train\.source has changed since: --overwrite prepares it anew"):
        prepare(texts, tmp_path / "store")


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


def _damage(path):
    content = bytearray(path.read_bytes())
    content[-5] ^= 255
    path.write_bytes(content)


def test_a_damaged_cache_is_made_anew(texts, tmp_path, small_shards):
    words = (*texts.train, *texts.dev, "data.prepare=always", "training.max_steps=4")
    train(tmp_path / "run", *words)
    [home] = [path for path in (tmp_path / "cache/prepared").iterdir() if path.is_dir()]
    before = Store(home).digest
    _damage(home / "shard_00003.symbols")
    resumed = api.resume(tmp_path / "run", more_steps=4, device="cpu", threads=1)
    assert (resumed.folder / "last").read_text() == "step_8\n"
    other = train(tmp_path / "other", *words)
    assert other.folder.is_dir()
    for each in (path for path in (tmp_path / "cache/prepared").iterdir() if path.is_dir()):
        store = Store(each)
        store.check(texts=True)
        assert store.digest == before


def test_what_is_overwritten_stays_until_the_new_is_whole(texts, tmp_path, small_shards, monkeypatch):
    prepare(texts, tmp_path / "store")
    before = Store(tmp_path / "store").digest
    with monkeypatch.context() as patch, pytest.raises(Interrupted):
        patch.setattr(storing, "write_shard", mock.Mock(side_effect=KeyboardInterrupt))
        prepare(texts, tmp_path / "store", "data.max_length=50", overwrite=True)
    assert Store(tmp_path / "store").digest == before
    _damage(tmp_path / "store" / "shard_00003.symbols")
    prepare(texts, tmp_path / "store", overwrite=True)
    Store(tmp_path / "store").check(texts=True)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".store")] == []


def test_a_missing_dev_file_is_told_before_anything_is_prepared(texts, tmp_path, monkeypatch):
    monkeypatch.setattr(storing, "write_shard", mock.Mock(side_effect=AssertionError))
    with pytest.raises(DataError, match=r"none\.source"):
        prepare(texts, tmp_path / "store", f"data.dev.source={tmp_path}/none.source")


@pytest.mark.parametrize("name", ["dev.jsonl", "left_out.tsv"])
@pytest.mark.parametrize("content", [None, "{\n"])
def test_a_damaged_record_is_named(texts, tmp_path, name, content):
    words = [*TINY, *texts.train, "data.held_out=20"]
    api.prepare_data("translate/attention", tmp_path / "store", overrides=words, workers=1)
    path = tmp_path / "store" / name
    path.unlink()
    if content is not None:
        path.write_text(content * (2 if name == "left_out.tsv" else 1))
    with pytest.raises(DataError, match=f"{name}: this file of prepared data is damaged"):
        train(tmp_path / "run", f"data.train={tmp_path}/store", "data.held_out=20")


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
    with pytest.raises(DataError, match=r"train\.tsv:72: 1 column, expected 2"):
        api.prepare_data("transduce/pairs", tmp_path / "store", overrides=[f"data.train={table}"], workers=1)


INCHES = [f'{number}" disk,"{number}\nof ""them"""' for number in range(1, 60)]


@pytest.mark.parametrize(
    ("name", "content"),
    {
        "an odd number of quotes in cells without": ("train.csv", "\n".join(["source,target", *INCHES]) + "\n"),
        "a last part of empty lines alone": ("train.csv", "red,blue\n" * 40 + "\n" * 3),
        "objects, then empty lines": ("train.jsonl", '{"source": "red", "target": "blue"}\n' * 40 + "\n" * 3),
    }.values(),
)
def test_tables_are_cut_between_rows(tmp_path, small_shards, name, content):
    path = tmp_path / name
    path.write_text(content)
    words = [f"data.train={path}", f"data.dev={path}", "data.check=off", "data.prepare=never"]
    api.prepare_data("transduce/pairs", tmp_path / "store", overrides=words, workers=1)
    wanted = load_recipe("transduce/pairs", words).build().read().train
    store = Store(tmp_path / "store")
    assert [(item.raw, item.line) for item in store] == [(item.raw, item.line) for item in wanted]
    assert max(shard.count for shard in store.shards) <= 40


def test_sides_are_texts_a_line_whatever_their_files_are_called(tmp_path, small_shards):
    words = ["data.check=off", "data.max_skipped=1"]
    for side, line in (("source", '5" disk'), ("target", "disk")):
        (tmp_path / f"{side}.csv").write_text(f"{line}\n" * 41 + "\n" * 50)
        words += [f"data.train.{side}={tmp_path}/{side}.csv", f"data.dev.{side}={tmp_path}/{side}.csv"]
    made = api.prepare_data("transduce/pairs", tmp_path / "store", overrides=words, workers=1)
    assert (made.total, made.left_out) == (91, 50)


def test_a_quote_that_is_never_closed_is_told_with_its_line(tmp_path, small_shards):
    path = tmp_path / "train.csv"
    path.write_text("red,blue\n" * 50 + '"red,blue\n' + "red,blue\n" * 50)
    with pytest.raises(DataError, match=r"train\.csv:51: this is no CSV"):
        api.prepare_data("transduce/pairs", tmp_path / "store", overrides=[f"data.train={path}"], workers=2)


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


def test_a_resumed_run_keeps_the_weights_of_its_corpora():
    def config(*weights):
        given = json.dumps([{"path": f"{number}.tsv", "weight": weight} for number, weight in enumerate(weights)])
        return load_recipe("transduce/pairs", [f"data.train={given}"])

    refuse_other_changes(config(1, 4), config(1, 4.0))
    with pytest.raises(UsageError, match=r"weights of the corpora of data\.train"):
        refuse_other_changes(config(1, 4), config(2, 4))


def test_wrong_corpora_are_refused():
    for given in ([{"path": "a", "wieght": 2}], [{"path": "a", "weight": 0}], [{"path": "a"}, 3]):
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


def test_a_path_alone_is_a_corpus_of_weight_one_and_files_in_a_list_are_no_texts(tmp_path):
    paths = {name: str(tmp_path / f"{name}.txt") for name in ("source", "target")}
    for path in paths.values():
        Path(path).write_text("a\n")
    assert corpora([{"path": "a.tsv", "weight": 4}, "b.tsv"]) == [Corpus("a.tsv", 4.0), Corpus("b.tsv", 1.0)]
    with pytest.raises(DataError, match=r"leave out the brackets, or.*\{path: "):
        corpora([paths])
    texts = [{"source": "a text", "target": "x" * 5000}]
    assert corpora(texts) == [Corpus(texts)]
