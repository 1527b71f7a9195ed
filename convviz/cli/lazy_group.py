"""A command group that lists commands by name and imports a command when it is used."""

from __future__ import annotations

import ast
from importlib import import_module
from importlib.machinery import PathFinder
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup

LAZY = {"analyze": "convviz.cli.analyze"}
"""Command of convviz -> its module; imported on use, because its options need pydantic."""


class LazyGroup(TyperGroup):
    """The commands of convviz, then those of plugins (entry-point group `convviz.commands`)."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return all names; imports no plugin."""
        first, *others = super().list_commands(ctx)
        names = [first, *LAZY, *others]
        return [*names, *(name for name in _names() if name not in names)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command; a lazy one and that of a plugin are placeholders with a help text."""
        command = super().get_command(ctx, cmd_name)
        if command is not None:
            return command
        if cmd_name in LAZY:
            return _placeholder(cmd_name, _summary(LAZY[cmd_name]))
        return _placeholder_of_plugin(cmd_name) if cmd_name in _names() else None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command to run; imports the module or the plugin that provides it."""
        name, command, rest = super().resolve_command(ctx, args)
        if name in LAZY:
            command = import_module(LAZY[name]).command()
        elif name is not None and name not in self.commands and name in _names():
            command = _import_command(name)
        return name, command, rest


def _names() -> tuple[str, ...]:
    from ..plugin import registry

    return registry.current().names("commands")


def _placeholder_of_plugin(name: str) -> Any:
    from ..plugin import registry

    entry = registry.current().find("commands", name)
    text = _summary(entry.module)
    if entry.distribution != "convviz":
        text = f"{text} (from {entry.distribution} {entry.version})".strip()
    return _placeholder(name, text)


def _placeholder(name: str, text: str) -> Any:
    """Return a command that can be listed but not run."""
    cli = _fresh()
    cli.command(name, help=text, short_help=text)(lambda: None)
    return typer.main.get_group(cli).commands[name]


def _summary(module: str) -> str:
    """Return the first line of a module's docstring, read from its source without importing it."""
    top, *below = module.split(".")
    try:
        spec = find_spec(top)
        for i in range(len(below)):
            path = spec.submodule_search_locations if spec else None
            spec = PathFinder.find_spec(".".join([top, *below[: i + 1]]), path)
        tree = ast.parse(Path(spec.origin).read_bytes()) if spec and spec.origin else None
    except (ImportError, OSError, SyntaxError, ValueError):
        return ""
    return ((tree and ast.get_docstring(tree)) or "").partition("\n")[0]


def _import_command(name: str) -> Any:
    from ..plugin import registry
    from ..plugin.validation import BrokenPluginError

    entry = registry.current().find("commands", name)
    cli = _fresh()
    registry.current().call(entry, cli=cli)
    commands = typer.main.get_group(cli).commands
    plain = name.rpartition(":")[2]
    if plain not in commands:
        added = ", ".join(commands) or "none"
        raise BrokenPluginError(entry, f"it adds no command {plain!r} (it adds: {added})")
    return commands[plain]


def _fresh() -> typer.Typer:
    return typer.Typer(add_completion=False, rich_markup_mode=None)
