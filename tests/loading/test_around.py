"""What a tokenizer's own software puts around texts."""

import json

import pytest
from public_samples import GPT2, write

from toktk.loading.around import tokens_around

TEMPLATE = {
    "type": "TemplateProcessing",
    "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A"}}],
}
ROBERTA = {"type": "RobertaProcessing", "cls": ["<s>", 0], "sep": ["</s>", 2]}


@pytest.mark.parametrize(
    ("processor", "names"),
    [
        (None, []),
        ({"type": "ByteLevel"}, []),
        (TEMPLATE, ["<s>"]),
        (ROBERTA, ["<s>", "</s>"]),
        ({"type": "Sequence", "processors": [{"type": "ByteLevel"}, TEMPLATE]}, ["<s>"]),
        ({"type": "TemplateProcessing", "single": "東京"}, []),
    ],
)
@pytest.mark.parametrize("indent", [None, 2])
def test_the_processor_of_a_file(tmp_path, processor, names, indent):
    value = GPT2 | {"post_processor": processor}
    value["model"]["vocab"]["post_processor"] = 400  # a token may be called so
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(value, indent=indent, ensure_ascii=False), encoding="utf-8")
    assert tokens_around(str(path)) == names


def test_settings_beside_the_file(tmp_path):
    path = write(tmp_path / "tokenizer.json", GPT2 | {"post_processor": TEMPLATE})
    config = {"add_bos_token": True, "bos_token": {"content": "<s>"}, "add_eos_token": True}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    assert tokens_around(str(path)) == ["<s>", "the eos token"]


def test_ranks_of_tiktoken_add_nothing(tmp_path):
    (tmp_path / "mine.tiktoken").write_text("YQ== 0\nYg== 1\n")
    assert tokens_around(str(tmp_path / "mine.tiktoken")) == []
