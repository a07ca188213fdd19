"""The libraries' own process: it loads a tokenizer, encodes, and trains.

It imports no numpy, so that it starts quickly. What a library prints goes to standard error, which the
parent keeps.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import importlib
import io
import itertools
import operator
import re
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from toktk.child import MEMORY, Refused, serve
from toktk.errors import in_a_line
from toktk.runtime import in_threads, parts, usable_cores

_COMPLAINTS = (Exception, ValueError, RuntimeError, UnicodeDecodeError)
_TRAINERS = {"BPE": "Bpe"}  # what is not called like its model
_MARK = "\u2581"  # SentencePiece's space
_SPACE, _DELETED, _KEPT = range(3)
_LONGEST = 2**27  # characters of a line: SentencePiece is told to skip none of 2**30 bytes
_WIDTHS = {array(code).itemsize: code for code in "IQ"}

Stream = Iterator[list[bytes]]
Lists = Sequence[Sequence[int]]


@contextlib.contextmanager
def complaints() -> Iterator[None]:
    """Turn a library's complaints into `Refused`.

    Libraries written in Rust raise plain Exception or ValueError. Where their own code panics, they
    raise a class that derives from BaseException and cannot be imported. A message that is no UTF-8
    comes as UnicodeDecodeError.
    """
    try:
        yield
    except BaseException as error:
        if type(error) not in _COMPLAINTS and type(error).__name__ != "PanicException":
            raise
        raise Refused(f"{in_a_line(error):.1000}") from error


def texts_of(data: bytes, offsets: bytes) -> list[str]:
    """Return the documents ``data[offsets[d]:offsets[d + 1]]``; the offsets are int64."""
    return [data[a:b].decode() for a, b in itertools.pairwise(array("q", offsets))]


class Library:
    """One tokenizer in a library. The methods of its kinds are what the parent asks for."""

    def __init__(self) -> None:
        self._tokenizer: Any = None

    def encode(self, data: bytes, offsets: bytes) -> Any:
        """Return the ids of documents, uint32, and how many each has, int64.

        Or, alone, which document is the first that is no UTF-8.
        """
        try:
            texts = texts_of(data, offsets)
        except UnicodeDecodeError as error:
            places = itertools.pairwise(array("q", offsets))
            return next(d for d, (a, b) in enumerate(places) if data[a:b] == error.object)
        with complaints():
            lists = self._encode(texts)
        ids = array(_WIDTHS[4], itertools.chain.from_iterable(lists))
        return None, ids.tobytes(), array("q", map(len, lists)).tobytes()

    def lost(self, data: bytes, offsets: bytes, unknown: int | None) -> tuple[None, bytes]:
        """Return how many bytes of each document no token stands for, int64; `unknown` is the id of none."""
        texts = texts_of(data, offsets)
        with complaints():
            stands = self._standing(texts, unknown)
        each = zip(texts, stands, strict=True)
        return None, array("q", [_bytes_lost(text, flags) for text, flags in each]).tobytes()

    def places(self, data: bytes) -> tuple[bytes | None, ...]:
        """Return the ids of a document, uint32, and where each begins and ends in characters, int64.

        What each such part becomes when it is normalized by itself follows: offsets, int64, and text.
        """
        text = data.decode()
        with complaints():
            ids, begins, ends = self._places(text)
            normalized = functools.cache(self._normalized)
            parts = [normalized(text[a:b]) for a, b in zip(begins, ends, strict=True)]
        offsets = itertools.accumulate(map(len, parts), initial=0)
        places = (array("q", numbers).tobytes() for numbers in (begins, ends, offsets))
        return None, array(_WIDTHS[4], ids).tobytes(), *places, b"".join(parts)

    def _encode(self, texts: list[str]) -> Lists:
        raise NotImplementedError

    def _places(self, text: str) -> tuple[list[int], list[int], list[int]]:
        """Return the ids, and where each begins and ends."""
        raise NotImplementedError

    def _normalized(self, text: str) -> bytes:
        raise NotImplementedError

    def _standing(self, texts: list[str], unknown: int | None) -> list[bytearray]:
        """Return for each character of each text whether tokens stand for it."""
        raise NotImplementedError


def _bytes_lost(text: str, flags: bytearray) -> int:
    if 0 not in flags:
        return 0
    lost = itertools.compress(text, map(operator.not_, flags))
    return len("".join(lost).encode())


class HuggingFace(Library):
    """Hugging Face tokenizers."""

    def load(self, document: bytes) -> int:
        """Load the text of a ``tokenizer.json``; return the highest id, -1 for none."""
        from toktk.hf_library import Tokenizer

        with complaints():
            self._tokenizer = Tokenizer.from_str(document.decode())
            self._tokenizer.encode_special_tokens = True
            self._tokenizer.no_truncation()
            self._tokenizer.no_padding()
            # It adds special tokens, which are not asked for, and takes white space out of offsets.
            self._tokenizer.post_processor = None
            if getattr(self._tokenizer.model, "dropout", None):
                self._tokenizer.model.dropout = None  # is for training
        return max(self._tokenizer.get_vocab(with_added_tokens=True).values(), default=-1)

    def found(self, data: bytes, offsets: bytes) -> Any:
        """Return what `encode` does, special tokens found in text: so does the library by default."""
        self._tokenizer.encode_special_tokens = False
        try:
            return self.encode(data, offsets)
        finally:
            self._tokenizer.encode_special_tokens = True

    def _encode(self, texts: list[str]) -> Lists:
        encodings = self._tokenizer.encode_batch_fast(texts, add_special_tokens=False)
        return [encoding.ids for encoding in encodings]

    def _standing(self, texts: list[str], unknown: int | None) -> list[bytearray]:
        encodings = self._tokenizer.encode_batch(texts, add_special_tokens=False)
        each = zip(texts, encodings, strict=True)
        return [self._covered(text, encoding, unknown) for text, encoding in each]

    def _places(self, text: str) -> tuple[list[int], list[int], list[int]]:
        encoding = self._tokenizer.encode(text, add_special_tokens=False)
        begins, ends = zip(*encoding.offsets, strict=True) if encoding.ids else ((), ())
        return encoding.ids, [*begins], [*ends]

    def _normalized(self, text: str) -> bytes:
        normalizer = self._tokenizer.normalizer
        return (text if normalizer is None else str(normalizer.normalize_str(text))).encode()

    def _covered(self, text: str, encoding: Any, unknown: int | None) -> bytearray:
        flags, ids, places = bytearray(b"\1" * len(text)), encoding.ids, encoding.offsets
        begins, ends = zip(*sorted(places), strict=True) if places else ((), ())
        reached = itertools.accumulate(ends, max, initial=0)
        for end, begin in zip(reached, (*begins, len(text)), strict=True):
            if end < begin:
                flags[end:begin] = bytes(begin - end)
        if unknown in ids:  # a character that is unknown in part is lost as a whole
            for begin, end in itertools.compress(places, map(unknown.__eq__, ids)):
                flags[begin:end] = b"\2" * (end - begin)
        normalizer = self._tokenizer.normalizer
        if normalizer is not None and not text.isascii():
            _mark_composed(text, flags, normalizer.normalize_str)
        return flags.replace(b"\2", b"\0")

    def forms(self, characters: str) -> dict[str, Any]:
        """Return what each character becomes between two others, and whether it ends the words there.

        None stands for what is not as simple.
        """
        steps = self._tokenizer.normalizer, self._tokenizer.pre_tokenizer
        forms: list[str | None] = []
        cuts = []
        for character in characters:
            words: list[str] = []
            with contextlib.suppress(Refused), complaints():
                words = _words(f"a{character}a", *steps)
            form = None
            if len(words) in (2, 3) and words[0] == words[-1] == "a":
                form = "".join(words[1:-1])
            elif len(words) == 1 and len(words[0]) > 1 and words[0][0] == words[0][-1] == "a":
                form = words[0][1:-1]
            forms.append(form)
            cuts.append(len(words) > 1)
        return {"forms": forms, "cuts": cuts}

    def vocabulary(self, unknown: str | None) -> dict[str, Any]:
        """Return the model's names with their ids, the added tokens by id, and the id of a name."""
        added = sorted(self._tokenizer.get_added_tokens_decoder().items())
        return {
            "names": list(self._tokenizer.get_vocab(with_added_tokens=False).items()),
            "added": [(i, token.content, token.special) for i, token in added],
            "unknown": None if unknown is None else self._tokenizer.token_to_id(unknown),
        }

    def train(self, kind: str, split: str, options: dict[str, Any], stream: Stream) -> Any:
        """Train on the texts of a stream; return the library's file.

        `kind` is BPE, Unigram or WordPiece, `split` a pattern that cuts first.
        """
        from toktk.hf_library import models, pre_tokenizers, trainers

        # The library writes no WordPiece without a token for unknown text; ours has no such token.
        unknown = {"unk_token": "[UNK]"} if kind == "WordPiece" else {}
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        with complaints():
            trainer = getattr(trainers, f"{_TRAINERS.get(kind, kind)}Trainer")(
                **options, initial_alphabet=alphabet, show_progress=False
            )
            library = _by_byte(getattr(models, kind)(**unknown), split)
            library.train_from_iterator(_streamed(stream), trainer)
            return None, library.to_str().encode()

    def write(
        self,
        names: list[str],
        special_tokens: list[str],
        sizes: list[int],
        split: str,
        form: str | None,
    ) -> tuple[Any, ...]:
        """Return the files of WordPiece models that have the first of `names`, one for each size."""
        from toktk.hf_library import Regex, decoders, models, normalizers

        files = []
        for size in sizes:
            vocab = {name: i for i, name in enumerate(names[:size])}
            model = models.WordPiece(vocab, unk_token="[UNK]", max_input_chars_per_word=2**62)
            library = _by_byte(model, split)
            if form is not None:
                library.normalizer = getattr(normalizers, form)()
            marks = decoders.Replace(Regex("^##(?=.)"), "")
            library.decoder = decoders.Sequence([marks, decoders.ByteLevel()])
            library.add_special_tokens(special_tokens)
            files.append(library.to_str().encode())
        return None, *files


def _words(text: str, normalizer: Any, pretokenizer: Any) -> list[str]:
    if normalizer is not None:
        text = normalizer.normalize_str(text)
    if pretokenizer is None:
        return [text]
    return [word for word, _ in pretokenizer.pre_tokenize_str(text)]


def _mark_composed(text: str, flags: bytearray, normalize: Callable[[str], str]) -> None:
    """Give a character that a normalizer composes with one before that one's flag: offsets lack it."""
    before = previous = -1
    for at in list(itertools.compress(range(len(text)), map(operator.not_, flags))):
        if at - 1 != previous:
            before = at - 1
        previous = at
        if before >= 0 and not text[at].isascii():
            base = text[before:at]
            if not normalize(base + text[at]).startswith(normalize(base)):
                flags[at] = flags[before]


def _by_byte(model: Any, split: str) -> Any:
    """Return a tokenizer that cuts by a pattern, then spells pieces in bytes."""
    from toktk.hf_library import Regex, Tokenizer, decoders, pre_tokenizers

    library = Tokenizer(model)
    by_byte = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    steps = [pre_tokenizers.Split(Regex(split), "isolated"), by_byte]
    library.pre_tokenizer = pre_tokenizers.Sequence(steps)
    library.decoder = decoders.ByteLevel()
    return library


def _streamed(stream: Stream) -> Iterable[str]:
    for data, offsets in stream:
        yield from texts_of(data, offsets)


class Tiktoken(Library):
    """tiktoken."""

    def load(
        self, data: bytes, offsets: bytes, ids: bytes, pattern: str, special: dict[str, int]
    ) -> None:
        """Load an encoding of tokens, packed, and their ids, int64."""
        import tiktoken

        tokens = [data[a:b] for a, b in itertools.pairwise(array("q", offsets))]
        ranks = dict(zip(tokens, array("q", ids), strict=True))
        with complaints():
            self._tokenizer = tiktoken.Encoding(
                "reference", pat_str=pattern, mergeable_ranks=ranks, special_tokens=special
            )

    def _encode(self, texts: list[str]) -> Lists:
        encode = self._tokenizer.encode_ordinary
        n = min(usable_cores(), len(texts))
        if n < 2:
            return [encode(text) for text in texts]
        each = in_threads(lambda a, b: [encode(text) for text in texts[a:b]], parts(len(texts), n))
        return list(itertools.chain.from_iterable(each))


class SentencePiece(Library):
    """SentencePiece."""

    def load(self, proto: bytes) -> dict[str, int]:
        """Load a model; return its size, and the id of unknown text."""
        from sentencepiece import SentencePieceProcessor

        with complaints():
            self._tokenizer = SentencePieceProcessor(model_proto=proto)
            return {
                "size": self._tokenizer.GetPieceSize(),
                "unknown": self._tokenizer.unk_id(),
            }

    def _encode(self, texts: list[str]) -> Any:
        return self._tokenizer.Encode(texts)

    def _standing(self, texts: list[str], unknown: int | None) -> list[bytearray]:
        effect, stands = functools.cache(self._effect), []
        for text, found in zip(texts, self._tokenizer.EncodeAsOffsetMapping(texts), strict=True):
            flags, last = bytearray(len(text)), len(found["ids"]) - 1
            each = zip(found["ids"], found["pieces"], found["offsets"], strict=True)
            for n, (i, piece, (begin, end)) in enumerate(each):
                # The library adds a space at one end, and drops the text's own.
                begin = 0 if n == 0 and piece.startswith(_MARK) else begin
                end = len(text) if n == last and piece.endswith(_MARK) else end
                if i == unknown:
                    continue
                is_byte = self._tokenizer.IsByte(i)  # three of them spell a space, too
                spaces = piece.count(_MARK)
                for at in range(begin, end):
                    kind = effect(text[at])
                    flags[at] = kind == _KEPT or (kind == _SPACE and (is_byte or spaces > 0))
                    spaces -= kind == _SPACE
            stands.append(flags)
        return stands

    def _places(self, text: str) -> tuple[list[int], list[int], list[int]]:
        mapping = self._tokenizer.EncodeAsOffsetMapping(text)
        begins, ends = zip(*mapping["offsets"], strict=True) if mapping["ids"] else ((), ())
        return [*mapping["ids"]], [*begins], [*ends]

    def _normalized(self, text: str) -> bytes:
        return str(self._tokenizer.Normalize(text)).encode()

    def _effect(self, character: str) -> int:
        """Return what the library makes of a character: a space, nothing, or something."""
        between = self._tokenizer.Normalize(f"a{character}a").strip(_MARK)
        return {f"a{_MARK}a": _SPACE, "aa": _DELETED}.get(between, _KEPT)

    def vocabulary(self) -> tuple[list[str], bytes, bytes]:
        """Return the pieces, and for each whether it is a byte, and whether it is special."""
        tokenizer, pieces, size = self._tokenizer, [], self._tokenizer.GetPieceSize()
        for i in range(size):
            try:
                pieces.append(str(tokenizer.IdToPiece(i)))
            except UnicodeDecodeError as error:
                raise Refused(f"piece {i}: {error}") from error
        special = [tokenizer.IsUnknown(i) or tokenizer.IsControl(i) for i in range(size)]
        return pieces, bytes(map(tokenizer.IsByte, range(size))), bytes(special)

    def train(self, options: dict[str, Any], reserved: str, tab: str, stream: Stream) -> Any:
        """Train on documents and their weights, and return the library's model file.

        Without a document there is none. Documents are cut at each character of `reserved`; `tab`
        stands for a tab, for the library's lines are ``text <tab> count``.
        """
        from sentencepiece import SentencePieceTrainer

        lines, written = _lines(stream, re.compile(f"[{re.escape(reserved)}]+"), tab), io.BytesIO()
        first = next(lines, None)
        if first is None:
            return None
        lines = itertools.chain([first], lines)
        with complaints():
            SentencePieceTrainer.Train(sentence_iterator=lines, model_writer=written, **options)
        return None, written.getvalue()


def _lines(stream: Stream, reserved: re.Pattern[str], tab: str) -> Iterator[str]:
    for data, offsets, weights in stream:
        for text, weight in zip(texts_of(data, offsets), array("q", weights), strict=True):
            text = text.rstrip("\r\n")  # the library reads lines, and drops their ends
            for part in reserved.split(text) if weight else ():
                part = part.replace("\t", tab)
                for start in range(0, len(part), _LONGEST):
                    yield f"{part[start : start + _LONGEST]}\t{weight}"


class Session:
    """What is asked first is `open`, which imports a library; then tokenizers are called by number."""

    def __init__(self) -> None:
        self._kind: Any = None
        self._tokenizers: dict[int, Library] = {}

    def open(self, library: str) -> None:
        """Import one of `LIBRARIES`."""
        self._kind = LIBRARIES[library]
        importlib.import_module(library)

    def call(self, *blobs: bytes, question: dict[str, Any]) -> Any:
        """Call a method of a tokenizer: of a new one, where there is none of this number."""
        tokenizer = self._tokenizers.setdefault(question["number"], self._kind())
        return getattr(tokenizer, question["method"])(*blobs, **question["arguments"])

    def train(self, *blobs: bytes, **arguments: Any) -> Any:
        """Train with the library."""
        return self._kind().train(*blobs, **arguments)

    def write(self, **arguments: Any) -> Any:
        """Write files with the library."""
        return self._kind().write(**arguments)

    def forget(self, numbers: list[int]) -> None:
        """Drop tokenizers."""
        for number in numbers:
            self._tokenizers.pop(number, None)


LIBRARIES: dict[str, Any] = {
    "tokenizers": HuggingFace,
    "tiktoken": Tiktoken,
    "sentencepiece": SentencePiece,
}


if __name__ == "__main__":
    gc.disable()  # lists of ids are in no cycle
    serve(Session(), MEMORY)
