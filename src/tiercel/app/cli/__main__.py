"""Lets ``python -m tiercel.app.cli`` run the command line where no script is installed."""

from __future__ import annotations

from tiercel.app.cli import main

main()
