"""Published files of ranks: the pattern and the special tokens that they do not hold themselves.

Some are known by their names, others by what is in them.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence

from toktk.pretokenizers.patterns import PATTERNS

_END, _PROMPT = "<|endoftext|>", "<|endofprompt|>"
_MIDDLE = ("<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>")
_GPT2 = ("gpt2", {_END: 50_256})
_HARMONY = {
    "<|startoftext|>": 199_998,
    _END: 199_999,
    "<|return|>": 200_002,
    "<|constrain|>": 200_003,
    "<|channel|>": 200_005,
    "<|start|>": 200_006,
    "<|end|>": 200_007,
    "<|message|>": 200_008,
    "<|call|>": 200_012,
    _PROMPT: 200_018,
}
_RESERVED = set(range(200_000, 201_088)).difference(_HARMONY.values())
_HARMONY |= {f"<|reserved_{i}|>": i for i in sorted(_RESERVED)}
# By the name of the file: the name of the pattern, and the special tokens; as tiktoken 0.14 has them.
ENCODINGS: Mapping[str, tuple[str, Mapping[str, int]]] = {
    "gpt2": _GPT2,
    "r50k_base": _GPT2,
    "p50k_base": _GPT2,
    "p50k_edit": ("gpt2", {_END: 50_256} | {name: 50_281 + i for i, name in enumerate(_MIDDLE)}),
    "cl100k_base": (
        "cl100k",
        {_END: 100_257, _PROMPT: 100_276} | {name: 100_258 + i for i, name in enumerate(_MIDDLE)},
    ),
    "o200k_base": ("o200k", {_END: 199_999, _PROMPT: 200_018}),
    "o200k_harmony": ("o200k", _HARMONY),
}

_CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
_UPPER, _LOWER = (
    rf"[\p{{{case}}}\p{{Lm}}\p{{Lo}}\p{{M}}&&[^\p{{Han}}]]" for case in (r"Lu}\p{Lt", "Ll")
)
# tokenization_kimi.py of moonshotai/Kimi-K2-Instruct: o200k with runs of Han characters by themselves.
KIMI = (
    rf"[\p{{Han}}]+|[^\r\n\p{{L}}\p{{N}}]?{_UPPER}*{_LOWER}+{_CONTRACTIONS}"
    rf"|[^\r\n\p{{L}}\p{{N}}]?{_UPPER}+{_LOWER}*{_CONTRACTIONS}"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def _numbered(first: int, names: Iterable[str]) -> dict[str, int]:
    return {name: first + i for i, name in enumerate(names)}


def _reserved(name: str, numbers: Iterable[int]) -> list[str]:
    return [f"<|{name}_{i}|>" for i in numbers]


# llama_models/llama3/tokenizer.py and llama4/tokenizer.py of the package llama-models 0.3.0.
_LLAMA3 = [
    "<|begin_of_text|>", "<|end_of_text|>", *_reserved("reserved_special_token", range(2)),
    "<|finetune_right_pad_id|>", "<|step_id|>", "<|start_header_id|>", "<|end_header_id|>",
    "<|eom_id|>", "<|eot_id|>", "<|python_tag|>", "<|image|>",
    *_reserved("reserved_special_token", range(2, 246)),
]  # fmt: skip
_POST = "text_post_train_reserved_special_token"
_VISION = "vision_reserved_special_token"
_LLAMA4 = [
    "<|begin_of_text|>", "<|end_of_text|>", *_MIDDLE,
    "<|header_start|>", "<|header_end|>", "<|eom|>", "<|eot|>", "<|step|>",
    *_reserved(_POST, range(6)), "<|python_start|>", "<|python_end|>", "<|finetune_right_pad|>",
    *_reserved(_POST, range(8, 69)),
    "<|image_start|>", "<|image_end|>", *_reserved(_VISION, range(2)),
    "<|tile_x_separator|>", "<|tile_y_separator|>", *_reserved(_VISION, range(2, 6)),
    "<|image|>", *_reserved(_VISION, [6]), "<|patch|>", *_reserved(_VISION, range(7, 1048)),
    *_reserved("reasoning_reserved_special_token", range(8)),
    "<|reasoning_thinking_start|>", "<|reasoning_thinking_end|>",
]  # fmt: skip
_LLAMA4 += _reserved("reserved_special_token", range(2048 - len(_LLAMA4)))
# dashscope/tokenizers/qwen_tokenizer.py of the package dashscope 2.0.2.
_QWEN = [_END, "<|im_start|>", "<|im_end|>", *_reserved("extra", range(205))]
# tokenizer_config.json of moonshotai/Kimi-K2-Instruct; what is left is numbered.
_KIMI = {
    0: "[BOS]", 1: "[EOS]", 2: "<|im_end|>", 3: "<|im_user|>", 4: "<|im_assistant|>",
    6: "<|start_header_id|>", 7: "<|end_header_id|>", 9: "[EOT]", 10: "<|im_system|>",
    11: "<|tool_calls_section_begin|>", 12: "<|tool_calls_section_end|>", 13: "<|tool_call_begin|>",
    14: "<|tool_call_argument_begin|>", 15: "<|tool_call_end|>", 17: "<|im_middle|>",
    254: "[UNK]", 255: "[PAD]",
}  # fmt: skip


def kimi_tokens(first: int, names: Mapping[int, str]) -> dict[str, int]:
    """Return the 256 special tokens behind `first` ranks: `names` by id, the others by number."""
    ids = range(first, first + 256)
    return {names.get(i, f"<|reserved_token_{i}|>"): i for i in ids}


# By the sha256 of the lines: name, pattern and special tokens. OpenAI's are those of tiktoken 0.14.
_PUBLISHED: Mapping[str, tuple[str, str, Mapping[str, int]]] = {
    "82e9d31979e92ab929cd544440f129d9ecd797b69e327f80f17e1c50d5551b55":
        ("llama3", PATTERNS["llama3"], _numbered(128_000, _LLAMA3)),
    "d0bdbaf59b0762c8c807617e2d8ea51420eb1b1de266df2495be755c8e0ed6ed":
        ("llama4", PATTERNS["o200k"], _numbered(200_000, _LLAMA4)),
    "b2b1b8dfb5cc5f024bafc373121c6aba3f66f9a5a0269e243470a1de16a33186":
        ("qwen", PATTERNS["qwen2"], _numbered(151_643, _QWEN)),
    "b6c497a7469b33ced9c38afb1ad6e47f03f5e5dc05f15930799210ec050c5103":
        ("kimi", KIMI, kimi_tokens(163_584, {163_584 + i: name for i, name in _KIMI.items()})),
}  # fmt: skip
_HASHES = {
    "306cd27f03c1a714eca7108e03d66b7dc042abe8c258b44c199a7ed9838dd930": "r50k_base",
    "94b5ca7dff4d00767bc256fdd1b27e5b17361d7b8a5f968547f9f23eb70d2069": "p50k_base",
    "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7": "cl100k_base",
    "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d": "o200k_base",
}


def named_encoding(name: str) -> tuple[str, str, Mapping[str, int]] | None:
    """Return name, pattern and special tokens of the encoding of this name, None for another name."""
    if name not in ENCODINGS:
        return None
    pattern, special_tokens = ENCODINGS[name]
    return name, PATTERNS[pattern], special_tokens


def published_encoding(ranks: Mapping[bytes, int]) -> tuple[str, str, Mapping[str, int]] | None:
    """Return the same of published ranks, whatever their file is called and how its lines end."""
    lines = _lines(sorted(ranks, key=ranks.__getitem__), ranks)
    digest = hashlib.sha256(lines).hexdigest()
    return _PUBLISHED.get(digest) or named_encoding(_HASHES.get(digest, ""))


def _lines(tokens: Sequence[bytes], ranks: Mapping[bytes, int]) -> bytes:
    return b"".join([b"%s %d\n" % (base64.b64encode(token), ranks[token]) for token in tokens])
