"""How fast and how varied Silver speaks without a model.

    python benchmarks/speech.py [--json]

For each persona: CPU microseconds a line, lines repeated within 20 and openers (first three words) repeated within 5
over 200 lines of one intent, and self-BLEU-4 of ten lines in a row. One bad case and one reference stand beside it:
every mood, and a flat list of twelve lines drawn at random.
"""

from __future__ import annotations

import argparse
import gc
import math
import os
import platform
import random
import statistics
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from tiercel.silver.speech.book import Book
from tiercel.silver.speech.facts import INTENTS, MOODS, Intent
from tiercel.silver.speech.speaker import Line, Speaker

COMMAND = "python benchmarks/speech.py"
RESULTS = Path(__file__).with_name("results") / "speech.json"
LINES = 200
WINDOW = 20
OPENER_WINDOW = 5
BLEU_LINES = 10
BLEU_ORDER = 4
Grams = list[Counter[tuple[str, ...]]]

# What a player says for each intent; nouns are heard in five of them, as in play.
HEARD: dict[Intent, str] = {
    "greet": "Hello there!",
    "farewell": "Goodbye.",
    "ask_place": "Where is the old bridge?",
    "ask_person": "Who is the king here?",
    "ask_trade": "How much for the sword?",
    "ask_work": "Do you have any work for me?",
    "ask_help": "Can you help me, please?",
    "thanks": "Thank you.",
    "insult": "You are a fool.",
    "threat": "I will kill you.",
    "question": "What do you think about wolves?",
    "statement": "The harvest was poor and the mill stands still.",
    "unclear": "...",
}


class Score(msgspec.Struct, kw_only=True):
    """One row of the table."""

    who: str
    lines: int
    us_per_line: float
    mean_tries: float
    repeats_in_20_pct: float
    openers_in_5_pct: float
    self_bleu4_at_10: float
    worst_self_bleu4: float


class Report(msgspec.Struct, kw_only=True):
    """What was measured, on what, by which command."""

    command: str
    cpu: str
    cores: int
    python: str
    load_ms: float
    hear_10kb_us: float
    kib_per_listener: float
    rows: list[Score]


def main() -> None:
    """Measure, print the table, keep the result."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--json", action="store_true", help="print the result as JSON instead of a table")
    as_json = bool(options.parse_args().json)
    report = measure()
    RESULTS.parent.mkdir(exist_ok=True)
    text = msgspec.json.format(msgspec.json.encode(report), indent=2).decode()
    RESULTS.write_text(text + "\n", encoding="utf-8")
    sys.stdout.write((text if as_json else table(report)) + "\n")


def measure() -> Report:
    """Run everything once."""
    started = time.process_time()
    book = Book.load()
    load_ms = (time.process_time() - started) * 1e3
    rows = [score(book, persona, (book.personas[persona].mood,)) for persona in sorted(book.personas)]
    rows.append(score(book, "pirate captain Mora", ("calm",)))
    rows.extend(score(book, "blacksmith", (mood,), f"blacksmith, {mood}") for mood in MOODS)
    rows.append(flat())
    return Report(
        command=COMMAND,
        cpu=cpu_model(),
        cores=os.cpu_count() or 0,
        python=platform.python_version(),
        load_ms=round(load_ms, 1),
        hear_10kb_us=round(hostile(book), 1),
        kib_per_listener=round(memory(book), 2),
        rows=rows,
    )


def score(book: Book, persona: str, moods: Iterable[str], label: str = "") -> Score:
    """Two hundred lines of each intent, each from a listener of its own."""
    runs: list[list[Line]] = []
    spent = 0.0
    for mood in moods:
        for intent in INTENTS:
            speaker = Speaker(book, seed=7)
            started = time.process_time()
            lines = [speaker.say(HEARD[intent], persona=persona, mood=mood, npc_id="n") for _ in range(LINES)]
            spent += time.process_time() - started
            wrong = {line.intent for line in lines} - {intent}
            if wrong:
                raise SystemExit(f"{HEARD[intent]!r} was heard as {wrong}, not {intent}")
            runs.append(lines)
    texts = [[line.text for line in run] for run in runs]
    tries = [line.tries for run in runs for line in run]
    return row(label or persona, texts, us=spent * 1e6 / len(tries), tries=statistics.fmean(tries))


def row(who: str, texts: Sequence[Sequence[str]], *, us: float, tries: float) -> Score:
    """Count what one persona said over all its runs."""
    total = sum(map(len, texts))
    openers = [[" ".join(words(text)[:3]) for text in run] for run in texts]
    bleus = [statistics.fmean(self_bleu(run[i : i + BLEU_LINES]) for i in range(0, LINES, BLEU_LINES)) for run in texts]
    return Score(
        who=who,
        lines=total,
        us_per_line=round(us, 1),
        mean_tries=round(tries, 2),
        repeats_in_20_pct=round(100 * sum(repeats(run, WINDOW) for run in texts) / total, 2),
        openers_in_5_pct=round(100 * sum(repeats(run, OPENER_WINDOW) for run in openers) / total, 2),
        self_bleu4_at_10=round(statistics.fmean(bleus), 3),
        worst_self_bleu4=round(max(bleus), 3),
    )


def flat() -> Score:
    """Draw from twelve lines at random, without any memory, as a reference."""
    book = Book.load()
    lines = [each.text for each in book.personas["blacksmith"].rules["last"].alternatives[:12]]
    dice = random.Random(7)
    runs = [[dice.choice(lines) for _ in range(LINES)] for _ in INTENTS]
    return row("(flat list of 12)", runs, us=0.0, tries=1.0)


def repeats(run: Sequence[str], window: int) -> int:
    """How many entries stood among the ``window`` entries before them."""
    return sum(each in run[max(0, i - window) : i] for i, each in enumerate(run))


def words(text: str) -> list[str]:
    """Small words without punctuation."""
    return [word.strip(".,;:!?'\"") for word in text.casefold().split()]


def self_bleu(run: Sequence[str]) -> float:
    """Mean BLEU-4 of each line against the others: 1 is all the same; zero matches count as 0.1 (method 1)."""
    counted = [grams(words(text)) for text in run]
    return statistics.fmean(bleu(line, counted[:i] + counted[i + 1 :]) for i, line in enumerate(counted))


def bleu(line: Grams, others: Sequence[Grams]) -> float:
    """Clipped n-gram precision up to four words, geometric mean, with the brevity penalty."""
    product, orders = 1.0, 0
    for n, mine in enumerate(line):
        if not mine:
            break
        clipped = sum(min(count, max(other[n][gram] for other in others)) for gram, count in mine.items())
        product *= max(0.1, clipped) / mine.total()
        orders += 1
    length = line[0].total()
    closest = min((abs(other[0].total() - length), other[0].total()) for other in others)[1]
    short = 1.0 if length > closest else math.exp(1 - closest / max(1, length))
    return float(short * product ** (1 / max(1, orders)))


def grams(tokens: list[str]) -> Grams:
    """How often each run of one to four words occurs."""
    sizes = range(1, BLEU_ORDER + 1)
    return [Counter(tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1)) for n in sizes]


def hostile(book: Book) -> float:
    """CPU microseconds to understand the worst of some ten-kilobyte lines."""
    worst = 0.0
    for line in ("where is the " * 800, "?!" * 5000, "\ufdfa" * 10_000, "a" * 10_000, "\U0001f600" * 5000):
        started = time.process_time()
        for _ in range(200):
            book.ears.hear(line)
        worst = max(worst, (time.process_time() - started) * 1e6 / 200)
    return worst


def memory(book: Book) -> float:
    """KiB of resident memory per NPC and session, after 30 mixed lines each."""
    speaker = Speaker(book, seed=7)
    heard = list(HEARD.values())
    count = 2000
    gc.collect()
    before = resident_kib()
    for turn in range(30):
        for who in range(count):
            speaker.say(heard[(turn + who) % len(heard)], persona="blacksmith", npc_id="n", session=str(who))
    return (resident_kib() - before) / count


def resident_kib() -> float:
    """Ask the system how much memory is ours."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1024


def cpu_model() -> str:
    """Name the processor, where the system tells it."""
    info = Path("/proc/cpuinfo")
    found = [line for line in info.read_text(encoding="utf-8").splitlines() if line.startswith("model name")]
    return found[0].partition(":")[2].strip() if found else platform.processor()


def table(report: Report) -> str:
    """Lay the result out for people."""
    head = f"{'persona':<22}{'us/line':>8}{'tries':>7}{'repeat/20':>11}{'opener/5':>10}{'BLEU@10':>9}{'worst':>7}"
    rows = [
        f"{r.who:<22}{r.us_per_line:>8.1f}{r.mean_tries:>7.2f}{r.repeats_in_20_pct:>10.2f}%{r.openers_in_5_pct:>9.2f}%"
        f"{r.self_bleu4_at_10:>9.3f}{r.worst_self_bleu4:>7.3f}"
        for r in report.rows
    ]
    foot = (
        f"{report.cpu}, {report.cores} cores, Python {report.python}; book loaded in {report.load_ms} CPU-ms;"
        f" worst 10 KB line heard in {report.hear_10kb_us} us; {report.kib_per_listener} KiB per listener"
    )
    return "\n".join((head, *rows, foot))


if __name__ == "__main__":
    main()
