"""State outside the network that an explainer must not leave changed.

Some settings belong to the thread (modes, autocast, numpy's error handling), others to the whole
process (default dtype, threads, working directory, global hooks). The latter are restored only if
no other thread was in a session meanwhile, since that thread may have changed them.
"""

from __future__ import annotations

import gc
import locale
import os
import sys
import threading
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.utils import _python_dispatch as dispatch

from .fork_lock import run_in_forked_children

_overrides: Any = torch.overrides  # its functions have no types

_thread_blocks: Counter[int] = Counter()
"""Thread -> number of sessions and preserved blocks that it is in."""

_thread_changes = 0
"""Number of times that a thread has entered its first or left its last block."""


@dataclass(frozen=True)
class _Setting:
    """One setting to restore.

    Attributes:
        name: shown to users.
        read: returns the value, compared by ==; None if there is nothing to restore.
        write: sets a value.
        shared: it belongs to the whole process, not to the thread.
        reported: a change is reported; False for settings that imports of libraries change.
    """

    name: str
    read: Callable[[], Any]
    write: Callable[[Any], object]
    shared: bool = True
    reported: bool = True


@contextmanager
def count_thread() -> Iterator[None]:
    """Register this thread as one that uses convviz during the block."""
    global _thread_changes
    thread = threading.get_ident()
    _thread_changes += not _thread_blocks[thread]
    _thread_blocks[thread] += 1
    try:
        yield
    finally:
        _thread_blocks[thread] -= 1
        if not _thread_blocks[thread]:
            del _thread_blocks[thread]
            _thread_changes += 1


@contextmanager
def preserve_state() -> Iterator[list[str]]:
    """Restore the state of the process and the thread at the end of the block.

    Yields:
        a list that contains, after the block, the names of the settings that were restored.
    """
    changes: list[str] = []
    with count_thread():
        before, changes_before, alone = ProcessState(), _thread_changes, len(_thread_blocks) == 1
        try:
            yield changes
        finally:
            changes += before.restore(shared=alone and changes_before == _thread_changes)


class ProcessState:
    """The values of all settings."""

    def __init__(self) -> None:
        self.values = [(setting, setting.read()) for setting in _SETTINGS]

    def differences(self, unreported: bool = False) -> list[str]:
        """Return the names of the settings whose value has changed.

        Args:
            unreported: include those that imports of libraries may change.
        """
        return [s.name for s, _ in self._changes() if s.reported or unreported]

    def restore(self, shared: bool = True) -> list[str]:
        """Restore the values and return the names of those that had changed.

        Args:
            shared: also restore settings of the whole process.
        """
        changed = [(s, value) for s, value in self._changes() if shared or not s.shared]
        for setting, value in changed:
            setting.write(value)
        return [s.name for s, _ in changed if s.reported]

    def _changes(self) -> list[tuple[_Setting, Any]]:
        return [(s, v) for s, v in self.values if v is not None and s.read() != v]


# Function and dispatch modes: a stack for each thread.


def _global_context() -> Any:
    """Return the mode of `torch.set_default_device`, which lies below all others, or None."""
    return getattr(torch._GLOBAL_DEVICE_CONTEXT, "device_context", None)


def _function_modes() -> list[Any]:
    bottom = _global_context()
    return [mode for mode in _overrides._get_current_function_mode_stack() if mode is not bottom]


def _write_function_modes(before: list[Any]) -> None:
    bottom = [
        mode for mode in _overrides._get_current_function_mode_stack() if mode is _global_context()
    ]
    for _ in _overrides._get_current_function_mode_stack():
        _overrides._pop_mode()
    for mode in (*bottom, *before):
        _overrides._push_mode(mode)


def _write_dispatch_modes(before: list[Any]) -> None:
    while (now := _dispatch_modes()) and now != before[: len(now)]:
        dispatch._pop_mode()
    for mode in before[len(_dispatch_modes()) :]:
        dispatch._push_mode(mode)


def _dispatch_modes() -> list[Any]:
    return list(dispatch._get_current_dispatch_mode_stack())


_inference_guards: list[Any] = []


def _write_inference_mode(value: bool) -> None:
    guard: Any = torch._C._InferenceMode(value)
    guard.__enter__()
    _inference_guards.append(guard)  # a guard that is freed ends the mode


def _read_autocast() -> list[Any]:
    kinds = ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",)
    modes = [(k, torch.is_autocast_enabled(k), torch.get_autocast_dtype(k)) for k in kinds]
    return [*modes, torch.is_autocast_cache_enabled()]


def _write_autocast(value: list[Any]) -> None:
    *modes, cache = value
    for kind, enabled, dtype in modes:
        torch.set_autocast_enabled(kind, enabled)
        torch.set_autocast_dtype(kind, dtype)
    torch.set_autocast_cache_enabled(cache)


def _read_device() -> tuple[str, ...]:
    context = _global_context()
    return () if context is None else (str(context.device),)


def _write_device(value: tuple[str, ...]) -> None:
    torch.set_default_device(*(value or (None,)))


# Settings of torch for the whole process.


def _read_algorithms() -> tuple[bool, ...]:
    strict = torch.are_deterministic_algorithms_enabled()
    return strict, torch.is_deterministic_algorithms_warn_only_enabled()


def _write_algorithms(value: tuple[bool, ...]) -> None:
    torch.use_deterministic_algorithms(value[0], warn_only=value[1])


_BACKENDS: tuple[tuple[Any, str], ...] = (
    (torch.backends.cudnn, "enabled"),
    (torch.backends.cudnn, "benchmark"),
    (torch.backends.cudnn, "deterministic"),
    (torch.backends.cudnn, "allow_tf32"),
    (torch.backends.cuda.matmul, "allow_tf32"),
    (torch.backends.mkldnn, "enabled"),
    (torch.backends.quantized, "engine"),
)


def _read_backends() -> list[Any]:
    return [getattr(backend, name) for backend, name in _BACKENDS]


def _write_backends(values: list[Any]) -> None:
    for (backend, name), value in zip(_BACKENDS, values, strict=True):
        if getattr(backend, name) != value:
            setattr(backend, name, value)


_GLOBAL_HOOKS = [
    hooks
    for name, hooks in vars(torch.nn.modules.module).items()
    if name.startswith("_global_") and isinstance(hooks, dict)
]


def _read_global_hooks() -> list[Any]:
    full = vars(torch.nn.modules.module).get("_global_is_full_backward_hook")
    return [*(list(hooks.items()) for hooks in _GLOBAL_HOOKS), full]


def _write_global_hooks(before: list[Any]) -> None:
    *values, full = before
    vars(torch.nn.modules.module)["_global_is_full_backward_hook"] = full
    for hooks, items in zip(_GLOBAL_HOOKS, values, strict=True):
        if list(hooks.items()) != items:
            hooks.clear()
            hooks.update(items)


# Python and libraries.


def _read_folder() -> str:
    with suppress(OSError):
        return os.getcwd()
    return ""


def _write_folder(folder: str) -> None:
    if folder:
        os.chdir(folder)


def _read_environment() -> dict[Any, Any]:
    # The raw bytes, because decoding all names and values takes longer than everything else here.
    return dict(vars(os.environ).get("_data", {}))


def _write_environment(before: dict[Any, Any]) -> None:
    """Restore changed and removed variables; variables that imports added are kept."""
    now = _read_environment()
    for key, value in before.items():
        if now.get(key) != value:
            os.environ[os.fsdecode(key)] = os.fsdecode(value)


def _read_warnings() -> tuple[int, list[Any], int]:
    return id(warnings.filters), list(warnings.filters), id(warnings.showwarning)


def _write_warnings(before: tuple[int, list[Any], int]) -> None:
    """Restore the filters, unless another thread may be in a `catch_warnings` block."""
    if id(warnings.filters) == before[0] or threading.active_count() == 1:
        warnings.filters[:] = before[1]  # type: ignore[index]
        getattr(warnings, "_filters_mutated", lambda: None)()


# Libraries. The value is None if a library is not imported; then nothing is restored.


def _read_opencv() -> tuple[int, bool] | None:
    cv2: Any = sys.modules.get("cv2")
    return (cv2.getNumThreads(), cv2.useOptimized()) if hasattr(cv2, "getNumThreads") else None


def _write_opencv(value: tuple[int, bool]) -> None:
    sys.modules["cv2"].setNumThreads(value[0])
    sys.modules["cv2"].setUseOptimized(value[1])


def _read_pillow() -> tuple[Any, ...] | None:
    image, file = sys.modules.get("PIL.Image"), sys.modules.get("PIL.ImageFile")
    if image is None or file is None:
        return None
    return image.MAX_IMAGE_PIXELS, file.LOAD_TRUNCATED_IMAGES


def _write_pillow(value: tuple[Any, ...]) -> None:
    vars(sys.modules["PIL.Image"])["MAX_IMAGE_PIXELS"] = value[0]
    vars(sys.modules["PIL.ImageFile"])["LOAD_TRUNCATED_IMAGES"] = value[1]


def _read_figures() -> dict[str, Any] | None:
    params = getattr(sys.modules.get("matplotlib"), "rcParams", None)
    if params is None:
        return None
    # The backend is chosen when the first figure is made.
    values: dict[str, Any] = dict.copy(params)
    values.pop("backend", None)
    return values


def _write_figures(before: dict[str, Any]) -> None:
    dict.update(sys.modules["matplotlib"].rcParams, before)


def _write_locale(name: str) -> None:
    with suppress(locale.Error):
        locale.setlocale(locale.LC_ALL, name)


_SETTINGS = (
    _Setting("torch's default device", _read_device, _write_device, shared=False),
    _Setting("torch's function modes", _function_modes, _write_function_modes, shared=False),
    _Setting("torch's dispatch modes", _dispatch_modes, _write_dispatch_modes, shared=False),
    _Setting(
        *("inference mode", torch.is_inference_mode_enabled, _write_inference_mode), shared=False
    ),
    _Setting("the grad mode", torch.is_grad_enabled, torch._C._set_grad_enabled, shared=False),
    _Setting("autocast", _read_autocast, _write_autocast, shared=False),
    _Setting("numpy.seterr", np.geterr, lambda value: np.seterr(**value), shared=False),
    _Setting("torch's default dtype", torch.get_default_dtype, torch.set_default_dtype),
    _Setting("torch's number of threads", torch.get_num_threads, torch.set_num_threads),
    _Setting("torch's deterministic algorithms", _read_algorithms, _write_algorithms),
    _Setting("torch's backends", _read_backends, _write_backends),
    _Setting(
        "torch's matmul precision",
        torch.get_float32_matmul_precision,
        torch.set_float32_matmul_precision,
    ),
    _Setting("anomaly detection", torch.is_anomaly_enabled, lambda v: torch.set_anomaly_enabled(v)),
    _Setting("global hooks of modules", _read_global_hooks, _write_global_hooks),
    _Setting("the working directory", _read_folder, _write_folder),
    _Setting("the locale", lambda: locale.setlocale(locale.LC_ALL), _write_locale),
    _Setting("environment variables", _read_environment, _write_environment, reported=False),
    _Setting("warning filters", _read_warnings, _write_warnings, reported=False),
    _Setting("garbage collection", gc.isenabled, lambda on: gc.enable() if on else gc.disable()),
    _Setting("settings of OpenCV", _read_opencv, _write_opencv),
    _Setting("limits of Pillow", _read_pillow, _write_pillow),
    _Setting("matplotlib.rcParams", _read_figures, _write_figures),
)


def _forget_other_threads() -> None:
    """Remove, in a forked child, the entries of threads that exist in the parent only."""
    thread = threading.get_ident()
    for other in [other for other in _thread_blocks if other != thread]:
        del _thread_blocks[other]


run_in_forked_children(_forget_other_threads)
