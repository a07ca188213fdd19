"""What the messages of all checks of a text have in common: shares, and groups that are mostly concerned."""

from __future__ import annotations

from collections.abc import Mapping

from toktk.visible import visible_name


def percent(share: float) -> str:
    """Return a share in percent, with two digits where it is small: ``35%``, ``4.1%``, ``0.012%``."""
    if 0 < share < 0.00001:
        return "<0.001%"
    return f"{100 * share:.0f}%" if share >= 0.0995 else f"{float(f'{100 * share:.2g}'):g}%"


def of_all(n: int, total: int, what: str) -> str:
    """Return ``12 of 3,400 documents (0.35%)``."""
    return f"{n:,} of {total:,} {what} ({percent(n / max(total, 1))})"


def mostly(by_group: Mapping[str, int]) -> tuple[str, str]:
    """Return the group that has all of what is counted, or "", and words on which one has most.

    Of one group alone there is nothing to say.
    """
    having = {group: n for group, n in by_group.items() if n}
    if len(by_group) < 2 or not having:
        return "", ""
    if len(having) == 1:
        (group,) = having
        return group, f", all in {visible_name(group)}"
    group = max(having, key=lambda name: having[name])
    return "", f", most in {visible_name(group)} ({having[group]:,})"
