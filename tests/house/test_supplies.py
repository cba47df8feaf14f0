"""What is installed is what the packages say they installed: nothing beside them, and nothing that runs unasked."""

from __future__ import annotations

import sysconfig
from importlib.metadata import distributions
from pathlib import Path

SITE = Path(sysconfig.get_paths()["purelib"])
# A .pth file can run code in every Python process of the environment, imported or not; a stolen release of a well-known
# gateway was spread by one. Setuptools brings one, and coverage one for processes that a test starts; ours is a path.
RUNS_UNASKED = {"distutils-precedence.pth", "a1_coverage.pth"}
OURS = "__editable__.tiercel-"


def test_nothing_runs_in_every_process_but_what_we_know() -> None:
    found = {path.name for path in SITE.glob("*.pth") if not path.name.startswith(OURS)}
    assert found <= RUNS_UNASKED


def test_our_own_path_is_a_path_and_runs_nothing() -> None:
    for path in SITE.glob(f"{OURS}*.pth"):
        assert not path.read_text(encoding="utf-8").startswith("import")


def test_every_installed_file_is_on_its_package_s_list() -> None:
    listed = {str(file) for package in distributions(path=[str(SITE)]) for file in package.files or ()}
    present = {
        str(path.relative_to(SITE))
        for path in SITE.rglob("*")
        if path.suffix in {".py", ".pth", ".so"} and "__pycache__" not in path.parts
    }
    assert sorted(present - listed) == []
