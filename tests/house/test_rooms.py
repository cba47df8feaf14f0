"""The rooms: each can be entered, each is explained, and the floors in the documents are those that are checked."""

from __future__ import annotations

import re
import subprocess
import sys

from house.tree import ROOT, floors, modules, rooms_with_code


def test_every_module_can_be_imported() -> None:
    assert len(modules()) > len(rooms_with_code())


def test_every_room_stands_on_a_floor() -> None:
    assert set(rooms_with_code()) <= {room for floor in floors() for room in floor}


def test_a_room_with_code_has_a_page() -> None:
    written = {page.stem for page in (ROOT / "docs" / "rooms").glob("*.md")}
    assert {room for room in rooms_with_code() if room not in written} == set()


def test_a_page_is_about_a_room() -> None:
    rooms = {room for floor in floors() for room in floor}
    assert {page.stem for page in (ROOT / "docs" / "rooms").glob("*.md")} <= rooms


def test_generated_parts_of_the_documents_are_current() -> None:
    program = [sys.executable, str(ROOT / "docs" / "generate.py"), "--check"]
    checked = subprocess.run(program, capture_output=True, text=True, check=False, timeout=60)  # noqa: S603 - our own
    assert checked.returncode == 0, f"run `make docs`: {checked.stdout}{checked.stderr}"


def test_the_floors_are_shown_where_people_look() -> None:
    assert re.search(r"<!-- generated: floors -->\n1\. ", (ROOT / "AGENTS.md").read_text(encoding="utf-8"))
