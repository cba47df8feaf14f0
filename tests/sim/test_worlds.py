"""The whole flow in simulated worlds: no rule is ever broken, and every planted bug breaks one."""

from __future__ import annotations

import pytest

from tiercel.sim.harness import PER_WORLD, replay_command, season, worlds
from tiercel.sim.mutants.planted import PLANTED
from tiercel.sim.rules import RULES, RuleBroken
from tiercel.sim.scenario import draw


def test_the_same_seed_tells_the_same_story() -> None:
    first, second = (season(11, worlds(11, 2 * PER_WORLD)) for _ in range(2))
    assert first.crc == second.crc
    assert first.rungs == second.rungs


def test_worlds_differ_in_engines_faults_and_levels() -> None:
    drawn = [draw(seed, 100) for seed in range(60)]
    assert {scenario.level for scenario in drawn} == {"bytes", "port"}
    assert len({scenario.faults for scenario in drawn}) > 30
    assert {len(scenario.roles) for scenario in drawn} == {1, 2, 3, 4}
    assert 5 < sum(scenario.jitter for scenario in drawn) < 40


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_hundred_thousand_requests_break_no_rule() -> None:
    """Statements 3, 11, 15 and 17 to 21: over random faults, with every reply checked."""
    result = season(1000, worlds(1000, 100_000))
    assert result.requests >= 100_000
    assert result.requests_as_bytes > result.requests // 4


@pytest.mark.slow
@pytest.mark.timeout(60)
@pytest.mark.parametrize("bug", PLANTED)
def test_a_planted_bug_is_found_and_can_be_seen_again(bug: str) -> None:
    mutant = PLANTED[bug]
    with pytest.raises(RuleBroken) as caught:
        season(100, worlds(100, 20_000, workshop=mutant.workshop))
    assert caught.value.rule in mutant.found_by
    assert caught.value.rule in RULES
    assert caught.value.replay.startswith("tiercel sim --seed ")


def test_one_command_plays_a_world_again() -> None:
    assert replay_command(7, 2000) == "tiercel sim --seed 7 --requests 2000"
    assert replay_command(7, 10, ["cut"], "bytes") == "tiercel sim --seed 7 --requests 10 --faults cut --level bytes"
