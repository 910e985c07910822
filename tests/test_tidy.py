"""Style and structure as a test: what would make the laptop differ from the box, and drift."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FIRMWARE = ROOT / "firmware" / "lib" / "wallbox"
CORE = FIRMWARE / "core"
LINES_MAX = 400
NOT_OURS = {".git", ".venv", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis"}
NOT_OURS |= {"__pycache__", "build", "dist", "node_modules"}
TEXTS = {".py", ".md", ".toml", ".ini", ".csv", ".json", ".sh", ".txt"}
# a parcel of firmware/lib/wallbox may import itself and what is named here
ARROWS = {"core": set(), "store": set(), "link": set(), "drivers": {"core"}}
UNFINISHED = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X|HA" + r"CK)\b")
UNLIKE = {  # calls whose result differs between interpreters, or in their order
    *("float", "hash", "id", "sorted", "set", "frozenset", "round", "complex", "super", "eval"),
    *("exec", "open", "input", "print", "vars", "globals", "locals"),
}
UNLIKE_METHODS = {"sort", "items", "keys", "values", "popitem", "random", "format_map"}


def sources(folder):
    return sorted(path for path in folder.rglob("*.py") if _ours(path))


def _ours(path):
    return not NOT_OURS & set(path.relative_to(ROOT).parts)


def name(path):
    return str(path.relative_to(ROOT))


def tree(path):
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def unlike(path):
    """What the core may not contain, since interpreters differ in it, as (line, sentence)."""
    nodes = list(ast.walk(tree(path)))
    tables = _dictionaries(nodes)
    for node in nodes:
        for sentence in (*_values(node), *_structure(node), *_calls(node), *_loops(node, tables)):
            yield node.lineno, sentence


def _values(node):
    if isinstance(node, ast.Constant) and isinstance(node.value, (float, complex)):
        yield "a float: single on the box, double elsewhere"
    if isinstance(node, (ast.BinOp, ast.AugAssign)) and isinstance(node.op, ast.Div):
        yield "/ gives a float; use // on integers"
    if isinstance(node, ast.Slice) and node.step is not None:
        yield "a slice with a step"
    if isinstance(node, (ast.Set, ast.SetComp)):
        yield "a set: its order differs"


def _structure(node):
    if isinstance(node, getattr(ast, "Match", ())):
        yield "match: not on the box"
    if isinstance(node, ast.ClassDef):
        if len(node.bases) > 1:
            yield "more than one base class"
        if any("dataclass" in ast.dump(one) for one in node.decorator_list):
            yield "a dataclass: not on the box"
    if isinstance(node, ast.ExceptHandler) and node.name:
        yield "an exception bound to a name: its text differs"
    if isinstance(node, (ast.AsyncFunctionDef, ast.Await)):
        yield "the core waits for nothing"


def _calls(node):
    if isinstance(node, ast.Call):
        if isinstance(node.func, ast.Name) and node.func.id in UNLIKE:
            yield f"{node.func.id}() differs between interpreters, or has no place here"
        if isinstance(node.func, ast.Attribute) and node.func.attr in UNLIKE_METHODS:
            yield f".{node.func.attr}() differs between interpreters in its order"


def _dictionaries(nodes):
    """Names that are bound to a dict or set in this file."""
    return {
        target.id
        for node in nodes
        if isinstance(node, ast.Assign)
        and isinstance(node.value, (ast.Dict, ast.Set, ast.DictComp, ast.SetComp))
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def _loops(node, tables):
    # a dict made from a dict is looked up, never walked through: only its order would differ
    if isinstance(node, (ast.ListComp, ast.SetComp, ast.GeneratorExp)):
        walked = [one.iter for one in node.generators]
    else:
        walked = [node.iter] if isinstance(node, ast.For) else []
    for over in walked:
        if isinstance(over, (ast.Dict, ast.Set, ast.DictComp, ast.SetComp)) or (
            isinstance(over, ast.Name) and over.id in tables
        ):
            yield "iteration over a dict or set: its order differs"


def imports(path):
    """(line, dotted name inside firmware/lib/wallbox, or None and the name) of every import."""
    package = path.relative_to(FIRMWARE).parts[:-1]
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            for one in node.names:
                yield node.lineno, None, one.name
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.lineno, None, node.module
        elif isinstance(node, ast.ImportFrom):
            inside = package[: len(package) + 1 - node.level]
            assert node.level <= len(package) + 1, f"{name(path)}:{node.lineno} leaves wallbox"
            if node.module:
                inside += tuple(node.module.split("."))
            if inside:
                yield node.lineno, inside[0], ".".join(inside)
            else:
                for one in node.names:
                    yield node.lineno, one.name, one.name


@pytest.mark.parametrize("path", sources(CORE), ids=name)
def test_the_core_is_the_same_on_laptop_and_box(path):
    found = [f"{name(path)}:{line}: {sentence}" for line, sentence in unlike(path)]
    assert not found, "\n".join(found)


def test_the_core_imports_nobody():
    found = [
        f"{name(path)}:{line}: imports {module}"
        for path in sources(CORE)
        for line, parcel, module in imports(path)
        if parcel != "core" and module != "micropython"
    ]
    assert not found, "\n".join(found)


def test_arrows_point_one_way():
    found = [
        f"{name(path)}:{line}: {parcel} imports {target}"
        for parcel, allowed in ARROWS.items()
        for path in sources(FIRMWARE / parcel)
        for line, target, _module in imports(path)
        if target is not None and target not in allowed | {parcel}
    ]
    assert not found, "\n".join(found)


def test_the_simulated_hardware_imports_nothing_of_the_firmware():
    pattern = re.compile(r"^\s*(?:from|import)\s+(?:wallbox|firmware)\b", re.MULTILINE)
    assert [
        name(path)
        for path in sources(ROOT / "hw" / "sim")
        if pattern.search(path.read_text(encoding="utf-8"))
    ] == []


def test_struct_formats_say_their_byte_order():
    found = []
    for path in sources(ROOT / "firmware"):
        for node in ast.walk(tree(path)):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            if not isinstance(node.func.value, ast.Name) or node.func.value.id != "struct":
                continue
            form = node.args[0]
            if not (isinstance(form, ast.Constant) and str(form.value)[:1] in ("<", ">")):
                found.append(f"{name(path)}:{node.lineno}: begin the format with < or >")
    assert not found, "\n".join(found)


def test_no_file_is_longer_than_a_reader_can_hold():
    found = []
    for path in _texts():
        count = len(path.read_text(encoding="utf-8").splitlines())
        if count > LINES_MAX:
            found.append(f"{name(path)}: {count} lines; divide it, {LINES_MAX} are the limit")
    assert not found, "\n".join(found)


def test_nothing_is_left_unfinished():
    found = [
        f"{name(path)}: {match.group()}"
        for path in _texts()
        if (match := UNFINISHED.search(path.read_text(encoding="utf-8")))
    ]
    assert not found, "\n".join(found)


def _texts():
    for path in sorted(ROOT.rglob("*")):
        if path.suffix in TEXTS and path.is_file() and _ours(path):
            yield path


@pytest.mark.parametrize(
    "code",
    [
        "x = 1.5",
        "x = a / b",
        "x /= 2",
        "x = a[::2]",
        "for x in {1, 2}: pass",
        "T = {1: 2}\nfor x in T: pass",
        "y = [x for x in {1: 2}]",
        "x = sorted(y)",
        "y.sort()",
        "for x in y.items(): pass",
        "x = hash(y)",
        "try:\n pass\nexcept ValueError as e:\n pass",
        "class A(B, C): pass",
        "match x:\n case 1: pass",
        "@dataclass\nclass A: pass",
    ],
)
def test_the_rules_themselves_find_what_they_forbid(code, tmp_path):
    (tmp_path / "bad.py").write_text(code)
    assert list(unlike(tmp_path / "bad.py"))
