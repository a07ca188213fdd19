import gzip
import json
from collections import Counter

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toktk.corpus import ReaderOptions, concat, load_corpus, train_and_test
from toktk.corpus.corpus import HELD_OUT
from toktk.errors import CorpusError


def rows(corpus):
    """Return text, without the line feed that ends it, group and alignment id of each document."""
    found = []
    for batch in corpus.batches():
        found += zip(*(batch.column(i).to_pylist() for i in range(3)), strict=True)
    return [(text.removesuffix("\n"), group, align) for text, group, align in found]


def rows_or_none(corpus):
    try:
        return rows(corpus)
    except CorpusError as error:
        assert "no documents" in str(error)  # noqa: PT017
        return []


def texts(corpus):
    return [text for text, _, _ in rows_or_none(corpus)]


@pytest.fixture(params=[None, 64], ids=["large batches", "small batches"])
def lines(request, tmp_path, monkeypatch):
    if request.param:
        monkeypatch.setattr("toktk.corpus.text.BATCH_BYTES", request.param)
        monkeypatch.setattr("toktk.corpus.batch.BATCH_BYTES", request.param)
    path = tmp_path / "lines.txt"
    path.write_text("".join(f"line {i % 700} é\n" for i in range(1000)), encoding="utf-8")
    return path


@pytest.fixture
def parallel(tmp_path):
    for language in ("de", "en", "zh"):
        text = "".join(f"{language} {i}\n" for i in range(300))
        (tmp_path / f"{language}.txt").write_text(text, encoding="utf-8")
    return load_corpus(str(tmp_path), ReaderOptions(align_column="line"))


def test_split_is_disjoint_complete_and_keeps_equal_texts_together(lines):
    corpus = load_corpus(str(lines))
    train, test = corpus.split(0.2)
    assert Counter(texts(train)) + Counter(texts(test)) == Counter(texts(corpus))
    assert not set(texts(train)) & set(texts(test))
    assert 0.15 < len(set(texts(test))) / 700 < 0.25
    assert len({train.fingerprint, test.fingerprint, corpus.fingerprint}) == 3


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.text(st.characters(exclude_characters="\n", codec="utf-8")), min_size=1),
    st.randoms(),
)
def test_split_is_free_of_order(tmp_path_factory, documents, random):
    folder = tmp_path_factory.mktemp("t")
    shuffled = random.sample(documents, len(documents))
    sides = []
    for name, some in (("a.jsonl", documents), ("b.jsonl", shuffled)):
        dump = "".join(json.dumps({"text": text}) + "\n" for text in some)
        (folder / name).write_text(dump, encoding="utf-8")
        sides.append([Counter(texts(c)) for c in load_corpus(str(folder / name)).split(0.5)])
    assert sides[0] == sides[1]
    assert sides[0][0] + sides[0][1] == Counter(documents)


def test_split_of_parallel_text_keeps_translations_together(parallel):
    train, test = parallel.split(0.3)
    ids = [{align for _, _, align in rows(side)} for side in (train, test)]
    assert not ids[0] & ids[1]
    assert len(ids[0]) + len(ids[1]) == 300
    for side in (train, test):
        groups = Counter(group for _, group, _ in rows(side))
        assert len(set(groups.values())) == 1
        assert set(groups) == {"de", "en", "zh"}


def test_a_split_of_a_split_asks_anew(lines):
    train, _ = load_corpus(str(lines)).split(0.3)
    inner_train, inner_test = train.split(0.3)
    assert 0.2 < len(set(texts(inner_test))) / len(set(texts(train))) < 0.4
    assert Counter(texts(inner_train)) + Counter(texts(inner_test)) == Counter(texts(train))


def test_an_empty_side_says_so(tmp_path):
    path = tmp_path / "x.txt"
    path.write_text("only one\n")
    sides = [rows_or_none(side) for side in load_corpus(str(path)).split(0.5)]
    assert sorted(map(len, sides)) == [0, 1]


@pytest.mark.parametrize("test", [0, 1, -1, 2, float("nan")])
def test_a_share_outside_zero_and_one_is_refused(lines, test):
    with pytest.raises(CorpusError, match="between 0 and 1"):
        load_corpus(str(lines)).split(test)


def test_limit_takes_a_sample_by_the_seed_zero(lines):
    corpus = load_corpus(str(lines))
    limited = load_corpus(str(lines), ReaderOptions(limit=123))
    assert rows(limited) == rows(corpus.limit(123, seed=0)) == rows(limited)
    assert len(rows(limited)) == 123
    assert limited.fingerprint == corpus.limit(123, seed=0).fingerprint
    assert len(rows(load_corpus(str(lines), ReaderOptions(limit=5000)))) == 1000
    assert limited.fingerprint != corpus.fingerprint
    consumed = []
    list(limited.batches(consumed.append))
    assert sum(consumed) == limited.size


@pytest.mark.parametrize("limit", [1, 10, 123, 999, 1000, 1001])
def test_a_seeded_sample_has_exactly_that_many(lines, limit):
    options = ReaderOptions(limit=limit, seed=7)
    sample = rows(load_corpus(str(lines), options))
    assert len(sample) == min(limit, 1000)
    assert not Counter(sample) - Counter(rows(load_corpus(str(lines))))
    assert sample == rows(load_corpus(str(lines), options))


def test_a_seeded_sample_depends_on_the_seed_not_the_order(lines, tmp_path):
    options = [ReaderOptions(limit=100, seed=seed) for seed in (1, 2, -5)]
    samples = [texts(load_corpus(str(lines), option)) for option in options]
    assert len({tuple(sample) for sample in samples}) == 3
    turned = tmp_path / "turned.txt"
    turned.write_text("\n".join(reversed(lines.read_text("utf-8").splitlines())), "utf-8")
    assert Counter(texts(load_corpus(str(turned), options[0]))) == Counter(samples[0])


def test_a_split_of_a_sample_is_a_fair_split(lines):
    sample = load_corpus(str(lines), ReaderOptions(limit=400, seed=1))
    _, test = sample.split(0.3)
    assert 0.2 < len(texts(test)) / 400 < 0.4


@pytest.mark.parametrize("seed", [0, 3])
def test_a_limit_of_parallel_text_counts_lines_in_every_language(parallel, seed):
    limited = rows(parallel.limit(20, seed))
    assert len(limited) == 60
    ids = {group: {a for _, g, a in limited if g == group} for group in ("de", "en", "zh")}
    assert ids["de"] == ids["en"] == ids["zh"]
    assert len(ids["de"]) == 20
    assert len(rows(parallel.limit(1000, seed))) == 900


def test_concat_keeps_order_and_adds_up(lines, parallel):
    first = load_corpus(str(lines))
    both = concat([first, parallel], "both")
    assert rows(both) == rows(first) + rows(parallel)
    assert both.size == first.size + parallel.size
    assert both.name == "both"
    assert both.fingerprint != concat([parallel, first], "both").fingerprint
    assert both.fingerprint == concat([first, parallel], "another name").fingerprint
    train, test = both.split(0.5)
    assert Counter(rows(train)) + Counter(rows(test)) == Counter(rows(both))
    with pytest.raises(CorpusError, match="no corpus"):
        concat([], "nothing")


def test_the_fingerprint_is_of_contents_groups_and_options(tmp_path):
    def fingerprint(name, content, **options):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        found = load_corpus(str(path), ReaderOptions(**options)).fingerprint
        assert len(found) == 64
        return found

    base = fingerprint("a/x.txt", b"one\ntwo\n")
    assert fingerprint("b/x.txt", b"one\ntwo\n") == base
    assert fingerprint("x.txt", b"one\ntwo\n", sample_by="line") == base
    with pytest.raises(CorpusError, match="does not fit"):
        fingerprint("x.txt", b"one\ntwo\n", text_column="other")
    others = {
        fingerprint("x.txt", b"one\ntwo"),
        fingerprint("y.txt", b"one\ntwo\n"),
        fingerprint("x.txt", b"one\ntwo\n", sample_by="document"),
        fingerprint("x.txt", b"one\ntwo\n", align_column="line"),
        fingerprint("x.txt", b"one\ntwo\n", errors="replace"),
        fingerprint("x.txt", b"one\ntwo\n", limit=1),
        fingerprint("x.txt", b"one\ntwo\n", limit=1, seed=1),
        fingerprint("x.txt", b"one\ntwo\n", limit=2),
    }
    assert len(others | {base}) == 9


def test_describe_is_json(lines):
    corpus = load_corpus(str(lines), ReaderOptions(limit=9, seed=1, sample_by="line"))
    train, _ = corpus.split()
    described = json.loads(json.dumps(train.describe()))
    assert described["selection"] == "train side of a 0.1 split"
    assert described["parts"][0]["selection"] == "a sample of 9 from all groups alike, seed 1"
    assert str(lines.parent) not in json.dumps(described)
    assert "lines.txt" in repr(corpus)


# --- specs


def test_options_by_name(tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_text('{"text": "a", "t": "b", "lang": "de"}\n')
    assert rows(load_corpus(path, group_column="lang")) == [("a", "de", None)]
    base = ReaderOptions(text_column="t", group_column="t")
    assert rows(load_corpus(str(path), base, group_column="lang")) == [("b", "de", None)]
    assert rows(load_corpus(path, base)) == [("b", "b", None)]
    with pytest.raises(CorpusError, match=r"'group_colum' \(did you mean 'group_column'"):
        load_corpus(path, group_colum="lang")
    with pytest.raises(CorpusError, match="unknown errors"):
        load_corpus(path, errors="ignore")


def test_several_specs_are_one_corpus(tmp_path):
    for name in "ab":
        (tmp_path / f"{name}.txt").write_text(f"{name}1\n{name}2\n")
    specs = [str(tmp_path / "a.txt"), tmp_path / "b.txt"]
    both = load_corpus(specs)
    assert both.name == "a.txt + b.txt"
    assert texts(both) == ["a1", "a2", "b1", "b2"]
    assert [text[0] for text in texts(load_corpus(specs, limit=1))] == ["a", "b"]
    alone = load_corpus(specs[:1])
    assert (alone.name, alone.fingerprint) == ("a.txt", load_corpus(specs[0]).fingerprint)
    with pytest.raises(CorpusError, match="no corpus given"):
        load_corpus([])


# --- what is held out


def test_a_tenth_of_each_corpus_is_held_out(lines, parallel, tmp_path):
    specs = [str(lines), str(tmp_path / "de.txt")]
    train, test = train_and_test(specs)
    assert train.name == "lines.txt (train) + de.txt (train)"
    assert test.name == "lines.txt (test) + de.txt (test)"
    parts = [load_corpus(spec).split(HELD_OUT) for spec in specs]
    assert texts(train) == texts(parts[0][0]) + texts(parts[1][0])
    assert texts(test) == texts(parts[0][1]) + texts(parts[1][1])
    assert texts(train_and_test(lines)[1]) == texts(parts[0][1])
    (alone,) = {side.fingerprint for side in (train_and_test(specs[:1])[1], parts[0][1])}
    assert alone == load_corpus(specs[0]).split()[1].fingerprint


def test_text_to_measure_on_is_read_whole(lines, parallel, tmp_path):
    options = ReaderOptions(limit=7)
    train, test = train_and_test([str(lines)], [str(tmp_path / "de.txt")] * 2, options)
    assert texts(train) == texts(load_corpus(lines, limit=7))
    assert texts(test) == 2 * texts(load_corpus(tmp_path / "de.txt", limit=7))
    assert len(texts(test)) == 14
    assert test.name == "de.txt + de.txt"


@pytest.mark.parametrize("spec", ["starter", "starter:train"])
def test_the_starter_corpus_has_a_part_to_measure_on(spec, lines):
    pytest.importorskip("wordfreq")
    train, test = train_and_test([spec, str(lines)])
    assert train.name == "starter + lines.txt (train)"
    assert test.name == "starter:eval + lines.txt (test)"
    assert train_and_test(["starter:code"])[1].name == "starter:code (test)"


def test_a_folder_is_read_sorted_with_subfolders_as_groups(tmp_path):
    (tmp_path / "sub" / "deeper").mkdir(parents=True)
    (tmp_path / ".hidden").mkdir()
    (tmp_path / "b.txt").write_text("b\n")
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(b'{"text": "a"}\n'))
    pq.write_table(pa.table({"text": ["p"]}), tmp_path / "sub" / "deeper" / "p.parquet")
    (tmp_path / "sub" / "news.2024.txt").write_text("n\n")
    for skipped in ("README.md", "info.json", "card.toml", ".hidden/x.txt", "x.txt.bak"):
        (tmp_path / skipped).write_text("skipped\n")
    assert rows(load_corpus(str(tmp_path))) == [
        ("a", "a", None),
        ("b", "b", None),
        ("p", "sub", None),
        ("n", "sub", None),
    ]
    assert rows(load_corpus(str(tmp_path / "sub" / "news.2024.txt")))[0][1] == "news.2024"


def test_a_folder_keeps_its_fingerprint_when_it_moves(tmp_path):
    fingerprints = set()
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "de.txt").write_text("hallo\n")
        (tmp_path / name / "en.txt").write_text("hello\n")
        fingerprints.add(load_corpus(str(tmp_path / name)).fingerprint)
    assert len(fingerprints) == 1


def test_a_glob_reads_any_extension_as_text(tmp_path):
    (tmp_path / "src" / "lib").mkdir(parents=True)
    (tmp_path / "src" / "main.c").write_text("int main;\n")
    (tmp_path / "src" / "lib" / "x.c").write_text("int x;\n")
    found = rows(load_corpus(str(tmp_path / "src" / "**" / "*.c")))
    assert found == [("int x;", "lib", None), ("int main;", "main", None)]


def test_a_json_file_given_by_name_is_json_lines(tmp_path):
    (tmp_path / "x.json").write_text('{"text": "a"}\n')
    assert texts(load_corpus(str(tmp_path / "x.json"))) == ["a"]


@pytest.mark.parametrize("make", [lambda p: p, lambda p: p / "*.txt"])
def test_no_files_is_an_error(tmp_path, make):
    with pytest.raises(CorpusError, match="no text in"):
        load_corpus(str(make(tmp_path)))


def test_an_unknown_spec_says_what_was_tried(tmp_path):
    with pytest.raises(CorpusError, match=r"did you mean 'flores-plus'\?(?s:.*)Tried: file"):
        load_corpus("flores-pluss")
    with pytest.raises(CorpusError, match=r"did you mean 'starter'"):
        load_corpus("startr")
    with pytest.raises(CorpusError, match="unknown corpus"):
        load_corpus(str(tmp_path / "missing.txt"))


def test_an_empty_file_is_an_error_when_read(tmp_path):
    path = tmp_path / "empty.txt"
    path.write_text("")
    with pytest.raises(CorpusError, match=r"no documents in empty\.txt"):
        rows(load_corpus(str(path)))
