"""Keys of the configuration that the operator may change from afar, and how a change is stored."""

import json
import os

from .. import build, forget
from ..core import events
from . import ACCEPTED, FAILED, REJECTED

REMOTE = ("interval_s", "seals.policy", "presence.offline_grace_h", "place.relocate_after_h")


def change(box, key: str, value, take) -> tuple:
    """In the file first, then in force."""
    if key not in REMOTE:
        return REJECTED, "key: one of " + ", ".join(REMOTE)
    answer = store({key: value})
    if answer[0] != ACCEPTED:
        return answer[:2]
    values, error_text = build.configuration()
    if error_text:
        return FAILED, error_text
    answer = take(box, events.CONFIG, values["event"][1:])
    if answer[0] != ACCEPTED:
        return answer
    return ACCEPTED, "in force; an interval that runs ends first"


def store(values: dict, serial: str = "") -> tuple:
    """(status, info, key that is wrong). The file is replaced whole, or stays as it is.

    A value of None takes the key out. serial: for a file that cannot be read.
    """
    from .. import config

    fresh = build.CONFIG_FILE + ".new"
    try:
        tree = _tree(serial)
        for key in values:
            _put(tree, key, values[key])
        config.check_all(tree)
        with open(fresh, "w") as file:
            json.dump(tree, file)
        os.rename(fresh, build.CONFIG_FILE)
    except config.ConfigError as error:
        return REJECTED, str(error), error.field
    except OSError as error:
        return FAILED, "%s: %s" % (build.CONFIG_FILE, error), ""
    finally:
        forget("wallbox", "config")
    return ACCEPTED, "", ""


def _tree(serial: str) -> dict:
    try:
        with open(build.CONFIG_FILE) as file:
            tree = json.load(file)
        if isinstance(tree, dict):
            return tree
    except (OSError, ValueError, TypeError, MemoryError, RuntimeError):
        pass
    return {"serial": serial}


def _put(tree: dict, key: str, value) -> None:
    """As {group: {name: value}}; the same key written flat goes."""
    group, _, name = key.partition(".")
    tree.pop(key, None)
    if name:
        inner = tree.get(group)
        if not isinstance(inner, dict):
            inner = tree[group] = {}
        tree, key = inner, name
    if value is None:
        tree.pop(key, None)
    else:
        tree[key] = value
