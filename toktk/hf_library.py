"""All that toktk uses of Hugging Face tokenizers, 0.21 up to 1; no other module imports that library.

Version 1 drops training and most of the Python face: an adapter for it gives these names, and `USED` of
them, the meaning they have here. `benchmarks/tokenizers_versions.py` shows what another version lacks.

Import this module inside functions: the library is heavy.
"""

from __future__ import annotations

from tokenizers import Regex as Regex
from tokenizers import Tokenizer as Tokenizer
from tokenizers import decoders as decoders
from tokenizers import models as models
from tokenizers import normalizers as normalizers
from tokenizers import pre_tokenizers as pre_tokenizers
from tokenizers import trainers as trainers

USED = (
    "Regex",
    "Tokenizer.from_str",
    "Tokenizer.from_file",
    "Tokenizer.to_str",
    "Tokenizer.encode",
    "Tokenizer.encode_batch",
    "Tokenizer.encode_batch_fast",
    "Tokenizer.encode_special_tokens",
    "Tokenizer.no_truncation",
    "Tokenizer.no_padding",
    "Tokenizer.get_vocab",
    "Tokenizer.get_added_tokens_decoder",
    "Tokenizer.token_to_id",
    "Tokenizer.add_special_tokens",
    "Tokenizer.train_from_iterator",
    "Tokenizer.model",
    "Tokenizer.normalizer",
    "Tokenizer.post_processor",
    "Tokenizer.pre_tokenizer",
    "Tokenizer.decoder",
    "decoders.ByteLevel",
    "decoders.Replace",
    "decoders.Sequence",
    "models.BPE",
    "models.Unigram",
    "models.WordPiece",
    "normalizers.NFKD",
    "pre_tokenizers.ByteLevel.alphabet",
    "pre_tokenizers.Digits",
    "pre_tokenizers.Sequence",
    "pre_tokenizers.Split",
    "trainers.BpeTrainer",
    "trainers.UnigramTrainer",
    "trainers.WordPieceTrainer",
)
"""What is used of these names, where it is more than the name."""
