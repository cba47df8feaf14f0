"""Everything that can be set, and where it was set: defaults, a TOML file, the environment, the command line."""

from __future__ import annotations

from tiercel.app.settings.loading import Examined, Sources, examine, load
from tiercel.app.settings.models import Extra, read_extra
from tiercel.app.settings.problems import Problem
from tiercel.app.settings.secrets import Secret
from tiercel.app.settings.shape import Loaded, Origin, ServerSpec, Settings
from tiercel.app.settings.sources import Flag

__all__ = [
    "Examined",
    "Extra",
    "Flag",
    "Loaded",
    "Origin",
    "Problem",
    "Secret",
    "ServerSpec",
    "Settings",
    "Sources",
    "examine",
    "load",
    "read_extra",
]
