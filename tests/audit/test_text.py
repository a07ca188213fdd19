"""Audits of texts: each fault planted, found, and counted; and a clean text, without any."""

from __future__ import annotations

import random

import pytest
import sample_texts
from small_corpora import lines

from toktk.audit.finding import SEVERITIES
from toktk.audit.text import audit_text
from toktk.corpus import Corpus, ReaderOptions, load_corpus
from toktk.errors import CorpusError
from toktk.lab.counted import CountedCorpora
from toktk.lab.meter import Meter

CLEAN = {language: lines(language, 300) for language in ("en", "de", "ru")}


@pytest.fixture(autouse=True)
def _own_home(home):
    """Keep figures apart: texts of equal content are one."""


def audited(texts, groups="en", training=True, align=None, weights=None):
    """Return the findings on documents by check."""
    corpus = Corpus.of(texts, groups, align, weights, name="planted")
    return by_check(corpus, training)


def by_check(corpus, training=True):
    findings = audit_text(corpus, training, CountedCorpora(Meter()))
    assert len({finding.check for finding in findings}) == len(findings)
    for finding in findings:
        assert finding.severity in SEVERITIES
        assert finding.subject == corpus.name
        assert finding.message.endswith(".")
        assert (finding.advice == "") == (finding.severity == "ok")
    return {finding.check: finding for finding in findings}


def clean(n=300):
    return CLEAN["en"][:n]


def of_languages():
    texts = [text for of_language in CLEAN.values() for text in of_language]
    return texts, [language for language, of in CLEAN.items() for _ in of]


@pytest.mark.parametrize("training", [True, False])
def test_a_clean_text(training):
    findings = audited(*of_languages(), training)
    assert {f.check: f.message for f in findings.values() if f.severity != "ok"} == {}
    assert "3 groups, by bytes: ru" in findings["balance"].message
    assert "Cyrillic" in findings["scripts"].message


def test_the_parallel_part_of_the_starter_corpus_is_clean():
    findings = by_check(load_corpus("starter:parallel", ReaderOptions()))
    assert {f.check: f.message for f in findings.values() if f.severity != "ok"} == {}
    assert "into 28 languages" in findings["byte-premium"].message


DAMAGES = {
    "mojibake": "It was a cafÃ© in the old town, they say",
    "replacement-characters": "It was a caf\ufffd in the old town",
    "nul": "It was a caf\0 in the old town, they say",
    "control-characters": "It was \x1b[1ma café\x9f in the old town",
    "byte-order-marks": "\ufeffIt was a café in the old town",
    "private-characters": "\uf0b7 It was a café in the old town",
    "invisible-characters": "It was a ca\xadfé in the old\u200b town",
    "html-entities": "It was &quot;a caf&eacute;&quot; in the old town",
    "html-tags": "It was <b>a café</b> in the old town",
    "line-ends": "It was a café\r\nin the old town\r\n",
    "normal-forms": "It was a cafe\u0301 in the old town",
}


@pytest.mark.parametrize("check", DAMAGES)
def test_planted_damage_is_found_and_quoted(check):
    finding = audited([*clean(), DAMAGES[check]])[check]
    assert finding.severity in ("info", "warning")
    assert (finding.count, finding.of, finding.unit) == (1, 301, "documents")
    assert len(finding.examples) == 1
    assert finding.examples[0] in DAMAGES[check]


@pytest.mark.parametrize("check", DAMAGES)
def test_damage_is_worse_the_more_there_is(check):
    severities = [
        audited([*clean(299), "é", *(f"{i} {DAMAGES[check]}" for i in range(n))])[check].severity
        for n in (0, 1, 300)
    ]
    ranks = [*map(SEVERITIES.index, severities)]
    assert severities[0] == "ok"
    assert ranks == sorted(ranks, reverse=True)
    if check in ("mojibake", "replacement-characters", "nul"):
        assert severities[2] == "error"


def test_damage_names_the_group_that_has_it():
    texts, groups = of_languages()
    texts[310], texts[311] = DAMAGES["mojibake"], DAMAGES["mojibake"] + " again: â€œ"
    only = audited(texts, groups)["mojibake"]
    assert only.group == "de"
    assert "2 of 900 documents (0.22%)" in only.message
    assert "in 4 places" not in only.message
    assert "all in de" in only.message
    texts[0] = DAMAGES["mojibake"]
    most = audited(texts, groups)["mojibake"]
    assert most.group == ""
    assert "most in de (2)" in most.message


def test_a_fault_of_a_long_document_is_judged_by_its_bytes():
    book = " ".join(clean() * 40)
    assert len(book) > 400_000
    finding = audited([f"{book} {DAMAGES['mojibake']}"])["mojibake"]
    assert finding.severity == "warning"  # a share of 100% of the documents would be an error
    assert audited([DAMAGES["mojibake"]])["mojibake"].severity == "error"


def test_mixed_line_ends():
    finding = audited(["a\nb\n", "a\r\nb\r\n", "a\r\nb\n", "a\rb", "none"])["line-ends"]
    assert "CR LF in 2 documents, with CR in 1, with LF in 2, 1 have both" in finding.message
    assert finding.severity == "warning"
    assert finding.count == 2


def test_invalid_utf8_that_was_replaced(tmp_path):
    path = tmp_path / "text.txt"
    path.write_bytes(b"first line\n\xff\xfe second line\n" * 3)
    findings = by_check(load_corpus(str(path), ReaderOptions(errors="replace")))
    assert findings["invalid-utf-8"].count == 6
    assert findings["invalid-utf-8"].severity == "warning"
    assert findings["replacement-characters"].severity == "error"


def test_exact_duplicates_by_group():
    texts = [f"{i}: {text} {text}"[:200] for i, text in enumerate(clean(200))]
    groups = ["en"] * 100 + ["de"] * 100
    texts[1:11] = [texts[0]] * 10
    texts[150] = texts[20]
    finding = audited(texts, groups)["duplicates"]
    assert (finding.count, finding.of) == (11, sum(len(text.encode()) >= 48 for text in texts))
    assert finding.severity == "warning"
    assert "1 in another group" in finding.message
    assert finding.examples[0] == texts[0][:60]
    assert finding.group == ""
    assert audited(texts, groups, training=False)["duplicates"].severity == "info"


def test_short_documents_are_no_duplicates():
    findings = audited([*clean(), *(["Yes, of course."] * 300)])
    assert findings["duplicates"].severity == "ok"
    assert findings["short-documents"].severity == "ok"
    assert audited([*clean(), *(["Yes."] * 300)])["short-documents"].severity == "info"
    # Of words with counts that is as it should be.
    words = audited(["a", "b"] * 9, weights=[7] * 18)
    assert words["short-documents"].severity == "ok"


def test_near_duplicates():
    chance = random.Random(3)
    words = [f"{chance.randrange(10**6):x}" for _ in range(10_000)]
    pages = [" ".join(words[i * 200 : i * 200 + 200]) for i in range(50)]
    changed = [page.replace(page.split()[80], "changed") for page in pages[:7]]
    half = [" ".join([*page.split()[:120], *words[-80:]]) for page in pages[7:12]]
    finding = audited([*pages, *changed, *half])["near-duplicates"]
    assert (finding.count, finding.of) == (7, 62)
    assert finding.severity == "warning"
    assert {text[:20] for text in finding.examples} <= {page[:20] for page in pages[:7]}
    assert len(finding.examples) == 4
    assert audited([*pages, *changed, *half])["duplicates"].severity == "ok"
    assert audited([*pages, *pages])["near-duplicates"].severity == "ok"


def test_lines_that_many_documents_have():
    menu = "Home | News | Sports | Contact us"
    pages = [f"{menu}\n{text}\n  All rights reserved by nobody.\n" for text in clean(60)]
    findings = audited(pages)
    finding = findings["repeated-lines"]
    assert (finding.count, finding.unit) == (2 * 59, "lines")
    assert finding.severity == "warning"
    assert set(finding.examples) == {menu, "All rights reserved by nobody."}
    assert audited([pages[0], pages[1], *clean()])["repeated-lines"].severity == "ok"


def test_repetitive_documents():
    spam = ["=" * 300, "buy " * 100, "the very same line\n" * 20]
    finding = audited([*clean(100), *spam])["repetitive-documents"]
    assert finding.count == 3
    assert "1 a character, 1 a word, 1 a line" in finding.message
    assert [text[:3] for text in finding.examples] == ["===", "buy", "the"]
    assert finding.severity == "warning"


def test_empty_documents_and_one_that_is_most_of_the_text():
    long = " ".join(CLEAN["de"]) * 3
    findings = audited([*clean(), *([" \n"] * 10), "", long])
    assert findings["empty-documents"].count == 11
    assert findings["empty-documents"].severity == "info"
    assert findings["longest-document"].severity == "warning"
    assert findings["longest-document"].count == len(long.encode())
    assert findings["longest-document"].examples == (long[:60],)
    assert audited([None, *clean()])["empty-documents"].message.endswith("text, 1, are left out.")
    assert audited(["", "a"])["empty-documents"].severity == "warning"
    assert "one document" in audited([long])["longest-document"].message


def test_unbalanced_groups():
    texts = [*(CLEAN["en"] * 9), *CLEAN["de"][:10], "да"]
    findings = audited(texts, ["en"] * 2700 + ["de"] * 10 + ["ru"])
    assert findings["balance"].severity == "warning"
    assert findings["balance"].group == "en"
    assert findings["scarce-groups"].group == "ru"
    assert "--temperature" in findings["balance"].advice
    measured = audited(texts, ["en"] * 2700 + ["de"] * 10 + ["ru"], training=False)
    assert measured["balance"].severity == "ok"
    assert "scarce-groups" not in measured
    files = audited([*texts, *clean(30)], ["en"] * 2710 + [f"file{i}" for i in range(31)])
    assert files["scarce-groups"].severity == "info"
    assert files["scarce-groups"].count == 31


def test_shares_are_of_bytes_times_weights():
    findings = audited(["aaaa", "bbbb"], ["en", "de"], weights=[3, 1], training=False)
    assert "en 75%, de 25%" in findings["balance"].message


def test_very_many_groups(monkeypatch):
    from toktk.audit import text_reading

    monkeypatch.setattr(text_reading, "MOST_GROUPS", 5)
    findings = audited(clean(40), [f"g{i}" for i in range(40)])
    assert "5 groups" in findings["balance"].message
    assert "(further groups)" in findings["balance"].message


def test_a_script_that_the_name_does_not_suggest():
    texts, groups = of_languages()
    wrong = ["ru" if group == "de" else group for group in groups[:600]]
    finding = audited(texts[:600], wrong)["foreign-scripts"]
    assert finding.severity == "warning"
    assert "ru is 100% Latin, 0% Cyrillic" in finding.message
    assert finding.group == "ru"
    assert audited(texts[:600], ["python"] * 600)["foreign-scripts"].severity == "ok"


def parallel(**changes):
    texts = {language: of[:] for language, of in sample_texts.parallel().items()}
    texts.update(changes)
    rows = [(text, language, str(i)) for language, of in texts.items() for i, text in enumerate(of)]
    return audited(*zip(*[(t, g) for t, g, _ in rows], strict=True), align=[a for *_, a in rows])


@pytest.mark.parametrize("group", ["de", "th", "en"])
def test_translations_that_are_cut_off(group):
    full = sample_texts.parallel()[group]
    finding = parallel(**{group: [line[: len(line) // 2] for line in full]})["byte-premium"]
    assert finding.severity == "warning"
    if group == "en":  # all others are compared with it
        assert finding.count == 28
    else:
        assert (finding.count, finding.of, finding.group) == (1, 28, group)
        assert f"{group} has 0." in finding.message or f"{group} has 1." in finding.message


def test_a_translation_of_some_lines_is_compared_with_those():
    full = sample_texts.parallel()["de"]
    assert parallel(de=full[:40])["byte-premium"].severity == "ok"
    assert "into 27 languages" in parallel(de=full[:20])["byte-premium"].message


def test_content_is_bytes_over_the_premium():
    texts = ["a" * 259, "a" * 307, "ก" * 238, "x" * 100]
    finding = audited(texts, ["eng_Latn", "deu_Latn", "tha_Thai", "wiki"])["content"]
    assert finding.severity == "info"
    assert "tha_Thai 33%, deu_Latn 33%, eng_Latn 33%." in finding.message
    assert finding.message.endswith("Far from that by bytes: tha_Thai 56%, eng_Latn 20%.")
    alike = audited(["a" * 2590, "ä" * 1536], ["en", "de"])["content"]
    assert "de 50%, en 50%" in alike.message
    assert alike.severity == "ok"
    assert "not named after languages" in audited(["a" * 50, "б"], ["x", "y"])["content"].message


def test_an_audit_is_kept_and_read_again(home):
    corpus = Corpus.of([*clean(), *DAMAGES.values(), *clean(5)], "en", name="kept")
    first = audit_text(corpus, True, CountedCorpora(Meter()))
    meter = Meter()
    assert audit_text(corpus, True, CountedCorpora(meter)) == first
    assert [cost.step for cost in meter.costs if cost.reused] == ["audit"]
    assert {cost.step for cost in meter.costs if not cost.reused} == {"fingerprint"}
    assert audit_text(corpus, True, CountedCorpora(Meter(), force=True)) == first


def test_the_same_findings_for_any_batches(corpus_of):
    texts, groups = of_languages()
    texts = [
        *texts,
        *DAMAGES.values(),
        *texts[:40],
        "=" * 300,
        *["long line of a page\nsecond"] * 4,
    ]
    groups = [*groups, *(["en"] * (len(texts) - len(groups)))]
    rows = [(text, group, 1) for text, group in zip(texts, groups, strict=True)]
    whole, parts = (
        audit_text(corpus_of(rows, n), True, CountedCorpora(Meter(), force=True))
        for n in (10_000, 37)
    )
    assert [f.message for f in whole] == [f.message for f in parts]


def test_nasty_texts(nasty_texts):
    findings = audited(nasty_texts, [f"nasty {i % 3}" for i in range(len(nasty_texts))])
    assert findings["nul"].count == 2
    assert findings["repetitive-documents"].count >= 2
    for finding in findings.values():
        assert all(isinstance(text, str) for text in finding.examples)
        finding.to_json()


def test_no_documents():
    with pytest.raises(CorpusError, match="no documents"):
        audited([])


@pytest.mark.skipif(not sample_texts.HELP.exists(), reason="the help pages are not at hand")
def test_help_pages_of_twenty_languages():
    options = ReaderOptions(group_column="lang", align_column="id")
    findings = by_check(load_corpus(str(sample_texts.HELP), options))
    assert {f.severity for f in findings.values()} == {"ok", "info"}
    # One, as a person sees; and characters that were lost in the Chinese text.
    assert findings["mojibake"].count == 1
    assert findings["mojibake"].group == "nl"
    assert findings["control-characters"].count == 11
    assert findings["normal-forms"].group == "vi"
    assert "into 19 languages" in findings["byte-premium"].message
