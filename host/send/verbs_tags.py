"""The tags that the box knows: block-tag, forget-counter, tags."""

from __future__ import annotations

import base64
import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from host.send.options import DAY_S
from host.send.order import Order
from host.send.progress import bar
from host.send.tag_option import HashOption, UidFileOption, tag_of
from host.send.verb import verb

TRIES = 3  # a part that comes twice counts once


def register(app: typer.Typer) -> None:
    verb(app, "block-tag", valid_s=31 * DAY_S)(block_tag)
    verb(app, "forget-counter", valid_s=31 * DAY_S)(forget_counter)
    verb(app, "tags")(tags)


def block_tag(order: Order, uid_file: UidFileOption = None, hash_: HashOption = None) -> None:
    """Block a tag at once, also in a running session.

    Asks for its UID unless an option names the tag. The UID does not leave this command: the box
    gets its hash.

    \b
    wallbox send WB-000001 block-tag
    wallbox send WB-000001 block-tag --uid-file uid.txt
    wallbox send WB-000001 block-tag --hash 5d41402abc4b2a76
    """
    order.do("block-tag", {"tag": tag_of(order, uid_file, hash_)})


def forget_counter(order: Order, uid_file: UidFileOption = None, hash_: HashOption = None) -> None:
    """Let a tag count anew that was refused as a copy.

    Best once the copy is out of the world, and with a new tag.

    \b
    wallbox send WB-000001 forget-counter --hash 5d41402abc4b2a76
    """
    order.do("forget-counter", {"tag": tag_of(order, uid_file, hash_)})


def tags(
    order: Order,
    file: Annotated[
        Path,
        typer.Argument(
            help="CSV: uid or hash; and, where wanted, status (Accepted, Blocked, Expired, "
            "Invalid; in changes also Remove), kind (subscription, pay-per-use, guest), "
            "subscription, limit_a, expires (the last good day, as 2027-06-30)."
        ),
    ],
    changes: Annotated[
        bool, typer.Option("--changes", help="The file holds changes of the list, not all of it.")
    ] = False,
    version: Annotated[
        int | None,
        typer.Option(
            min=1, max=0xFFFFFFFF,
            help="Of the new list; if not given the seconds since 1970. Of changes above the box's",
        ),
    ] = None,
    base: Annotated[
        int,
        typer.Option(
            min=0, max=0xFFFFFFFF,
            help="With --changes: the version they were made from; 0: not told.",
        ),
    ] = 0,
) -> None:
    """Send a list of tags, in full or as changes; the box asks it from when all of it is there.

    \b
    wallbox send WB-000001 tags tags.csv
    wallbox send WB-000001 tags --changes changes.csv --version 1793600100 --base 1793600000
    """
    from host.send.taglist import parts, read_tag_list

    if base and not changes:
        raise typer.BadParameter("--base needs --changes")
    entries = read_tag_list(file, order.key, changes)
    number = version or int(time.time())
    told = {"version": number, "tags": len(entries)}
    begin: dict[str, object] = {"full": not changes, "version": number}
    if base:
        begin["base"] = base
    packed = parts(entries)
    with _progress(order, len(packed) + 2) as advance:
        reply = order.ask("tags-begin", begin, tries=TRIES)
        advance()
        for index, part in enumerate(packed):
            if not reply.done:
                break
            arguments = {"part": index, "entries": base64.b64encode(part).decode("ascii")}
            reply = order.ask("tags-part", arguments, tries=TRIES)
            advance()
        if reply.done:
            reply = order.ask("tags-end", {"count": len(entries)})
            advance()
    if reply.status == "VersionMismatch":
        order.warn(
            "the box has another list than the changes were made from, or a newer one, or a "
            f"damaged one: look at reader.list_version with: wallbox send {order.box} status; "
            "then send the list in full, or changes with a version above that"
        )
    order.finish(reply, **told)


@contextlib.contextmanager
def _progress(order: Order, steps: int) -> Iterator[Callable[[], None]]:
    with bar("tags", steps, order.as_json) as set_done:
        done = 0

        def advance() -> None:
            nonlocal done
            done += 1
            set_done(done)

        yield advance
