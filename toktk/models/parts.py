"""Which two tokens merging makes a token of, and so how often each was a step on the way to another."""

from __future__ import annotations

import numpy as np

from toktk.models.bpe import BpeModel, pair_table
from toktk.models.lookup import Tokens
from toktk.models.model import Int64, Model, read_only
from toktk.models.pairs import PairModel, character_spelling
from toktk.models.symbols import SymbolsModel


def parts_of(model: Model) -> Int64 | None:
    """Return int64[ids, 2]: the left and the right token that are merged to each; None without merges.

    -1 stands for both where merging does not make the token.

    A token is made of the same two in any text. No merge crosses its ends before it is there, so those
    within happen in the order in which the token alone is encoded: at each step the lowest rank, of equals
    the leftmost. Merges of a higher rank than the last of them change nothing, so a larger vocabulary
    with the same first merges makes it of the same two as well.
    """
    if isinstance(model, SymbolsModel):
        return parts_of(model.model)
    characters = read_only(np.empty(0), np.int32)
    if isinstance(model, BpeModel):
        tokens = Tokens(*model.packed_tokens)
        pairs = np.column_stack([model.merges[:, :3], np.arange(len(model.merges))])
    elif isinstance(model, PairModel):
        tokens, pairs = Tokens(model.data, model.offsets), model.pairs
        if model.characters:
            characters = tokens.character_ids(model.byte_ids[model.byte_ids >= 0])
    else:
        return None
    parts = np.full((model.vocab_size, 2), -1, dtype=np.int64)
    made, ranks = _last_ranks(read_only(pairs, np.int64), tokens, model.byte_ids, characters)
    order = np.lexsort((pairs[:, 3], pairs[:, 2]))
    # No two pairs of one rank make one token.
    keys = pairs[order, 2] << 32 | pairs[order, 3]
    wanted = made[ranks >= 0] << 32 | ranks[ranks >= 0]
    parts[made[ranks >= 0]] = pairs[order[np.searchsorted(keys, wanted)], :2]
    return parts


def _last_ranks(
    pairs: Int64, tokens: Tokens, byte_ids: Int64, characters: np.ndarray
) -> tuple[Int64, Int64]:
    """Return the ids that `pairs` can make, and the rank of the last merge of each, or -1."""
    from toktk.kernels.bpe_encode import SHORT
    from toktk.kernels.pairs import list_last_ranks

    made = np.unique(pairs[:, 2])
    ranks = np.empty(made.size, dtype=np.int64)
    scratch = np.empty(8 * max(SHORT, int(tokens.lengths.max(initial=0))), dtype=np.int64)
    table = pair_table(pairs)
    # Bytes that stand in no UTF-8 may have no token; as in PairModel, another id stands in.
    spelling = character_spelling(characters, table, np.where(byte_ids < 0, byte_ids[0], byte_ids))
    list_last_ranks(made, *tokens, spelling, table, ranks, scratch)
    return made, ranks


def intermediate_counts(parts: Int64, lengths: Int64, counts: Int64) -> Int64:
    """Return int64[ids]: how often merging made each token, or took a byte, only to merge it further.

    Args:
        parts: by `parts_of`.
        lengths: int64[ids], in bytes.
        counts: int64[ids]: how often each token is left in the end.
    """
    occurring = np.array(counts, dtype=np.int64)
    made = np.flatnonzero(parts[:, 0] >= 0)
    made = made[np.argsort(-lengths[made], kind="stable")]
    # Both parts of a token are shorter: those of one length are done before the next.
    for alike in np.split(made, np.flatnonzero(np.diff(lengths[made])) + 1):
        for side in range(2):
            np.add.at(occurring, parts[alike, side], occurring[alike])
    return occurring - counts
