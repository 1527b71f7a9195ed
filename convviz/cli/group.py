"""A command group that knows plugins' commands by name and imports one when it is used."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup


class LazyGroup(TyperGroup):
    """The commands of convviz itself, then those of the group `convviz.commands`."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return all names; imports no plugin."""
        return [*super().list_commands(ctx), *(n for n in _names() if n not in self.commands)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command; a plugin's one only stands in for it, to be listed."""
        own = super().get_command(ctx, cmd_name)
        if own is not None or cmd_name not in _names():
            return own
        return _stand_in(cmd_name)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command to run, a plugin's one imported."""
        name, command, rest = super().resolve_command(ctx, args)
        if name is not None and name not in self.commands and name in _names():
            command = _imported(name)
        return name, command, rest


def _names() -> tuple[str, ...]:
    from .. import registry

    return registry.current().names("commands")


def _stand_in(name: str) -> Any:
    from .. import registry

    entry = registry.current().find("commands", name)
    cli = _fresh()
    cli.command(name, help=f"(from {entry.distribution} {entry.version})")(lambda: None)
    return typer.main.get_group(cli).commands[name]


def _imported(name: str) -> Any:
    from .. import registry
    from ..contract import BrokenPluginError

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
