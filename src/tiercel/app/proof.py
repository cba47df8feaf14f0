"""Proves all tiers of a configuration and points each broken promise at the line that can mend it."""

from __future__ import annotations

from urllib.parse import urlsplit

import msgspec

from tiercel.app.settings import Examined, Loaded, Origin, Problem
from tiercel.app.settings.rules import is_loopback
from tiercel.route.proof import ChainProof, prove
from tiercel.terms.errors import Misconfigured

__all__ = ["Finding", "Verdict", "check_settings", "insist_on_promises"]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to know: where it stands, what it is, what to do."""

    place: str
    key: str
    message: str
    next_step: str = ""

    def __str__(self) -> str:
        place = f"{self.place}: " if self.place else ""
        return f"{place}{self.message}" + (f"\n       {self.next_step}" if self.next_step else "")


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a configuration can keep what it promises, with the numbers."""

    ok: bool
    file: str | None
    tiers: tuple[ChainProof, ...] = ()
    problems: tuple[Finding, ...] = ()
    notes: tuple[Finding, ...] = ()


def check_settings(examined: Examined) -> Verdict:
    """Return the verdict on settings that may be wrong, or that may promise too much."""
    loaded = examined.loaded
    if loaded is None:
        return Verdict(ok=False, file=None, problems=tuple(map(_wrong, examined.problems)))
    proofs = tuple(_proofs(loaded))
    problems = tuple(finding for proof in proofs for finding in _broken(proof, loaded))
    notes = [finding for proof in proofs for finding in _notes(proof, loaded)]
    notes += [*map(_wrong, examined.secrets), *_bare_keys(loaded)]
    return Verdict(ok=not problems, file=loaded.file or None, tiers=proofs, problems=problems, notes=tuple(notes))


def insist_on_promises(loaded: Loaded) -> None:
    """Stop the start when a tier promises what its ladder cannot keep; raises ``Misconfigured``."""
    broken = [str(finding) for proof in _proofs(loaded) for finding in _broken(proof, loaded)]
    if broken:
        raise Misconfigured("\n".join(broken))


def _proofs(loaded: Loaded) -> list[ChainProof]:
    settings = loaded.settings
    return [prove(tier, spec, settings.engines, settings.route) for tier, spec in settings.tiers.items()]


def _broken(proof: ChainProof, loaded: Loaded) -> list[Finding]:
    return [
        Finding(
            place=_first_set(loaded, *broken.keys),
            key=".".join(broken.keys[0]),
            message=f"{proof.tier} cannot keep its promise: {broken.inequality} does not hold",
            next_step=broken.next_step,
        )
        for broken in proof.broken
    ]


def _notes(proof: ChainProof, loaded: Loaded) -> list[Finding]:
    key = ("tiers", proof.tier, "rungs")
    # A default that does less than it could is no news to anybody.
    place = _first_set(loaded, key)
    return [Finding(place=place, key=".".join(key), message=note) for note in proof.notes] if place else []


def _bare_keys(loaded: Loaded) -> list[Finding]:
    """Say where a key would travel readable for everybody on its way."""
    found = []
    for name, engine in loaded.settings.engines.items():
        url = urlsplit(engine.url)
        if engine.key and url.scheme == "http" and not is_loopback(url.hostname or ""):
            found.append(
                Finding(
                    place=_first_set(loaded, ("engines", name, "key"), ("engines", name, "url")),
                    key=f"engines.{name}.key",
                    message=f"the key of {name} travels unencrypted to {url.hostname}",
                    next_step=f"use https in engines.{name}.url, if that is not a network of your own",
                )
            )
    return found


def _first_set(loaded: Loaded, *keys: tuple[str, ...]) -> str:
    """Return the place of the first of these keys that somebody set."""
    origins = (loaded.origins.get(key, Origin()) for key in keys)
    return next((str(origin) for origin in origins if origin.source != "default"), "")


def _wrong(problem: Problem) -> Finding:
    return Finding(place=problem.place, key=problem.key, message=problem.message)
