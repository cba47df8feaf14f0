"""A flawed book stops the start, and says in which file and on which line."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tiercel.silver.speech.book import BOOKS, Book
from tiercel.silver.speech.speaker import Speaker
from tiercel.terms.errors import Misconfigured

HEAD = '[persona]\nname = "the ferryman"\n\n[rules]\n'


def refused(folder: Path, text: str, name: str = "ferryman.toml") -> Misconfigured:
    (folder / name).write_text(text, encoding="utf-8")
    with pytest.raises(Misconfigured) as wrong:
        Book.load(BOOKS, folder)
    assert wrong.value.where == str(folder / name)
    return wrong.value


@pytest.mark.parametrize(
    ("rules", "line", "reason"),
    [
        ('greet = [\n  "Hello.",\n  "Hello {wether}.",\n]', 7, "unknown slot {wether}"),
        ('greet = ["Hello {persona.hat}."]', 5, "unknown slot {persona.hat}"),
        ('greet = [\n  # why not\n  "Hello <musing>.",\n]', 7, "unknown rule <musing>"),
        ('greet = ["Hello <one>."]\none = ["a <two>"]\ntwo = ["b <one>"]', 7, "circle, one -> two -> one"),
        ('greet = ["<greet>"]', 5, "circle, greet -> greet"),
        ('greet = ["Hello [<greet>]."]', 5, "circle, greet -> greet"),
        ('greet = ["Hello."]\naside = ["Hm."]\ngreet = ["Hi."]', 7, "the same name twice"),
        ('greet = [\n  "Hello.",\n  "Hi.",\n  "Hello.",\n]', 8, "the same alternative twice"),
        ('greet = ["Well met."]', 5, "twice in rule 'greet' (first in everyone.toml:"),
        ('greet = [\n  "Hello.",\n  "",\n]', 7, "an empty alternative"),
        ("greet = []", 5, "no alternatives"),
        ('greet = "Hello."', 5, "must be a list of strings"),
        ('greet = [\n  "Hello.",\n  3,\n]', 7, "must be a list of strings"),
        ('gret = ["Hello."]', 5, "did you mean 'greet'"),
        ('Greet = ["Hello."]', 5, "no rule name"),
        ('aside = ["<mood>"]\nmood = ["@glad Ha."]', 6, "needs one alternative that always fits"),
        ('aside = ["<spot>"]\nspot = ["{place}"]', 6, "needs one alternative that always fits"),
        ('aside = [\n  "Hm.",\n  """' + "long " * 80 + '""",\n]', 7, "300 at most"),
        ('close_word = [\n  "' + "long " * 40 + '",\n]', 6, "120 at most"),
        ('greet = [\n  "Hello"\n  "there",\n]', 7, "Unclosed array"),
        ("aside = [" + ", ".join(f'"Hm {i}."' for i in range(300)) + "]", 5, "more than 255 alternatives"),
    ],
)
def test_a_flawed_rule_is_refused_with_its_line(tmp_path: Path, rules: str, line: int, reason: str) -> None:
    wrong = refused(tmp_path, HEAD + rules + "\n")
    assert reason in str(wrong)
    assert wrong.line == line


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ('[persona]\nname = "x"\n\n[rulez]\ngreet = ["Hi."]\n', 4, "unknown table 'rulez'"),
        ('name = "x"\n', 1, "unknown table 'name'"),
        ('[persona]\nmood = "jolly"\n', 2, "unknown mood 'jolly'"),
        ('[persona]\nname = "{topic}"\n', 2, "plain characters"),
        ('[persona]\nname = "' + "x" * 41 + '"\n', 2, "plain characters"),
        ('[persona]\ninstead = ["greet"]\n', 2, "has no rule in this file"),
        ('[persona]\nalso = ["blacksmith"]\n', 2, "already names the persona 'blacksmith'"),
        ('[topics]\nplace = [\n  "Reedholm",\n  "<b>",\n]\n', 4, "is no noun"),
        ('[topics]\nplace = ["a noun of far too many words"]\n', 2, "is no noun"),
        ('[topics]\ncolour = ["red"]\n', 2, "unknown kind 'colour'"),
        ('[topics]\nplace = ["bell"]\nthing = ["bell"]\n', 3, "two kinds of thing"),
        ('[topics]\nplace = ["king"]\n', 2, "another kind of thing"),
        ('[hear]\nsing = ["la la"]\n', 2, "unknown hear 'sing'"),
        ('[hear]\ngreet = ["hello!"]\n', 2, "no phrase of plain words"),
        ('[hear]\ngreet = ["goodbye"]\n', 2, "means 'farewell' already"),
        ('[rules]\n\n\ngreet = ["Hi.\n', 4, "Illegal character"),
        ("[rules]\n[rules]\n", 2, "the same name twice"),
    ],
)
def test_a_flawed_file_is_refused_with_its_line(tmp_path: Path, text: str, line: int, reason: str) -> None:
    wrong = refused(tmp_path, text)
    assert reason in str(wrong)
    assert wrong.line == line


def test_rules_nested_too_deep_are_refused(tmp_path: Path) -> None:
    chain = "".join(f'r{i} = ["<r{i + 1}>"]\n' for i in range(40))
    assert "16 deep" in str(refused(tmp_path, HEAD + 'aside = ["<r0>"]\n' + chain + 'r40 = ["Hm."]\n'))


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ferryman.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(Misconfigured, match=r"ferryman\.toml: cannot be read"):
        Book.load(BOOKS, tmp_path)


def test_a_file_name_that_no_request_could_give_is_refused(tmp_path: Path) -> None:
    assert "no persona name" in str(refused(tmp_path, HEAD + 'greet = ["Hi."]\n', "Ferry Man.toml"))


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="no book files"):
        Book.load(tmp_path)


def test_a_folder_alone_must_hold_the_shared_lines(tmp_path: Path) -> None:
    (tmp_path / "ferryman.toml").write_text(HEAD + 'greet = ["Hi."]\n', encoding="utf-8")
    with pytest.raises(Misconfigured, match=r"no everyone\.toml"):
        Book.load(tmp_path)


def test_a_shared_file_without_a_needed_rule_is_refused(tmp_path: Path) -> None:
    shutil.copytree(BOOKS, tmp_path, dirs_exist_ok=True)
    (tmp_path / "everyone.toml").write_text('[rules]\nline = ["Hm."]\n', encoding="utf-8")
    with pytest.raises(Misconfigured, match="no rule 'last'"):
        Book.load(tmp_path)


def test_a_file_of_a_later_folder_replaces_the_one_of_the_same_name(tmp_path: Path) -> None:
    text = '[persona]\ninstead = ["greet"]\n\n[rules]\ngreet = ["Sparks, and good day."]\n'
    (tmp_path / "blacksmith.toml").write_text(text, encoding="utf-8")
    book = Book.load(BOOKS, tmp_path)
    assert [each.text for each in book.personas["blacksmith"].rules["greet"].alternatives] == ["Sparks, and good day."]
    assert book.cast("farrier")[0].id == "narrator"


def test_a_window_larger_than_the_last_lines_allow_is_refused_with_their_place() -> None:
    with pytest.raises(Misconfigured, match="a window of 500 lines needs 506 plain lines") as wrong:
        Speaker(Book.load(), window=500)
    text = (BOOKS / "everyone.toml").read_text(encoding="utf-8").splitlines()
    assert text[wrong.value.line - 1].startswith("last = [")
