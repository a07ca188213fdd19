"""Hugging Face datasets, streamed: nothing is downloaded that is not read."""

from __future__ import annotations

import copy
import dataclasses
import functools
import hashlib
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from toktk.arrow import pa
from toktk.corpus.columnar import rows_to_batch, wanted_columns
from toktk.corpus.corpus import Corpus
from toktk.corpus.options import ReaderOptions, Source
from toktk.errors import CorpusError, as_usage

_SPEC = re.compile(
    r"(hf|hub):(?P<dataset>[\w.-]+/[\w.-]+)(@(?P<revision>[^/:@]+))?(/(?P<config>[^:]+))?(:(?P<split>.+))?"
)
PREFIXES = ("hf:", "hub:")
"""What a dataset's spec begins with; `hub:` is the earlier spelling."""

_ROWS = 1000
_SHUFFLE_BUFFER = 10_000


@dataclasses.dataclass(frozen=True)
class HubSpec:
    """A dataset on the hub: ``hf:<org>/<name>[@revision][/config[,config…]][:split]``.

    `revision` is a branch, tag or commit, with ``%2F`` for a slash. Several configs, languages for
    example, are read one after the other. `split` is ``train`` unless given.
    """

    dataset: str
    revision: str | None = None
    config: str | None = None
    split: str = "train"

    def __str__(self) -> str:
        revision = f"@{self.revision}" if self.revision else ""
        config = f"/{self.config}" if self.config else ""
        return f"hf:{self.dataset}{revision}{config}:{self.split}"


def parse_hub(spec: str) -> HubSpec:
    """Return the parts of an ``hf:`` or ``hub:`` spec; raise a `CorpusError` if it is no `HubSpec`."""
    match = _SPEC.fullmatch(spec)
    if match is None:
        raise as_usage(
            CorpusError(
                f"cannot understand {spec!r}.",
                "Write hf:<org>/<name>, then if needed @<revision>, /<config>, :<split>, in this "
                "order, such as hf:org/name@main/deu_Latn:train (a slash in a revision is %2F).",
            )
        )
    dataset, revision, config, split = match.group("dataset", "revision", "config", "split")
    return HubSpec(dataset, unquote(revision) if revision else None, config, split or "train")


def hub_corpus(spec: HubSpec, options: ReaderOptions) -> Corpus:
    """Return a streamed hub dataset as a corpus; nothing is fetched yet.

    The option `split` replaces that of `spec`.
    `limit` and `seed` are honored here, so that a sample need not read the whole dataset: the limit
    counts rows of each config, and the seed shuffles the shards and a buffer of 10,000 rows.
    """
    if options.split is not None:
        spec = dataclasses.replace(spec, split=options.split)
    configs = spec.config.split(",") if spec.config else [None]
    parts = [HubReader(dataclasses.replace(spec, config=config), options) for config in configs]
    return Corpus(str(spec).removeprefix("hf:"), parts, options=options.changed())


class HubReader(Source):
    """The rows of one split of a hub dataset; without a group column, the config is the group."""

    unit = "rows"
    is_at_hand = False
    takes = ("text_column", "group_column", "weight_column")

    def __init__(self, spec: HubSpec, options: ReaderOptions) -> None:
        super().__init__(str(spec), spec.config or spec.dataset.rpartition("/")[2], options)
        self.spec = spec
        self._refuse_sampling("Leave --sample-by out.")
        self._shard: tuple[int, int] | None = None

    @property
    def size(self) -> int | None:
        """Rows to read: the limit, if there is one; else None, for a stream has no length."""
        return self.options.limit

    @functools.cached_property
    def commit(self) -> str:
        """The commit that the revision names now; every pass of this object reads that one."""
        import huggingface_hub

        with self._reading():
            api = huggingface_hub.HfApi()
            return str(api.dataset_info(self.spec.dataset, revision=self.spec.revision).sha)

    @property
    def mark(self) -> str:
        """The commit."""
        return self.commit

    def shard(self, index: int, n: int) -> HubReader:
        """Return one of `n` shares of its files; of fewer files than that, some are empty.

        Raises:
            CorpusError: it has a limit, which is a sample of all rows.
        """
        if self.options.limit is not None:
            raise CorpusError(
                f"cannot share {self.where} out: it has a limit.",
                f"Found: --limit {self.options.limit}, a sample of all rows.",
                "Leave the limit out.",
            )
        shard = copy.copy(self)
        shard._shard = index, n
        shard.__dict__.pop("fingerprint", None)
        return shard

    @functools.cached_property
    def fingerprint(self) -> str:
        """The sha256 of dataset, commit, config, split and options; the rows are not read."""
        spec = self.spec
        options = sorted(self.options.changed().items())
        if self.options.limit is not None and not self.options.seed:
            options.append(("seed", 0))
        identity: tuple[Any, ...] = (
            "hub", spec.dataset, self.commit, spec.config, spec.split, options,
        )  # fmt: skip
        if self._shard is not None:
            identity += self._shard
        return hashlib.sha256(repr(identity).encode()).hexdigest()

    def describe(self) -> dict[str, Any]:
        """Return dataset, commit, config and split."""
        return {**dataclasses.asdict(self.spec), "commit": self.commit}

    def _read(self) -> Iterator[tuple[pa.RecordBatch, int]]:
        import datasets

        self.replaced = self.null_rows = 0
        spec, options = self.spec, self.options
        rows = datasets.load_dataset(
            spec.dataset, spec.config, split=spec.split, revision=self.commit, streaming=True
        )
        if self._shard is not None:
            index, n = self._shard
            if index >= rows.num_shards:
                return
            rows = rows.shard(n, index)
        # Class labels arrive as numbers; their names are in the features.
        names: dict[str, list[str]] = {}
        if rows.features is not None:
            wanted = wanted_columns(self, list(rows.features))
            features = {name: rows.features[name] for name in wanted}
            names = {
                name: feature.names
                for name, feature in features.items()
                if isinstance(feature, datasets.ClassLabel)
            }
            rows = rows.select_columns(wanted)
        if options.limit is not None:
            rows = rows.shuffle(seed=options.seed, buffer_size=_SHUFFLE_BUFFER).take(options.limit)
        n_read = 0
        for table in rows.with_format("arrow").iter(batch_size=_ROWS):
            for batch in _with_names(table, names).combine_chunks().to_batches():
                batch = batch.select(wanted_columns(self, batch.schema.names))
                first, n_read = n_read, n_read + batch.num_rows
                yield rows_to_batch(self, batch, first), n_read

    def _failures(self) -> tuple[type[BaseException], ...]:
        from datasets.exceptions import DatasetsError

        return *network_failures(), DatasetsError, pa.ArrowException, ValueError

    def _advice(self, error: BaseException) -> list[str]:
        advice = ["Check name, revision, config and split: hf:org/name@rev/config:split."]
        if isinstance(error, network_failures()):
            advice += [
                "For a gated dataset, accept its terms and log in (hf auth login).",
                "Without a network: download the dataset's parquet files elsewhere, copy the "
                "folder here, and give it with -c <folder>.",
            ]
        return advice


def network_failures() -> tuple[type[BaseException], ...]:
    """Return what the hub's library raises where the hub cannot be reached, or refuses."""
    from huggingface_hub.errors import HfHubHTTPError

    # The bases include the error class of whichever HTTP client the hub library is built on.
    return OSError, *HfHubHTTPError.__bases__


def _with_names(table: pa.Table, names: dict[str, list[str]]) -> pa.Table:
    """Return `table` with class labels, numbers, as a dictionary of their names."""
    for name, labels in names.items():
        numbers = table.column(name).combine_chunks().cast(pa.int32())
        values = pa.DictionaryArray.from_arrays(numbers, pa.array(labels, pa.string()))
        table = table.set_column(table.schema.get_field_index(name), name, values)
    return table
