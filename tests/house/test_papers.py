"""The papers beside the code: readme, changelog, locks, and every link between pages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from house.tree import ROOT, pages, project

PAPERS = ("AGENTS.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "README.md", "docs/tour.md")
KINDS = ("Breaking", "Added", "Changed", "Fixed")
LOCKS = ("requirements/lock.txt", "requirements/dev.txt")
LINK = re.compile(r"\[[^\]]*\]\((?!https?://|mailto:)([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_the_papers_that_everybody_expects_are_there() -> None:
    assert [name for name in PAPERS if not (ROOT / name).exists()] == []


def test_the_first_screen_of_the_readme_has_the_two_commands() -> None:
    first_screen = "\n".join(read("README.md").splitlines()[:60])
    assert "make up" in first_screen
    assert "make test" in first_screen


def test_the_licence_is_the_whole_apache_licence() -> None:
    text = read("LICENSE")
    assert "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text
    assert project()["project"]["license"] == "Apache-2.0"


def test_the_changelog_keeps_its_form() -> None:
    lines = read("CHANGELOG.md").splitlines()
    releases = [line for line in lines if line.startswith("## ")]
    assert lines[0] == "# Changelog"
    assert releases[0] == "## [Unreleased]"
    assert all(re.fullmatch(r"## \[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d", line) for line in releases[1:])


def test_each_release_tells_what_breaks_before_what_is_new() -> None:
    for release in re.split(r"^## ", read("CHANGELOG.md"), flags=re.MULTILINE)[1:]:
        kinds = re.findall(r"^### (.+)$", release, flags=re.MULTILINE)
        assert set(kinds) <= set(KINDS)
        assert all(KINDS.index(one) < KINDS.index(other) for one, other in pairwise(kinds))


def test_every_link_between_pages_leads_somewhere() -> None:
    assert {target for page in pages() for target in lost(page)} == set()


def lost(page: Path) -> Iterator[str]:
    """Yield where a page's links lead when nothing is there."""
    for link in LINK.findall(FENCE.sub("", page.read_text(encoding="utf-8"))):
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if not target.exists():
            yield str(target.relative_to(ROOT))
        elif anchor and target.suffix == ".md" and anchor not in anchors(target):
            yield f"{target.relative_to(ROOT)}#{anchor}"


def anchors(page: Path) -> set[str]:
    """Return the anchors that a page's headings get."""
    titles = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text(encoding="utf-8")), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_pins_every_package_with_hashes_and_names_no_index(lock: str) -> None:
    text = read(lock)
    pinned = re.findall(r"^[a-z0-9][^\n]*(?:\\\n[^\n]*)+", text, flags=re.MULTILINE)
    assert len(pinned) > 10
    assert all(re.match(r"[a-z0-9._-]+==\S+", entry) and "--hash=sha256:" in entry for entry in pinned)
    assert "://" not in text


def test_the_locks_hold_what_the_project_asks_for() -> None:
    wanted = project()["project"]
    asked = {"requirements/lock.txt": wanted["dependencies"]}
    asked["requirements/dev.txt"] = [*wanted["dependencies"], *wanted["optional-dependencies"]["dev"]]
    for lock, names in asked.items():
        held = set(re.findall(r"^([a-z0-9._-]+)==", read(lock), flags=re.MULTILINE))
        assert {re.split(r"[^A-Za-z0-9._-]", name, maxsplit=1)[0].lower() for name in names} <= held, "run `make lock`"


def test_the_development_lock_pins_what_the_server_runs_on() -> None:
    def pins(lock: str) -> dict[str, str]:
        return dict(re.findall(r"^([a-z0-9._-]+)==(\S+)", read(lock), flags=re.MULTILINE))

    server, development = (pins(lock) for lock in LOCKS)
    assert {name: development.get(name) for name in server} == server
