"""Libraries that hang, abort or complain: an error of the tokenizer, which names the document."""

import json

import pytest
from public_samples import GPT2, split

from toktk.child import kill_all
from toktk.errors import FormatError, TrainingError
from toktk.libraries import process
from toktk.libraries.huggingface import HfDocumentsModel
from toktk.models.vocabulary import packed
from toktk.trainers.base import TrainingData, versions_of
from toktk.trainers.huggingface import HfBpeTrainer


@pytest.fixture
def fake(monkeypatch):
    """A library that does what the text says."""
    process._host_of.cache_clear()
    monkeypatch.setattr(process, "WORKER", "fake_library")
    yield
    process._host_of.cache_clear()


@pytest.fixture
def hasty(monkeypatch):
    """No time for what is longer than 1000 bytes, and all the time for what is not."""
    monkeypatch.setattr(process, "engine_timeout", lambda n=0: 0.3 if n > 1000 else 300.0)


def encoded(model, *texts):
    ids, ends = model.encode_pieces(*packed([text.encode() for text in texts]))
    starts = [0, *ends.tolist()]
    return [bytes(ids[a:b].tolist()).decode() for a, b in zip(starts, ends.tolist(), strict=False)]


@pytest.mark.usefixtures("fake", "hasty")
def test_a_document_at_which_the_library_hangs_is_named(capfd):
    model = HfDocumentsModel("a file")
    with pytest.raises(FormatError) as caught:
        encoded(model, "fine", f"hang on {'x' * 2000}", "fine too")
    what, found, advice = str(caught.value).splitlines()
    assert what == "cannot encode this text."
    assert found.startswith(f"  Found: tokenizers {version()} took more than 0.3 s at the document")
    assert found.endswith(f" 'hang on {'x' * 32}'… (2,008 bytes).")
    assert "--engine-timeout" in advice
    assert encoded(model, "fine", "é") == ["fine", "é"]
    assert capfd.readouterr() == ("", "")


@pytest.mark.usefixtures("fake", "hasty")
def test_the_limit_is_one_of_a_document_not_of_all():
    texts = [f"{i} {'x' * 900}" for i in range(20)]
    slow = [*texts, "hang"]
    model = HfDocumentsModel("a file")
    assert encoded(model, *texts) == texts
    process_ask, asked = model._library.ask, []

    def ask(what, text, offsets):  # as if the library were slow, all together
        asked.append(offsets.size - 1)
        if offsets.size > 2:
            return process_ask(what, packed([b"hang" + b"x" * 2000])[0], packed([b"x" * 2004])[1])
        return process_ask(what, text, offsets)

    model._library.ask = ask
    assert encoded(model, *texts) == texts
    assert asked == [20] + [1] * 20
    assert len(slow) == 21


@pytest.mark.usefixtures("fake")
@pytest.mark.parametrize(
    ("text", "how"),
    [("abort", r"ended by signal 6 \(SIGABRT\)"), ("complain", r"says: no such thing")],
)
def test_what_a_library_does_not_survive_is_an_error(capfd, text, how):
    model = HfDocumentsModel("a file")
    with pytest.raises(FormatError, match=rf"tokenizers \S+ {how} at the document '{text}'"):
        encoded(model, "fine", text)
    assert encoded(model, "fine") == ["fine"]
    with pytest.raises(
        FormatError, match=rf"cannot load this tokenizer\.json(.|\n)*{how}"
    ) as caught:
        HfDocumentsModel(text)
    assert "--engine-timeout" not in str(caught.value)  # time would not help
    assert capfd.readouterr() == ("", "")


@pytest.mark.usefixtures("fake")
def test_children_are_started_anew_and_forget_what_is_gone():
    models = [HfDocumentsModel(f"file {i}") for i in range(3)]
    assert encoded(models[0], "a") == ["a"]
    kill_all()
    assert [encoded(model, "b") for model in models] == [["b"]] * 3
    host = models[0]._library._host
    assert len(host.loaded) == 3
    del models[1:]
    assert encoded(models[0], "c") == ["c"]
    assert len(host.loaded) == 1
    child = host._child
    models.clear()
    assert not child.running


def test_a_pattern_that_backtracks(monkeypatch):
    """Oniguruma takes minutes; nobody waits."""
    monkeypatch.setattr(process, "engine_timeout", lambda n=0: 1.0 if n == 200_000 else 300.0)
    cut = split(r"(a+)\1+b")
    model = HfDocumentsModel(json.dumps({**GPT2, "pre_tokenizer": cut}))
    assert encoded(model, "") == [""]
    with pytest.raises(FormatError, match=r"took more than 1 s at .*… \(200,000 bytes\)"):
        encoded(model, "a" * 200_000)


@pytest.mark.usefixtures("fake")
@pytest.mark.parametrize(
    ("text", "how"), [("abort", r"Found: \S+ \S+ ended by signal 6"), ("complain", "no such thing")]
)
def test_a_training_that_a_library_does_not_survive(corpus_of, text, how):
    data = TrainingData(corpus_of([("fine", "g", 1), (text, "g", 1)]))
    with pytest.raises(TrainingError, match=rf"cannot train 300 tokens with hf-bpe\.\n.*{how}"):
        HfBpeTrainer().train(data, [300])


def version():
    return versions_of(HfBpeTrainer)["tokenizers"]


@pytest.mark.usefixtures("home")
def test_another_version_of_a_library_trains_anew(corpus_of, monkeypatch):
    import toktk

    trained, train = [], HfBpeTrainer.train
    record = lambda self, *arguments: trained.append(1) or train(self, *arguments)  # noqa: E731
    monkeypatch.setattr(HfBpeTrainer, "train", record)
    corpus = corpus_of([("some text, some more text", "g", 1)])
    for _ in range(2):
        toktk.train("hf-bpe", corpus, [257])
    assert len(trained) == 1
    monkeypatch.setattr("toktk.trainers.base.version", lambda package: f"0.0.1 of {package}")
    toktk.train("hf-bpe", corpus, [257])
    assert len(trained) == 2


def test_the_versions_that_decide_are_in_every_key(corpus_of, monkeypatch, tmp_path):
    from toktk.lab.bench import Bench
    from toktk.lab.counted import CountedCorpora
    from toktk.lab.family import TokenizerFamily
    from toktk.lab.measure import Measurer
    from toktk.lab.measures import Measures
    from toktk.lab.meter import Meter
    from toktk.lab.plan import BenchPlan, SweepPlan
    from toktk.lab.sweep import Sweep
    from toktk.pretokenizers.pretokenizer import Pretokenizer
    from toktk.tokenizer import Tokenizer

    monkeypatch.setenv("TOKTK_HOME", str(tmp_path / "home"))
    (tmp_path / "tokenizer.json").write_text(json.dumps(GPT2))
    corpus = corpus_of([("some text", "g", 1)])

    def keys():
        plan = SweepPlan(corpus, None, (300,), trainers=("hf-bpe", "sp-bpe", "bpe"))
        model = HfDocumentsModel(json.dumps(GPT2))
        tokenizer = Tokenizer("t", Pretokenizer.of("none"), model)
        measurer = Measurer(corpus, Measures(), CountedCorpora(Meter()))
        return [
            *(family.key() for family in plan.families),
            Sweep(plan).prepare(),
            Bench(BenchPlan((str(tmp_path),), corpus)).prepare(),
            measurer._key(TokenizerFamily("t", {"t": tokenizer})),
        ]

    before = keys()
    assert keys() == before
    for room in ("trainers.base", "libraries.process", "loading.load"):
        monkeypatch.setattr(f"toktk.{room}.version", lambda package: "0.0.1")
    changed = [a != b for a, b in zip(before, keys(), strict=True)]
    assert changed == [True, True, False, True, True, True]


@pytest.mark.usefixtures("fake")
def test_a_child_ends_with_its_last_tokenizer_unless_it_is_kept_running():
    model = HfDocumentsModel("a file")
    host = process._host_of("tokenizers")
    child = host._child
    with process.kept_running():
        del model
        assert child.running
        model = HfDocumentsModel("another")
        assert host._child is child
        assert encoded(model, "text") == ["text"]
    assert child.running  # it holds a tokenizer
    del model
    assert not child.running


@pytest.mark.usefixtures("fake")
def test_a_child_that_was_started_ahead_and_not_asked_ends():
    process.start_ahead("tokenizers")
    host = process._host_of("tokenizers")
    assert host._child is None  # nobody would end it
    with process.kept_running():
        process.start_ahead("tokenizers")
        with host.turn() as child:
            assert child.running
    assert not child.running
