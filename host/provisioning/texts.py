"""The languages of the partner's screens and of the certificate: gettext, English and Danish.

The message ids are the English sentences with `{name}` for values; `locale/<language>.po` holds
the others. `polib` turns that text into a catalogue when it is first wanted, so no compiled file
lies in the tree.
"""

from __future__ import annotations

import functools
import gettext
import io
from pathlib import Path

LANGUAGES = ("en", "da")
LOCALE = Path(__file__).resolve().parent / "locale"

_chosen = "en"


def choose(language: str) -> None:
    """The language of this process. Raises ValueError for one there is no catalogue of."""
    global _chosen
    if language not in LANGUAGES:
        raise ValueError(f"language {language!r}: there are {', '.join(LANGUAGES)}")
    _chosen = language


def chosen() -> str:
    """The language of this process."""
    return _chosen


@functools.cache
def catalogue(language: str) -> gettext.NullTranslations:
    """The catalogue of a language; English has none."""
    if language == "en":
        return gettext.NullTranslations()
    import polib

    file = polib.pofile(str(LOCALE / f"{language}.po"), encoding="utf-8")
    return gettext.GNUTranslations(io.BytesIO(file.to_binary()))


def translated(language: str, message: str, **values: object) -> str:
    """The message in that language with its values."""
    text = catalogue(language).gettext(message)
    return text.format(**values) if values else text


def _(message: str, **values: object) -> str:
    """The message in the chosen language; translated first, then the values are put in."""
    return translated(_chosen, message, **values)


def N_(message: str) -> str:
    """Marks a message that is translated where it is shown."""
    return message
