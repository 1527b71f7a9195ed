"""The registry of plugins: lists them without importing, and imports each at first use."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pluggy

from ..errors import ConvvizError, MissingLibraryError, PluginError, UnknownNameError
from ..state.fork_lock import ForkSafeLock
from . import hookspecs
from .entry_points import GROUPS, Entry, Fault, discover
from .method_names import method_hint
from .parameters import build
from .plugin_names import ambiguous, is_called, matches, plain_name, prefixes, shared_parts
from .plugin_of_class import plugin_of_class
from .plugin_status import Status
from .validation import (
    BrokenPluginError,
    attribute_errors,
    check_analyze_options,
    check_explainers,
    check_hook,
    check_metrics,
    is_metric,
    snake_case,
)

if TYPE_CHECKING:
    from .explainer import DatasetExplainer, Explainer
    from .metric import Metric

RUNTIME = "(registered)"
"""Distribution of the plugins that `register` added."""

_FAMILIES = ("explainers", "metrics")
"""Groups in which an entry may stand for a family: "captum" for "captum.deep_lift"."""


@dataclass(frozen=True)
class Identity:
    """Name, distribution and version of an explainer, as results record them."""

    name: str
    distribution: str
    version: str


class Registry:
    """The plugins of a process.

    Args:
        entries: the entry points of plugins, from `discover`.
        faults: entry points that cannot be used, from `discover`.
        disabled: names, distributions or `distribution:name` to disable; `*` is a wildcard.
        strict: check all plugins at first use, and raise for the first broken one.
    """

    def __init__(
        self,
        entries: Iterable[Entry],
        faults: Iterable[Fault] = (),
        disabled: Iterable[str] = (),
        strict: bool = False,
    ) -> None:
        self.manager = pluggy.PluginManager("convviz")
        self.manager.add_hookspecs(hookspecs)
        self.faults = tuple(faults)
        self._entries = list(entries)
        self._disabled = set(disabled)
        self._plugins: dict[Entry, object] = {}
        self._identities: dict[type, Identity] = {}
        self._unverified = strict
        self._lock = ForkSafeLock()

    def entries(self, group: str, disabled: bool = False) -> list[Entry]:
        """Return the entries of a group by name, with the disabled ones on request."""
        entries = [e for e in self._entries if e.group == group]
        return entries if disabled else [e for e in entries if not self._is_disabled(e)]

    def names(self, group: str) -> tuple[str, ...]:
        """Return the names of a group; the addresses of entries whose names are equal."""
        entries = self.entries(group)
        names = [entry.name for entry in entries]
        return tuple(e.address if names.count(e.name) > 1 else e.name for e in entries)

    def disable(self, pattern: str) -> None:
        """Disable a name, a distribution or a `distribution:name`; `*` is a wildcard."""
        if not any(matches(entry, pattern) for entry in self._entries):
            known = {name for e in self._entries for name in (e.name, e.distribution)}
            raise UnknownNameError("plugin", pattern, sorted(known))
        self._disabled.add(pattern)

    def find(self, group: str, name: str) -> Entry:
        """Return the entry of a name or `distribution:name`, or of its family.

        Raises:
            PluginError: two distributions use the name.
            UnknownNameError: no plugin uses it.
        """
        self.verify()
        for candidate in prefixes(name) if group in _FAMILIES else (name,):
            matching = [e for e in self.entries(group) if is_called(e, candidate)]
            if len(matching) > 1:
                raise PluginError(ambiguous(matching))
            if matching:
                return matching[0]
        kind = {"models": "model source", "datasets": "data-set source"}.get(group, group[:-1])
        if any(e.group == group and is_called(e, name) for e in self._entries):
            raise PluginError(f"the {kind} {name!r} is disabled (CONVVIZ_DISABLE_PLUGINS or -x)")
        known = self.names(group)
        aliases = self._aliases() if group == "explainers" else ()
        raise UnknownNameError(kind, name, known, method_hint(name, known, aliases))

    def load(self, entry: Entry) -> object:
        """Import and check a plugin; a broken one is not registered."""
        with self._lock:
            if entry not in self._plugins:
                with attribute_errors(entry):
                    plugin = entry.load()
                    self._register(plugin, entry)
                self._plugins[entry] = plugin
            return self._plugins[entry]

    def call(self, entry: Entry, hook_name: str = "", **arguments: Any) -> Any:
        """Call a hook of one plugin, by default that of its group.

        A ConvvizError of the plugin is passed on, any other error becomes a PluginError.
        """
        plugin = self.load(entry)
        others = [other for other in self.manager.get_plugins() if other is not plugin]
        hook = self.manager.subset_hook_caller(hook_name or GROUPS[entry.group], others)
        with attribute_errors(entry, passing=ConvvizError):
            return hook(**arguments)

    def in_order(self, group: str) -> Iterator[Entry]:
        """Yield the entries of a group that load, ordered by tryfirst, name and trylast."""
        self.verify()
        usable = [entry for entry in self.entries(group) if self._loads(entry)]
        hook = getattr(self.manager.hook, GROUPS[group])
        rank = {id(h.plugin): h.trylast - h.tryfirst for h in hook.get_hookimpls()}
        yield from sorted(usable, key=lambda e: (rank[id(self._plugins[e])], e.name))

    def explainer_class(self, name: str) -> type[Explainer | DatasetExplainer]:
        """Return the class of an explainer by name or `distribution:name`."""
        cls: type[Explainer | DatasetExplainer] = self._class_called("explainers", name)
        return cls

    def metric_class(self, name: str) -> type[Metric]:
        """Return the class of a metric by name or `distribution:name`."""
        return self._class_called("metrics", name)  # type: ignore[no-any-return]

    def _class_called(self, group: str, name: str) -> Any:
        classes, plain = self._classes(self.find(group, name)), plain_name(name)
        if plain not in classes:
            raise UnknownNameError(group[:-1], plain, classes)
        return classes[plain]

    def explainer_classes(self, entry: Entry) -> dict[str, type[Explainer | DatasetExplainer]]:
        """Return the explainer classes of an entry by name: one, or the members of a family."""
        returned = self.call(entry)
        classes = check_explainers(returned[0] if returned else None, entry)
        for name, cls in classes.items():
            taken = [e for e in self.entries(entry.group) if e != entry and e.name == name]
            if taken and name != entry.name:
                raise BrokenPluginError(entry, f"{taken[0].distribution} has a {name!r} too")
            identity = Identity(name, entry.distribution, entry.version)
            self._identities.setdefault(cls, identity)
        return classes

    def metric_classes(self, entry: Entry) -> dict[str, type[Metric]]:
        """Return the metric classes of an entry by name: one, or the members of a family."""
        returned = self.call(entry)
        classes = check_metrics(returned[0] if returned else None, entry)
        for name, cls in classes.items():
            identity = Identity(name, entry.distribution, entry.version)
            self._identities.setdefault(cls, identity)
        return classes

    def analyze_options(self, entry: Entry) -> dict[str, tuple[str, str]]:
        """Return the options of `convviz analyze` that an entry declares: (placeholder, help)."""
        returned = self.call(entry)
        return check_analyze_options(returned[0] if returned else None, entry)

    def identify(self, cls: type) -> Identity:
        """Return the identity of a class; without a plugin its distribution is empty."""
        for entry in self._likely_entries(cls):
            if cls in self._identities:
                break
            try:
                self._classes(entry)
            except PluginError:
                continue  # `status` reports it; another entry may provide the class
        return self._identities.get(cls, Identity(snake_case(cls.__name__), "", ""))

    def register(self, plugin: object, name: str | None = None) -> None:
        """Add a plugin or the class of an explainer or metric for the rest of this process.

        Registering a name again replaces the earlier registration, so that a notebook cell can
        be run twice. Names of installed plugins are refused.
        """
        if isinstance(plugin, type):
            name = name or snake_case(plugin.__name__)
            plugin = plugin_of_class(plugin)
        name = name or getattr(plugin, "__name__", type(plugin).__name__).rpartition(".")[2]
        new = [
            Entry(group, name, name, RUNTIME, "", lambda: plugin)
            for group, hook in GROUPS.items()
            if hasattr(plugin, hook)
        ]
        if not new:
            raise PluginError(f"{name} implements no hook; hooks: {', '.join(GROUPS.values())}")
        for entry in new:
            self._unregister_earlier(entry)
            self.load(entry)
            self._entries.append(entry)
            self._classes(entry)

    def verify(self) -> None:
        """Check all plugins once in strict mode; raises PluginError for a broken one."""
        if not self._unverified:
            return
        self._unverified = False  # `status` calls this method
        for row in self.status():
            if row.state == "broken":
                self._unverified = True
                where = f"{row.distribution} {row.version}".strip()
                raise PluginError(
                    f"plugin {row.name!r} of {where} is broken: {row.reason} "
                    "(an error because CONVVIZ_STRICT_PLUGINS is set)"
                )

    def status(self) -> list[Status]:
        """Import every plugin that is not disabled and return its state."""
        rows = [self._status(entry) for entry in self._entries]
        for fault in self.faults:
            group = f"convviz.{fault.group}" if fault.group else ""
            where = (fault.distribution, fault.version, group, fault.name)
            rows.append(Status(*where, (), "broken", fault.reason))
        return rows

    def _status(self, entry: Entry) -> Status:
        where = (entry.distribution, entry.version, f"convviz.{entry.group}", entry.name)
        if self._is_disabled(entry):
            return Status(*where, (), "disabled")
        hooks: tuple[str, ...] = ()
        try:
            hooks = tuple(sorted(self._hooks(self.load(entry))))
            if entry.group == "default_explainers":
                self.analyze_options(entry)
            self._classes(entry)
        except MissingLibraryError as error:
            return Status(*where, hooks, "not installed", str(error))
        except ConvvizError as error:
            return Status(*where, hooks, "broken", getattr(error, "reason", str(error)))
        same = [e for e in self.entries(entry.group) if e.name == entry.name]
        if len(same) > 1:
            return Status(*where, hooks, "broken", ambiguous(same))
        return Status(*where, hooks, "ready")

    def _register(self, plugin: object, entry: Entry) -> None:
        if not self.manager.is_registered(plugin):
            try:
                self.manager.register(plugin, name=f"{entry.address} ({entry.group})")
                self.manager.check_pending()
            except BaseException:
                # pluggy leaves a plugin that fails its checks registered.
                if self.manager.is_registered(plugin):
                    self.manager.unregister(plugin)
                raise
        check_hook(plugin, self._hooks(plugin), entry)

    def _hooks(self, plugin: object) -> set[str]:
        return {caller.name for caller in self.manager.get_hookcallers(plugin) or ()}

    def _loads(self, entry: Entry) -> bool:
        try:
            self.load(entry)
        except PluginError:
            return False
        return True

    def _is_disabled(self, entry: Entry) -> bool:
        return any(matches(entry, pattern) for pattern in self._disabled)

    def _aliases(self) -> Iterator[Mapping[str, str]]:
        """Yield the aliases of every explainer; imports one plugin after the other."""
        return (cls.aliases for _, cls in self.all_explainer_classes())

    def all_explainer_classes(self) -> Iterator[tuple[str, type[Explainer | DatasetExplainer]]]:
        """Yield name and class of every explainer, without broken ones and those on demand."""
        for entry in self.entries("explainers"):
            try:
                if not self.call(entry, "convviz_loads_on_demand"):
                    yield from self.explainer_classes(entry).items()
            except PluginError:
                continue

    def _classes(self, entry: Entry) -> Mapping[str, type]:
        """Return the classes of an entry for explainers or metrics; none for other entries."""
        if entry.group == "metrics":
            return self.metric_classes(entry)
        return self.explainer_classes(entry) if entry.group == "explainers" else {}

    def _likely_entries(self, cls: type) -> list[Entry]:
        """Return the entries of the package of a class, the closest modules first."""
        module = cls.__module__
        top = module.partition(".")[0]
        group = "metrics" if is_metric(cls) else "explainers"
        same = [e for e in self.entries(group) if e.module.partition(".")[0] == top]
        return sorted(same, key=lambda e: -shared_parts(e.module, module))

    def _unregister_earlier(self, new: Entry) -> None:
        """Remove an earlier registration of the same name; an installed plugin is an error."""
        for old in [e for e in self._entries if e.group == new.group and e.name == new.name]:
            if old.distribution != RUNTIME:
                raise PluginError(
                    f"{old.distribution} already has a plugin {new.name!r}; pass another name="
                )
            self._entries.remove(old)
            self._identities = {
                cls: identity
                for cls, identity in self._identities.items()
                if (identity.distribution, identity.name) != (RUNTIME, new.name)
            }
            plugin = self._plugins.pop(old, None)
            if plugin is not None and plugin not in self._plugins.values():
                self.manager.unregister(plugin)


_current: Registry | None = None


def current() -> Registry:
    """Return the registry of this process; the first call discovers the plugins."""
    global _current
    if _current is None:
        off = os.environ.get("CONVVIZ_DISABLE_PLUGINS", "").split(",")
        _current = Registry(
            *discover(),
            disabled=[pattern.strip() for pattern in off if pattern.strip()],
            strict=os.environ.get("CONVVIZ_STRICT_PLUGINS", "") not in ("", "0"),
        )
    return _current


def reset() -> None:
    """Discard the registry of this process; the next use discovers the plugins again."""
    global _current
    _current = None


def explainer(name: str, **params: Any) -> Any:
    """Build an explainer by its registered name, with validated parameters.

    Raises:
        UnknownNameError: there is no such explainer or parameter.
        ParameterError: a value is not allowed.
        PluginError: the plugin of the explainer is broken, or two distributions use the name.
    """
    return build(current().explainer_class(name), name, params)


def metric(name: str, **params: Any) -> Any:
    """Build a metric by its registered name; parameters and errors as in `explainer`."""
    return build(current().metric_class(name), name, params)


def metric_names() -> tuple[str, ...]:
    """Return the names of all metrics, and the prefixes of families; imports no plugin."""
    current().verify()
    return current().names("metrics")


def explainer_names() -> tuple[str, ...]:
    """Return the names of all explainers, and the prefixes of families; imports no plugin."""
    current().verify()
    return current().names("explainers")


def register(plugin: object, name: str | None = None) -> None:
    """Add the class of an explainer or metric, or a plugin object, for the rest of this process.

    Args:
        plugin: the class or plugin.
        name: its name; by default that of the class in snake_case.
    """
    current().register(plugin, name)


def identify(explainer: object) -> Identity:
    """Return the registered name, the distribution and the version of an explainer.

    Without a plugin the name is that of the class, and the distribution is empty.
    """
    return current().identify(explainer if isinstance(explainer, type) else type(explainer))
