"""`wallbox sim --mutants`: which planted bugs are found, and by what."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from host.console import EXIT_UNUSABLE, error, fail, out
from host.years.job import DAY_MS, BoxDied
from host.years.mutants import BadMutant, Mutant, load


def all_found(directory: Path, as_json: bool) -> bool:
    """Whether each is; prints a line for each. Raises OSError."""
    rows = []
    try:
        for mutant in load(directory):
            row = _row(mutant)
            rows.append(row)
            verdict = row["caught_by"] or "NOT FOUND"
            error.print(f"{mutant.name}: {verdict} {row['text']}", markup=False, highlight=False)
    except BadMutant as wrong:
        fail(f"sim: {wrong}", EXIT_UNUSABLE)
    if as_json:
        out.print_json(json.dumps(rows))
    found = sum(1 for row in rows if row["caught_by"])
    error.print(f"{found} of {len(rows)} planted bugs were found")
    return found == len(rows)


def _row(mutant: Mutant) -> dict[str, Any]:
    names = {"mutant": mutant.name, "file": mutant.file, "why": mutant.why}
    try:
        result = mutant.play()
    except BoxDied as died:
        text = str(died).strip().splitlines()[-1]
        return {
            **names, "caught_by": "ends", "text": text, "day": None, "steps": None, "seconds": None
        }  # fmt: skip
    return {
        **names,
        "caught_by": result.wrong[0] if result.wrong else None,
        "text": result.wrong[1].strip().splitlines()[-1] if result.wrong else "",
        "day": round(int(result.told["at_ms"]) / DAY_MS, 2),
        "steps": result.told["steps"],
        "seconds": round(result.seconds, 1),
    }
