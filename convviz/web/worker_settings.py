"""Settings of the process of a model."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class WorkerSettings:
    """What the process of a model needs to know.

    Attributes:
        source: the model, as named on the command line; None for the model that the run records.
        run: folder or address of the run; None if there is none.
        folder: an empty folder in which the process runs, so that a relative path in a request
            leads nowhere.
        device: device of the model.
        photos: data set with the photos of the run; None for the recorded one.
        disabled: plugins that are disabled.
    """

    source: str | None
    run: str | None
    folder: str
    device: str = "auto"
    photos: str | None = None
    disabled: tuple[str, ...] = ()
