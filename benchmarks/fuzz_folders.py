"""Tokenizers in folders and models: vocabularies with merges or settings beside them, GGUF, known ranks.

What is right is not what toktk hands to a library, but what the library reads itself: tokenizers from
``vocab.json`` and ``merges.txt``, from the lines of ``vocab.txt``, and from a ``tokenizer.json`` to which
the tokens of ``tokenizer_config.json`` are added as transformers adds them; tiktoken's reader of ranks; and,
of GGUF, a tokenizer built by hand of its fields.
"""

from __future__ import annotations

import base64
import copy
import hashlib
import json
import random
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fuzz_seeds

Damage = Callable[[bytes, random.Random], bytes]
Tree = Callable[[Any, list[Any], random.Random], Any]
Encode = Callable[[str], list[int]]

CUTS = {"gpt-2": (fuzz_seeds.R50K, False), "llama-bpe": (fuzz_seeds.SPLIT, True)}
WHITE = ("\n", "\r\n", "\n\n", " \n", "\t\n", "\n \n", "\r", "\v", "\x1c\n", "\x85\n")


class Folders:
    """The sound folders, and the cases that damage them; one of these in a process.

    Args:
        jsons: documents of tokenizer.json, by name.
        models: SentencePiece models, by name.
        damage: changes a few bytes.
        damage_tree: changes parts of a JSON document.
    """

    def __init__(
        self, jsons: dict[str, Any], models: dict[str, bytes], damage: Damage, damage_tree: Tree
    ) -> None:
        self.jsons, self.models = jsons, models
        self.damage, self.damage_tree = damage, damage_tree
        model = jsons["gpt2"]["model"]
        self.vocab = model["vocab"] | {"<|endoftext|>": len(model["vocab"])}
        self.merges = [m if isinstance(m, str) else " ".join(m) for m in model["merges"]]
        words = jsons["wordpiece"]["model"]["vocab"]
        self.words = sorted(words, key=words.__getitem__)
        self.ranks = [(base64.b64encode(token), rank) for token, rank in fuzz_seeds.ranks()]
        self._publish()

    def _publish(self) -> None:
        """Let toktk know the small ranks by their content, as it knows those of Llama."""
        from toktk.formats import encodings

        lines = b"".join(b"%s %d\n" % pair for pair in self.ranks)
        known = dict(encodings._PUBLISHED)
        known[hashlib.sha256(lines).hexdigest()] = (
            "small", fuzz_seeds.SPLIT, {"<|end|>": len(self.ranks)},
        )  # fmt: skip
        encodings._PUBLISHED = known

    def make(self, place: Path, chance: random.Random) -> tuple[str, Encode | None]:
        """Write a damaged folder; returns its spec, and what gives the right ids where anything does."""
        kinds = (self._pairs, self._words, self._settings, self._settings, self._gguf, self._known)
        return chance.choice(kinds)(place, chance)

    def _maybe(self, raw: bytes, chance: random.Random, share: float = 0.3) -> bytes:
        return self.damage(raw, chance) if chance.random() < share else raw

    def _tree(self, tree: Any, chance: random.Random, share: float = 0.5) -> Any:
        return self.damage_tree(tree, [tree], chance) if chance.random() < share else tree

    def _pairs(self, place: Path, chance: random.Random) -> tuple[str, Encode | None]:
        names = chance.choice((("vocab.json", "merges.txt"), ("encoder.json", "vocab.bpe")))
        vocab, merges = self._tree(self.vocab, chance), list(self.merges)
        for _ in range(chance.choice((0, 1, 2))):
            at, other = (chance.randrange(len(merges)) for _ in range(2))
            match chance.randrange(5):
                case 0:
                    merges[at], merges[other] = merges[other], merges[at]
                case 1:
                    del merges[at]
                case 2:
                    merges.insert(at, merges[other])
                case 3:
                    merges.insert(
                        at, chance.choice(("#version: 0.2", "# x", "", "a", "a b c", " a"))
                    )
                case _:
                    merges[at] = merges[at].replace(" ", chance.choice(("  ", "\t", "\u00a0")))
        end = chance.choice(("\n", "\n", "\r\n"))
        text = end.join([*["#version: 0.2"] * chance.randrange(2), *merges, ""])
        raw = json.dumps(vocab, ensure_ascii=chance.random() < 0.5)
        files = [place / name for name in names]
        files[0].write_bytes(self._maybe(raw.encode(errors="surrogatepass"), chance, 0.2))
        files[1].write_bytes(self._maybe(text.encode(), chance, 0.2))
        prefix: Any = None
        if chance.random() < 0.4:
            prefix = chance.choice((True, False, None, 1, "x"))
            config = {"add_prefix_space": prefix, "tokenizer_class": "GPT2Tokenizer"}
            (place / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
        spec = str(chance.choice((place, *files)))

        def build() -> Encode:
            from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers

            made = Tokenizer(models.BPE.from_file(*map(str, files)))
            made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=bool(prefix))
            names = [name for name in ("<|endoftext|>", "<s>", "</s>", "<unk>") if name in vocab]
            made.add_special_tokens([AddedToken(name, normalized=False) for name in names])
            return _encode(made)

        return spec, _right(build)

    def _words(self, place: Path, chance: random.Random) -> tuple[str, Encode | None]:
        words = list(self.words)
        for _ in range(chance.choice((0, 1, 2))):
            at = chance.randrange(len(words))
            odd = ("", " ", "##", "[UNK]", "[X]", "##a", "a b", "É", "\u2028", words[at], "a\t")
            words.insert(at, chance.choice(odd))
        text = chance.choice(("\n", "\n", "\r\n")).join([*words, *[""] * chance.randrange(2)])
        (place / "vocab.txt").write_bytes(self._maybe(text.encode(), chance))
        lower = chance.choice((True, False))
        config = {"do_lower_case": lower, "tokenizer_class": "BertTokenizer"}
        (place / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")

        def build() -> Encode:
            from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers

            # As transformers reads it; WordPiece.from_file drops blanks at the ends of tokens.
            with (place / "vocab.txt").open(encoding="utf-8") as file:
                vocab = {line.rstrip("\n"): i for i, line in enumerate(file)}
            made = Tokenizer(models.WordPiece(vocab, unk_token="[UNK]"))
            made.normalizer = normalizers.BertNormalizer(lowercase=lower)
            made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
            made.add_special_tokens([AddedToken("[UNK]", normalized=False)])
            return _encode(made)

        return str(place), _right(build)

    def _settings(self, place: Path, chance: random.Random) -> tuple[str, Encode | None]:
        name = chance.choice(("gpt2", "llama3", "digits", "llama2", "unigram", "wordpiece"))
        tree = self._tree(self.jsons[name], chance, 0.2)
        (place / "tokenizer.json").write_text(json.dumps(tree), encoding="utf-8")
        flags = ("lstrip", "normalized", "rstrip", "single_word", "special")
        entries: dict[str, Any] = {}
        for content in chance.sample(["<|end|>", "the", " fox", "é", "[X]", "aa", "▁▁"], 3):
            i = chance.choice((0, 5, 300, 1000, 1001))
            entries[str(i)] = {"content": content} | {flag: chance.random() < 0.2 for flag in flags}
        config: Any = {"added_tokens_decoder": entries, "unk_token": "<unk>"}
        kind = chance.randrange(3)
        if kind == 1:
            config = self._tree(config, chance, 1.0)
        raw = json.dumps(config).encode(errors="surrogatepass")
        file = "tokenizer_config.json"
        if kind == 2:
            file = chance.choice((file, "added_tokens.json", "special_tokens_map.json"))
            config = {e["content"]: int(i) for i, e in entries.items()}
            config = self._tree(config, chance)
            raw = json.dumps(config).encode(errors="surrogatepass")
        (place / file).write_bytes(self._maybe(raw, chance, 0.1))

        def build() -> Encode:
            from tokenizers import AddedToken, Tokenizer

            made = Tokenizer.from_file(str(place / "tokenizer.json"))
            if Tokenizer.from_str(made.to_str()).get_vocab() != made.get_vocab():
                raise ValueError("of two tokens of one id, the library writes one")
            old = made.get_added_tokens_decoder()
            for _, entry in sorted(entries.items(), key=lambda item: int(item[0])):
                token = AddedToken(**entry)
                if not any(_same(token, other) for other in old.values()):
                    made.add_tokens([token])
            # The library takes for special what once was, until it reads the file anew.
            return _encode(Tokenizer.from_str(made.to_str()))

        is_sound = kind == 0 and (place / file).read_bytes() == raw
        return str(place), _right(build) if is_sound else None

    def _gguf(self, place: Path, chance: random.Random) -> tuple[str, Encode | None]:
        path = place / "model.gguf"
        fields: dict[str, Any]
        build: Callable[[], Encode]
        if chance.random() < 0.5:
            cut = chance.choice(list(CUTS))
            tokens = [*sorted(self.vocab, key=self.vocab.__getitem__), "[X]"]
            kinds = [1] * (len(tokens) - 2) + [3, 4]
            fields = {"model": "gpt2", "pre": cut, "tokens": tokens, "token_type": kinds,
                      "merges": self.merges}  # fmt: skip

            def build() -> Encode:
                return _encode(_byte_level(fields, CUTS[cut]))
        else:
            raw = self.models[chance.choice(("bpe", "bpe-plain"))]
            fields = _fields_of(raw)

            def build() -> Encode:
                import sentencepiece

                made = sentencepiece.SentencePieceProcessor(model_proto=raw)
                return lambda text: list(made.Encode(text))

        roll = chance.random()
        if roll < 0.5:
            fields = copy.deepcopy(fields)
            fields = self.damage_tree(fields, [fields], chance)
        packed = gguf(fields if isinstance(fields, dict) else {}, chance.choice((2, 3)))
        path.write_bytes(self._maybe(packed, chance, 0.3))
        is_sound = roll >= 0.5 and path.read_bytes() == packed and fields["model"] == "gpt2"
        return str(path), _right(build) if is_sound else None

    def _known(self, place: Path, chance: random.Random) -> tuple[str, Encode | None]:
        """Write ranks without arguments beside them, with white space and line ends of all kinds."""
        lines = list(self.ranks)
        if chance.random() < 0.3:
            chance.shuffle(lines)
        if chance.random() < 0.3:
            at = chance.randrange(256, len(lines))
            lines[at] = (lines[at][0], lines[at][1] + chance.choice((1, 9)))
        text = b""
        for token, rank in lines:
            odd = chance.random() < 0.03
            between = chance.choice(("\t", "  ", " \t", "\v", "\u00a0")) if odd else " "
            number = (
                chance.choice(("%d", "%02d", "+%d", "%d 1")) if chance.random() < 0.002 else "%d"
            )
            end = chance.choice(WHITE) if chance.random() < 0.03 else "\n"
            text += token + f"{between}{number % rank}{end}".encode()
        path = place / chance.choice(("tokenizer.model", "some.tiktoken"))
        path.write_bytes(self._maybe(text, chance, 0.1))

        def build() -> Encode:
            import tiktoken
            from tiktoken.load import load_tiktoken_bpe

            made = tiktoken.Encoding(
                "small", pat_str=fuzz_seeds.SPLIT, mergeable_ranks=load_tiktoken_bpe(str(path)),
                special_tokens={"<|end|>": len(self.ranks)},
            )  # fmt: skip
            return made.encode_ordinary

        return str(path), _right(build)


def _same(a: Any, b: Any) -> bool:
    names = ("content", "lstrip", "rstrip", "normalized", "single_word", "special")
    return all(getattr(a, name) == getattr(b, name) for name in names)


def _right(build: Callable[[], Encode]) -> Encode | None:
    try:
        return build()
    except BaseException as error:
        # A library's panic is no Exception.
        if not isinstance(error, Exception) and type(error).__module__ != "pyo3_runtime":
            raise
        return None


def _encode(tokenizer: Any) -> Encode:
    tokenizer.encode_special_tokens = True  # their names in text are text, in toktk
    return lambda text: list(tokenizer.encode(text, add_special_tokens=False).ids)


def _byte_level(fields: dict[str, Any], cut: tuple[str, bool]) -> Any:
    from tokenizers import AddedToken, Regex, Tokenizer, models, pre_tokenizers

    n = len(fields["tokens"]) - 2
    vocab = {name: i for i, name in enumerate(fields["tokens"][:n])}
    merges = [tuple(pair.split(" ")) for pair in fields["merges"]]
    made = Tokenizer(models.BPE(vocab, merges, ignore_merges=cut[1]))
    split = pre_tokenizers.Split(Regex(cut[0]), "isolated")
    level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    made.pre_tokenizer = pre_tokenizers.Sequence([split, level])
    made.add_tokens(
        [
            AddedToken(name, normalized=False, special=i == 0)
            for i, name in enumerate(fields["tokens"][n:])
        ]
    )
    return made


def _fields_of(raw: bytes) -> dict[str, Any]:
    import sentencepiece

    made = sentencepiece.SentencePieceProcessor(model_proto=raw)
    ids = range(made.GetPieceSize())
    return {
        "model": "llama",
        "tokens": [made.IdToPiece(i) for i in ids],
        "scores": [made.GetScore(i) for i in ids],
        "token_type": [
            6 if made.IsByte(i) else 2 if made.IsUnknown(i) else 3 if made.IsControl(i) else 1
            for i in ids
        ],
    }


def gguf(fields: dict[str, Any], version: int) -> bytes:
    """Return a GGUF file with the fields of a tokenizer."""
    parts = [b"GGUF", struct.pack("<IQQ", version, 0, len(fields) + 1)]
    for key, item in {"general.architecture": "llama", **fields}.items():
        kind, raw = _value(item)
        name = key if key.startswith("general") else f"tokenizer.ggml.{key}"
        parts += [_text(name), struct.pack("<I", kind), raw]
    return b"".join(parts) + b"\0" * 64


def _text(value: str) -> bytes:
    raw = value.encode(errors="surrogatepass")
    return struct.pack("<Q", len(raw)) + raw


def _value(item: Any) -> tuple[int, bytes]:
    if isinstance(item, bool):
        return 7, struct.pack("<?", item)
    if isinstance(item, str):
        return 8, _text(item)
    if isinstance(item, int):
        return 5, struct.pack("<i", (item + 2**31) % 2**32 - 2**31)
    if isinstance(item, float):
        return 12, struct.pack("<d", item)
    if not isinstance(item, list):
        return 8, _text(json.dumps(item))
    kinds = [_value(entry) for entry in item]
    kind = kinds[0][0] if kinds else 5
    same = [raw for own, raw in kinds if own == kind]
    return 9, struct.pack("<IQ", kind, len(same)) + b"".join(same)
