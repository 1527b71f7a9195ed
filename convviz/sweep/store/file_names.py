"""The files of a run folder, and of a run in an object store.

RUN/run.json                       the plan: model, data set, explainers, versions
RUN/items.parquet                  one row for each item that was used
RUN/skipped.parquet                one row for each item that was skipped, with the reason
RUN/results/<explainer>/<layer>/   explanations; layers are named by `folder_name`
RUN/shards/                        the finished shards, from which the run is extended or joined
RUN/index.html                     the overview
RUN/.convviz-lock                  the process that is writing to the run

During a sweep there are also:

RUN/.convviz-sweep/plan.json       the plan, and the batch sizes reduced for lack of memory
RUN/.convviz-sweep/shards/         the finished shards, see `shard_manifest`
RUN/.convviz-sweep/spool/          arrays of `finish` that would not fit into memory
RUN/.convviz-sweep/new/            incomplete results; renamed to `done` when complete
"""

from __future__ import annotations

RUN, RESULTS = "run.json", "results"

ITEMS, SKIPPED = "items.parquet", "skipped.parquet"
"""The tables of a run; also the kinds of the tables of a shard."""

PARTIALS = "safetensors"
"""The kind of the file that holds the partials of a shard."""

LOCK = ".convviz-lock"
SWEEP, SHARDS, PLAN = ".convviz-sweep", "shards", "plan.json"
SPOOL, NEW, DONE = "spool", "new", "done"

LEAF_ITEMS = "leaf-items.parquet"
"""The table of items that each result holds: without the columns that only the run needs."""
