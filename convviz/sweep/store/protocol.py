"""The interface of the stores: a run while a sweep writes it, and a finished run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from ...explanation.explanation import Explanation
from ...plugin.explainer import Partial
from .shard_manifest import ShardEntry, ShardManifest

Explanations = Mapping[str, Mapping[str, Explanation]]
"""Explainer -> layer -> Explanation."""


class RunStore(Protocol):
    """A run while a sweep writes it.

    `unfinished_plan` and `finished_plan` may be called at any time; all other methods require
    that the process is inside of `lock()`.
    """

    @property
    def location(self) -> str:
        """The run folder or the address of the run, for messages."""

    @property
    def manifest(self) -> ShardManifest:
        """The finished shards."""

    @property
    def kept_shards(self) -> ShardManifest:
        """The shards of the finished run, from which it is extended; they may be missing."""

    @property
    def spool(self) -> Path:
        """A local folder for arrays that do not fit into memory."""

    @property
    def leaf_items(self) -> Path:
        """The local table of items that each result holds; `join_tables` writes it."""

    def lock(self) -> AbstractContextManager[None]:
        """Keep other processes from writing to the run; raises ConvvizError if one does."""

    def unfinished_plan(self) -> dict[str, Any] | None:
        """Return the plan of the unfinished sweep; None if there is none."""

    def finished_plan(self) -> dict[str, Any] | None:
        """Return the plan of the finished run; None if there is none."""

    def settle(self) -> None:
        """Complete or undo what a process left that was killed while it moved or removed files."""

    def begin(self, record: Mapping[str, Any]) -> None:
        """Start or resume a sweep with this plan."""

    def amend(self, record: Mapping[str, Any]) -> None:
        """Replace the plan of the unfinished sweep."""

    def discard(self) -> None:
        """Remove the unfinished sweep."""

    def finished_table(self, name: str) -> Path:
        """Return a local path of a table of the finished run."""

    def partials(self, entries: Sequence[ShardEntry], step: int) -> Iterator[Partial]:
        """Yield the partial of an explainer step for each shard, loaded one by one."""

    def join_tables(self, entries: Sequence[ShardEntry]) -> Path:
        """Write the tables of the run, and return the path of the table of items."""

    def complete(
        self,
        record: Mapping[str, Any],
        explanations: Explanations,
        failed: Mapping[str, str],
        reused: Sequence[str] = (),
        pictures: bool = False,
    ) -> None:
        """Write the results, and keep the shards. A previous run stays until then.

        Args:
            record: the plan with the counts of the run.
            explanations: the results.
            failed: explainer -> the reason why it has none.
            reused: explainers whose results in the finished run become those of the new one.
            pictures: save the pictures of the results as well.
        """


class RunReader(Protocol):
    """A finished run, opened for reading."""

    @property
    def folder(self) -> Path:
        """A local run folder; a result is complete in it after `fetch`."""

    def fetch(self, folder: Path) -> None:
        """Ensure that the files of a result are in its folder, which is below `self.folder`."""
