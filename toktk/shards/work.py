"""What a rank does to write its token shards."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

from toktk.corpus import Corpus
from toktk.corpus.shares import share_of, span_of
from toktk.counts.documents import DocumentSum
from toktk.errors import FormatError, usage
from toktk.models.counts import CountsModel
from toktk.places import Place
from toktk.ranks.folder import RankFolder
from toktk.ranks.text import Text, TextWork
from toktk.shards.documents import DocumentEncoder, dtype_of, encode_batches
from toktk.shards.files import FORMATS, ShardWriter
from toktk.shards.special import special_id
from toktk.tokenizer import Tokenizer

NAME = "shards"
COMMAND = "toktk encode TOKENIZER"

SHARD_BYTES = 1 << 30
"""The tokens of a shard, in bytes, unless another size is asked for."""


@dataclass(frozen=True, eq=False)
class EncodeWork(TextWork):
    """A corpus as the ids of a tokenizer; a `toktk.ranks.work.Work`.

    Attributes:
        tokenizer: what encodes. Where a rank's text shows that toktk's own engine would give other ids than
            its library, that is the library, so engines may differ from rank to rank.
        about: what the manifest says of the tokenizer, whatever engine runs it.
        bos, eos: special tokens before and after each document, by name; None: none.
        files: their format, one of `toktk.shards.files.FORMATS`.
        shard_tokens: of a shard, at most; None: as many as `SHARD_BYTES` hold.
        jobs: threads that encode; they change nothing that is written.
        notes: what a user should know of the ids.
    """

    text: Text
    tokenizer: Tokenizer
    about: dict[str, Any]
    bos: str | None = None
    eos: str | None = None
    files: str = "npy"
    shard_tokens: int | None = None
    jobs: int = 1
    notes: tuple[str, ...] = ()

    name = NAME
    command = COMMAND

    def __getstate__(self) -> dict[str, Any]:
        # The manifest is made anew by each process: another machine may see another text.
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def check(self) -> None:
        """Refuse what is wrong before any text is read.

        Raises:
            FormatError: no such files, no room in a shard; the tokenizer lacks a special token, or ids.
        """
        with usage():
            if self.files not in FORMATS:
                known = ", ".join(FORMATS)
                raise FormatError(
                    f"unknown files of shards {self.files!r:.60}.", f"Known: {known}."
                )
            if self.shard_tokens is not None and self.shard_tokens < 1:
                raise FormatError(
                    f"a shard cannot hold {self.shard_tokens:,} tokens.", "Give 1 or more."
                )
        if isinstance(self.tokenizer.model, CountsModel):
            raise FormatError(
                f"cannot encode with {self.tokenizer.name}.",
                "Found: only its counts of tokens, and no ids.",
                "Give the tokenizer itself.",
            )
        self._around()

    @functools.cached_property
    def manifest(self) -> dict[str, Any]:
        """All that decides what is written."""
        of_sources = (source.options.changed() for source in self.corpus.sources)
        before, after = self._around()
        return {
            "tokenizer": self.about,
            "text": {
                "name": self.corpus.name,
                "inputs": len(self.text.inputs),
                "bytes": self.text.n_bytes,
                "digest": self.text.digest,
                "options": [options for options, _ in itertools.groupby(of_sources)],
                "selections": self.corpus.selections,
            },
            "files": self.files,
            "dtype": dtype_of(self.tokenizer.vocab_size).name,
            "bos": {"token": self.bos, "id": before[0]} if before else None,
            "eos": {"token": self.eos, "id": after[0]} if after else None,
            "shard_tokens": self._shard_tokens,
        }

    @property
    def _shard_tokens(self) -> int:
        if self.shard_tokens is not None:
            return self.shard_tokens
        return SHARD_BYTES // dtype_of(self.tokenizer.vocab_size).itemsize

    def _around(self) -> tuple[list[int], list[int]]:
        """Return the ids before and after each document."""
        names = (self.bos, self.eos)
        before, after = (
            [] if name is None else [special_id(self.tokenizer, name)] for name in names
        )
        return before, after

    def run(
        self, rank: int, world_size: int, place: Place, advance: Callable[[int], None]
    ) -> dict[str, Any]:
        """Encode the share of a rank and write its shards; see `toktk.ranks.work.Work`."""
        share = share_of_rank(self.corpus, rank, world_size)
        encoder = DocumentEncoder(self.tokenizer, *self._around())
        fingerprint = DocumentSum()
        with ShardWriter(place, rank, self.files, encoder.dtype, self._shard_tokens) as writer:
            for documents in encode_batches(share.batches(advance), encoder, self.jobs):
                fingerprint.merge(documents.fingerprint)
                writer.add(documents)
            written = writer.finish()
        totals = {
            key: sum(shard[key] for shard in written["shards"])
            for key in ("documents", "bytes", "tokens")
        }
        return {
            "share": span_of(self.corpus, rank, world_size),
            "engine": self.tokenizer.engine,
            "why": self.tokenizer.why,
            "fingerprint": str(fingerprint),
            "replaced": share.replaced,
            "null_rows": share.null_rows,
            **totals,
            **written,
        }


def folder_at(place: Place) -> RankFolder:
    """Return the folder of the ranks that write token shards."""
    return RankFolder(place, NAME, COMMAND)


def share_of_rank(corpus: Corpus, rank: int, world_size: int) -> Corpus:
    """Return what a rank reads: all of it where there is one, which a corpus that cannot be cut allows too.

    Raises:
        CorpusError: see `toktk.corpus.shares.share_of`.
    """
    return corpus if world_size == 1 else share_of(corpus, rank, world_size)


def about_tokenizer(tokenizer: Tokenizer) -> dict[str, Any]:
    """Return what a manifest says of a tokenizer at hand."""
    return {
        "name": tokenizer.name,
        "vocab_size": tokenizer.vocab_size,
        "signature": tokenizer.signature,
    }
