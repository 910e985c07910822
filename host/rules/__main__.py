"""python -m host.rules [PATH]: writes docs/rules.md, or PATH."""

from __future__ import annotations

import sys
from pathlib import Path

from host.rules.page import page

DOCUMENT = Path(__file__).resolve().parent.parent.parent / "docs" / "rules.md"


def main() -> None:
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else DOCUMENT
    path.write_text(page(), encoding="utf-8")
    print(path)


if __name__ == "__main__":
    main()
