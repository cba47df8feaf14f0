"""Configurations that come with Tiercel, as files to read and to start from."""

from __future__ import annotations

from importlib.resources import files

__all__ = ["example"]


def example() -> str:
    """Return a ``tiercel.toml`` with every key in it, explained; as it is, it changes nothing."""
    return files(__name__).joinpath("tiercel.toml").read_text(encoding="utf-8")
