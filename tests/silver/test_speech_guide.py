"""The guide's own example is a book that loads and speaks."""

from __future__ import annotations

import re
from pathlib import Path

from tiercel.silver.speech.book import BOOKS, Book
from tiercel.silver.speech.facts import INTENTS, MOODS
from tiercel.silver.speech.speaker import Speaker

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "speech.md"


def test_the_persona_of_the_guide_loads_and_speaks_its_lines(tmp_path: Path) -> None:
    text = GUIDE.read_text(encoding="utf-8")
    example, instead = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)[:2]
    (tmp_path / "ferryman.toml").write_text(example, encoding="utf-8")
    speaker = Speaker(Book.load(BOOKS, tmp_path), seed=1)
    said = [speaker.say("Where is Reedholm?", persona="boatman", npc_id="f").text for _ in range(60)]
    assert any("Reedholm is a word I hear more than I see." in line for line in said)
    assert any("Water is patient." in line for line in said)
    with_instead = example.replace("[persona]\n", instead.replace(', "farewell"', ""), 1)
    (tmp_path / "ferryman.toml").write_text(with_instead, encoding="utf-8")
    assert len(Book.load(BOOKS, tmp_path).personas["ferryman"].rules["greet"].alternatives) == 5


def test_the_guide_names_every_mood_and_intent() -> None:
    text = GUIDE.read_text(encoding="utf-8")
    assert [word for word in (*MOODS, *INTENTS) if word not in text] == []
