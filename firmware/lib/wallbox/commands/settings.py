"""Keys of the configuration that the operator may change from afar."""

import json
import os

from .. import build, forget
from ..core import events
from . import ACCEPTED, FAILED, REJECTED

REMOTE = ("interval_s", "seals.policy", "presence.offline_grace_h", "place.relocate_after_h")


def change(box, key: str, value, take) -> tuple:
    """In the file first, then in force. The file is replaced whole, or stays as it is."""
    if key not in REMOTE:
        return REJECTED, "key: one of " + ", ".join(REMOTE)
    from .. import config

    fresh = build.CONFIG_FILE + ".new"
    try:
        with open(build.CONFIG_FILE) as file:
            tree = json.load(file)
        group, _, name = key.partition(".")
        if name:
            tree.setdefault(group, {})[name] = value
        else:
            tree[key] = value
        config.check(tree)
        with open(fresh, "w") as file:
            json.dump(tree, file)
        os.rename(fresh, build.CONFIG_FILE)
    except config.ConfigError as error:
        return REJECTED, str(error)
    except (OSError, ValueError) as error:
        return FAILED, "%s: %s" % (build.CONFIG_FILE, error)
    finally:
        forget("wallbox", "config")
    values, error_text = build.configuration()
    if error_text:
        return FAILED, error_text
    answer = take(box, events.CONFIG, values["event"][1:])
    if answer[0] != ACCEPTED:
        return answer
    return ACCEPTED, "in force; an interval that runs ends first"
