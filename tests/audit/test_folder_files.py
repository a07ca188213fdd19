"""What a file and the files beside it change, planted one after the other."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from audited import beside, of_file, of_ranks, only
from public_samples import GPT2, LLAMA2, write

from toktk.audit.files import files

CLEAN = LLAMA2 | {"truncation": None}


def found(path: Path, document: dict[str, object] = CLEAN, **others: object):
    write(path / "tokenizer.json", document)
    return files(of_file(beside(path, **others)))


def test_a_clean_file(tmp_path: Path):
    findings = found(tmp_path)
    assert {finding.check: finding.severity for finding in findings} == {
        "engine": "ok",
        "files": "ok",
    }


def test_truncation_padding_and_dropout(tmp_path: Path):
    padding = {
        "strategy": "BatchLongest", "direction": "Right", "pad_to_multiple_of": None, "pad_id": 0,
        "pad_type_id": 0, "pad_token": "<unk>",
    }  # fmt: skip
    model = {**GPT2["model"], "dropout": 0.1}
    findings = found(tmp_path, {**GPT2, "padding": padding, "model": model})
    assert only(findings, "truncation").severity == "warning"
    assert "cuts every text to 5 tokens" in only(findings, "truncation").message
    assert only(findings, "padding").severity == "info"
    assert only(findings, "dropout").severity == "error"


def test_what_is_put_around_a_text(tmp_path: Path):
    single = [
        {"SpecialToken": {"id": "<s>", "type_id": 0}},
        {"Sequence": {"id": "A", "type_id": 0}},
    ]
    processor = {
        "type": "TemplateProcessing", "single": single, "pair": single,
        "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}},
    }  # fmt: skip
    around = only(found(tmp_path, CLEAN | {"post_processor": processor}), "added-around")
    assert (around.severity, around.examples) == ("info", ("<s>",))


def test_tokens_that_settings_add(tmp_path: Path):
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    n = len(LLAMA2["model"]["vocab"])
    decoder = {str(n): {"content": "<tool>", "special": True, **flags}}
    added = only(
        found(tmp_path, tokenizer_config={"added_tokens_decoder": decoder}), "added-beside"
    )
    assert (added.severity, added.ids, added.examples) == ("warning", (n,), ("<tool>",))


def test_what_transformers_does(tmp_path: Path):
    config = {
        "add_bos_token": True, "bos_token": "<s>", "clean_up_tokenization_spaces": True,
        "pad_token": {"content": "<pad>"}, "eos_token": "</s>",
    }  # fmt: skip
    generation = {"eos_token_id": 1, "bos_token_id": 10**6}
    findings = found(tmp_path, tokenizer_config=config, generation_config=generation)
    assert "<s>" in only(findings, "added-around").message
    assert only(findings, "clean-up").severity == "warning"
    nameless = found(tmp_path, tokenizer_config={"add_bos_token": True})
    assert "a bos token that it does not name" in only(nameless, "added-around").message
    bos, eos, pad = [(each.severity, each.message) for each in findings if each.check == "roles"]
    assert bos[0] == "error"
    assert "1,000,000, which is no id" in bos[1]
    assert eos[0] == pad[0] == "warning"
    assert "says eos is 1, tokenizer_config.json '</s>', which is 2" in eos[1]
    assert "'<pad>' as pad" in pad[1]


@pytest.mark.parametrize(("rows", "severity"), [(10, "error"), (10**4, "info")])
def test_rows_of_the_embedding(tmp_path: Path, rows: int, severity: str):
    assert only(found(tmp_path, config={"vocab_size": rows}), "embedding").severity == severity
    nested = {"text_config": {"vocab_size": rows}}
    assert only(found(tmp_path, config=nested), "embedding").severity == severity


def test_as_many_rows_as_ids(tmp_path: Path):
    findings = found(tmp_path, config={"vocab_size": len(LLAMA2["model"]["vocab"])})
    assert only(findings, "files").severity == "ok"


def test_a_template_that_writes_no_tokens(tmp_path: Path):
    template = "{{ '<s>' }}<|im_start|>{{ role }}[INST] <think> {% if a < b %}{% endif %}"
    found_ = only(found(tmp_path, tokenizer_config={"chat_template": template}), "template")
    assert (found_.severity, found_.examples) == ("warning", ("<|im_start|>", "[INST]"))
    (tmp_path / "chat_template.jinja").write_text("<|other|>", encoding="utf-8")
    assert only(found(tmp_path, tokenizer_config={}), "template").examples == ("<|other|>",)


def test_a_damaged_file_beside_it(tmp_path: Path):
    (tmp_path / "generation_config.json").write_text("{", encoding="utf-8")
    damaged = only(found(tmp_path), "files")
    assert damaged.severity == "warning"
    assert "generation_config.json beside the file cannot be read" in damaged.message


def test_a_tokenizer_at_hand_and_one_that_a_library_runs(tmp_path: Path):
    assert only(files(of_ranks([])), "files").message.startswith("not checked")
    model = {"type": "WordLevel", "vocab": {"[UNK]": 0, "a": 1}, "unk_token": "[UNK]"}
    path = write(tmp_path / "tokenizer.json", {**CLEAN, "model": model, "added_tokens": []})
    engine = only(files(of_file(path)), "engine")
    assert engine.severity == "info"
    assert engine.message.startswith("tokenizers ")


def test_odd_values_are_no_crash(tmp_path: Path):
    config = {"chat_template": [{"name": "a", "template": "[INST]"}], "bos_token": 5}
    generation = {"eos_token_id": ["x", None, 1], "pad_token_id": "y"}
    model = {"vocab_size": "many", "text_config": 3}
    write(tmp_path / "tokenizer.json", json.loads(json.dumps(CLEAN)))
    subject = of_file(tmp_path)
    findings = (
        files(subject)
        if beside(tmp_path, generation_config=generation, config=model, tokenizer_config=config)
        else []
    )
    assert only(findings, "template").examples == ("[INST]",)
