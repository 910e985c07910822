"""What the operator's terms demand of the box, a story or more for each duty of docs/duties.md.

The stories are in duty_stories.txt. Each begins with a box at home: in service, sealed, online,
reader free, 1000 kWh counted. Its sentences are played one after the other; phrases_done.py and
phrases_seen.py say what each means.
"""

import re
from pathlib import Path

import pytest

from tests import phrases_done, phrases_seen
from tests.phrases import Phrasebook
from tests.player import Player

RULES = Path(__file__).resolve().parent.parent / "firmware/lib/wallbox/core/rules"
DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "duties.md"
STORIES = Path(__file__).with_name("duty_stories.txt")
NOT_THE_BOX = "not the box: "
BOOK = Phrasebook(phrases_done.phrase, phrases_seen.phrase)


def stories() -> list[tuple[str, str, list[str]]]:
    """(duty, title, sentences) of each story."""
    found = []
    for block in STORIES.read_text().strip().split("\n\n"):
        title, *lines = block.split("\n")
        duty, _, title = title.partition(" ")
        found.append((duty, title, [line.strip() for line in lines]))
    return found


def duties() -> dict[str, str]:
    """{id: who answers} of the document."""
    rows = re.findall(r"^\| ([A-Z]\d) \| (.+) \| (.+) \|$", DOCUMENT.read_text(), re.MULTILINE)
    return {number: answered for number, _, answered in rows}


@pytest.mark.parametrize(
    ("title", "sentences"),
    [pytest.param(title, told, id=f"{duty} {title}") for duty, title, told in stories()],
)
def test_duty(title, sentences):
    box = Player().home()
    for sentence in sentences:
        try:
            box = BOOK.tell(box, sentence)
        except AssertionError as error:
            raise AssertionError(f"{title}: {sentence}: {error}") from error


def test_every_duty_has_a_story_or_a_reason_why_it_is_not_the_boxs():
    answered = duties()
    assert len(answered) == 31
    told = {duty for duty, _, _ in stories()}
    assert told <= answered.keys(), "a story for a duty that there is not"
    for duty, who in answered.items():
        reason = who.removeprefix(NOT_THE_BOX) if who.startswith(NOT_THE_BOX) else ""
        assert (duty in told) != (len(reason) > 20), f"{duty} has neither, or both"


def cited(rule: str) -> set[str]:
    """The ids in a rule's first words: `M1, A1-A6`."""
    first = (RULES / f"{rule}.py").read_text().split('"""')[1]
    found = set()
    for letter, first_number, last_number in re.findall(r"\b([MAPSWIU])(\d)(?:-\1(\d))?", first):
        numbers = range(int(first_number), int(last_number or first_number) + 1)
        found |= {f"{letter}{number}" for number in numbers}
    return found


def test_every_rule_that_answers_cites_its_duty_and_cites_no_other():
    answered = {duty: who for duty, who in duties().items() if not who.startswith(NOT_THE_BOX)}
    for duty, who in answered.items():
        for rule in who.split(", "):
            assert duty in cited(rule), f"{rule} does not cite {duty}"
    for path in RULES.glob("[a-z]*.py"):
        for duty in cited(path.stem):
            assert path.stem in answered[duty].split(", "), f"{path.stem} cites {duty}"


def test_a_sentence_that_nobody_knows_fails():
    with pytest.raises(LookupError):
        BOOK.tell(Player().home(), "the car flies away")


def test_every_sentence_means_one_thing_and_is_used():
    used = set()
    for _, title, sentences in stories():
        for sentence in sentences:
            meant = BOOK.meant(sentence)
            assert len(meant) == 1, f"{title}: {sentence}"
            used.add(meant[0])
    assert not [pattern.pattern for pattern, _ in BOOK.known if pattern not in used]
