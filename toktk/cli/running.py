"""How a command carries out an experiment and shows its run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toktk.cli.output import emit_rows, show
from toktk.cli.progress import Progress
from toktk.cli.streams import remark
from toktk.errors import ToktkError, in_a_line
from toktk.lab.meter import Meter, costs_line

if TYPE_CHECKING:
    from toktk.corpus import Corpus
    from toktk.lab.bench import Bench
    from toktk.lab.run import Run
    from toktk.lab.sweep import Sweep
    from toktk.lab.timing import TimingPlan
    from toktk.timing.figures import Timing


@dataclass(frozen=True)
class RunOptions:
    """What sweep, train and bench are told alike; see `toktk.cli.options.run_options`."""

    output: Path | None
    format: str
    progress: Progress
    seed: int
    jobs: int
    force: bool
    page: bool = True
    memory: int | None = None

    def sweep(self, training: Corpus, evaluation: Corpus | None, **plan: Any) -> None:
        """Carry out a sweep and show it; `plan` holds what its plan needs besides these options."""
        from toktk.lab.plan import SweepPlan
        from toktk.lab.sweep import Sweep

        plan |= {"seed": self.seed, **self.of_machine}
        sweep = Sweep(SweepPlan(training, evaluation, **plan))
        run = self.carry_out(sweep)
        self.show(run)
        self.close(run)
        if sweep.plan.must_write:
            run.refuse_unwritten()

    @property
    def of_machine(self) -> dict[str, Any]:
        """What every plan takes and no result depends on."""
        return {"jobs": self.jobs, "force": self.force, "memory": self.memory}

    @property
    def quiet(self) -> bool:
        """Whether nothing but data and errors is written."""
        return self.progress.quiet

    def carry_out(self, experiment: Sweep | Bench) -> Run:
        """Carry out an experiment, and show how far it is."""
        from toktk.lab.run import carry_out

        with self.progress.watching() as experiment.meter.watcher:
            return carry_out(experiment, self.output)

    def time(self, bench: Bench, run: Run, plan: TimingPlan) -> list[Timing]:
        """Return the timings of a bench, and show how far they are."""
        from toktk.lab.timing import timings_of

        with self.progress.watching() as bench.meter.watcher:
            return timings_of(bench, run, plan)

    def count_ids(self, bench: Bench, path: Path) -> dict[str, dict[int, float | None]]:
        """Write the ids of a bench's tokenizers by frequency; return what the first of them cover."""
        from toktk.lab.id_frequencies import count_ids, coverages, write_ids

        with self.progress.watching() as bench.meter.watcher:
            counts = count_ids(bench)
            with bench.meter.step("write", path.name):
                write_ids(bench.tokenizers, counts, path)
        if not self.quiet:
            remark(str(path))
        return coverages(bench.tokenizers, counts)

    def show(self, run: Run) -> None:
        """Write the figures of a run to standard output, or its tokenizers where nothing was measured."""
        if run.results is not None:
            show(run.results, self.format, self.quiet)
            return
        columns = ("tokenizer", "size", "pretokenizer", "folder", "files")
        rows = [
            (label, t["size"], t["pretokenizer"], t.get("folder"), ", ".join(t.get("files", ())))
            for label, t in run.document["tokenizers"].items()
        ]
        emit_rows(columns, rows, self.format)

    def close(self, run: Run) -> None:
        """Say what the run cost and where it is; then raise what went wrong, if anything did."""
        from toktk.lab.outcome import without_figures

        if run.trouble is not None:
            raise run.trouble
        page = self._page_of(run) if run.results is not None else None
        if not self.quiet:
            if run.reused:
                remark("This run is complete; nothing was computed (--force computes it anew).")
            pages = [] if page is None else [str(page)]
            remark(costs_line(run.document["steps"]), *pages, str(run.path))
        if failed := run.document["failed"]:
            raise without_figures(
                f"without figures: {', '.join(failed)}.",
                failed,
                "The figures of the others are complete. The same command tries only these again.",
            )

    def _page_of(self, run: Run) -> Path | None:
        """Return the page of a run, which is written unless it is there or not wanted; None without one."""
        from toktk.lab.document import NAME, PAGE
        from toktk.page.build import write_page

        path, document = run.path / PAGE, run.path / NAME
        try:
            if path.is_file() and path.stat().st_mtime_ns >= document.stat().st_mtime_ns:
                return path
            if not self.page:
                if path.is_file():
                    remark(f"{path} is of an earlier run; toktk report {run.path} writes it anew.")
                return None
            with self.progress.watching() as watcher:
                return write_page(run, Meter(watcher))
        except (OSError, ToktkError) as error:  # the run is complete all the same
            remark(f"{PAGE} is not written: {in_a_line(error)}")
            return None
