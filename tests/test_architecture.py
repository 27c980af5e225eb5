"""The shape of the library: what may import what, how long things are, and what ``import stmlab`` costs."""

import ast
import subprocess
import sys
from pathlib import Path
from statistics import median

import pytest

import stmlab

PACKAGE = Path(stmlab.__file__).parent
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")

# The helpers of `parameters` are part of it, as are the commands that train; a package is one node.
NODE = dict.fromkeys(("_tree", "_draws", "_groups"), "parameters") | {"_learning": "cli", "_course": "cli"}
EDGES = {"plot", "interactive", "io", "check", "course", "cli"}
BASE = {
    "_resources": set(),
    "parameters": {"_resources"},
    "structures": {"kernels", "_resources"},
    "kernels": set(),
    "noise": set(),
    "relief": {"parameters", "_resources"},
    "feedback": {"kernels"},
    "piezo": {"kernels"},
    "tightbinding": {"structures", "kernels", "_resources"},
    "junction": {"kernels"},
    "tersoff_hamann": {"structures", "tightbinding"},
}
STACK = [
    ["scan", "modes", "spectra"], ["analysis", "labels", "trajectory", "assembly"], ["instrument"], ["microscope"],
    ["dataset"], ["learn"],
]  # fmt: skip


def may_import():
    """Map each node to the nodes that it may import."""
    allowed, below = dict(BASE), set(BASE)
    for row in STACK:
        allowed |= {name: set(below) for name in row}
        below |= set(row)
    return allowed | dict.fromkeys(EDGES, below | EDGES)


def node(path):
    """The node that a file belongs to."""
    first = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    return NODE.get(first, first)


def internal_imports(path, tree):
    """Yield (node imported, is it inside a function, where) for every import of stmlab in a file."""
    package = ["stmlab", *path.relative_to(PACKAGE).parts[:-1]]
    for statement, scope in statements(tree):
        names = []
        if isinstance(statement, ast.Import):
            names = [alias.name for alias in statement.names]
        elif isinstance(statement, ast.ImportFrom):
            base = package[: len(package) - statement.level + 1] if statement.level else []
            base = ".".join([*base, *([statement.module] if statement.module else [])])
            names = [f"{base}.{alias.name}" for alias in statement.names]
        for name in names:
            parts = name.split(".")
            if parts[0] == "stmlab" and len(parts) > 1 and not parts[1].startswith("__"):
                yield NODE.get(parts[1], parts[1]), scope


def statements(tree, scope=""):
    """Yield every statement with the dotted name of the function around it, empty outside functions."""
    for child in ast.iter_child_nodes(tree):
        inside = scope
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            inside = f"{scope}.{child.name}".strip(".")
        elif isinstance(child, ast.ClassDef) and not scope:
            yield from ((s, f"{child.name}.{w}" if w else "") for s, w in statements(child))
            continue
        yield child, inside
        yield from statements(child, inside)


def parsed():
    return [(path, ast.parse(path.read_text(encoding="utf-8"))) for path in MODULES]


def functions(tree):
    return [item for item in ast.walk(tree) if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef)]


def body_lines(function):
    """Lines of a function below its signature and docstring."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return function.body[-1].end_lineno - body[0].lineno + 1 if body else 0


# ---- layers -------------------------------------------------------------------------------------------


def test_every_module_has_its_place():
    assert {node(path) for path in MODULES} <= set(may_import())


def test_imports_point_downwards():
    allowed = may_import()
    wrong = [
        f"{path.relative_to(PACKAGE)} imports {name}"
        for path, tree in parsed()
        for name, scope in internal_imports(path, tree)
        if not scope and name != node(path) and name not in allowed[node(path)]
    ]
    assert not wrong


def test_only_these_imports_are_deferred_below_the_edges():
    deferred = {
        (node(path), scope)
        for path, tree in parsed()
        for name, scope in internal_imports(path, tree)
        if scope and node(path) not in EDGES and name != node(path)
    }
    assert deferred == {("scan", "Scan.save"), ("scan", "Scan.masks"), ("scan", "Scan.to_xarray")}


def test_the_checker_sees_an_import_that_points_upwards():
    deferred = "def f():\n    from .scan import Scan\n"
    tree = ast.parse(f"from .plot import show\nfrom . import io\nimport stmlab.cli\n{deferred}")
    found = list(internal_imports(PACKAGE / "junction.py", tree))
    assert found == [("plot", ""), ("io", ""), ("cli", ""), ("scan", "f")]
    deeper = ast.parse("from ..plot import show\nfrom .live import x\n")
    assert [name for name, _ in internal_imports(PACKAGE / "kernels" / "a.py", deeper)] == ["plot", "kernels"]


# ---- what an import costs -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "heavy"),
    [
        ("import stmlab", ["torch", "matplotlib", "numba", "ase", "scipy", "numpy", "pydantic"]),
        ("import stmlab; stmlab.Parameters()", ["torch", "matplotlib", "numba", "ase", "scipy"]),
        ("import stmlab.dataset", ["torch", "matplotlib"]),
        ("import stmlab.cli", ["torch", "matplotlib", "numba", "ase", "scipy", "numpy", "pydantic"]),
    ],
)
def test_imports_stay_light(code, heavy):
    report = f"{code}; import sys; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", report], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_only_learn_knows_torch():
    wrong = [path.name for path in MODULES if node(path) != "learn" and "import torch" in path.read_text("utf-8")]
    assert not wrong


@pytest.mark.parametrize("name", stmlab.__all__)
def test_every_public_name_resolves(name):
    assert getattr(stmlab, name) is not None
    assert name in dir(stmlab)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'simulat'"):
        _ = stmlab.simulat


# ---- sizes, docstrings, randomness --------------------------------------------------------------------


def test_functions_and_modules_are_short():
    sizes = {f"{path.name}:{f.lineno} {f.name}": body_lines(f) for path, tree in parsed() for f in functions(tree)}
    assert {name: size for name, size in sizes.items() if size > 40} == {}
    assert median(sizes.values()) <= 12
    lines = {str(path.relative_to(PACKAGE)): len(path.read_text("utf-8").splitlines()) for path in MODULES}
    assert {name: count for name, count in lines.items() if count > 300} == {}


def public(body, prefix=""):
    """Yield every public function, class and method with its dotted name."""
    for item in body:
        if not isinstance(item, ast.FunctionDef | ast.ClassDef) or item.name.startswith("_"):
            continue
        yield f"{prefix}{item.name}", item
        if isinstance(item, ast.ClassDef):
            yield from public(item.body, f"{prefix}{item.name}.")


def test_every_public_name_has_a_docstring():
    bare = [f"{path.stem}.{name}" for path, tree in parsed() for name, item in public(tree.body)
            if not ast.get_docstring(item)]  # fmt: skip
    assert not bare
    assert not [path.name for path, tree in parsed() if tree.body and not ast.get_docstring(tree)]


def test_there_is_no_global_randomness():
    seeded = {"Generator", "PCG64", "SeedSequence", "default_rng"}
    wrong = []
    for path, tree in parsed():
        for item in ast.walk(tree):
            code = ast.unparse(item) if isinstance(item, ast.Attribute | ast.Call | ast.Import) else ""
            drawn = code.startswith(("np.random.", "numpy.random.")) and code.split("(")[0].split(".")[2] not in seeded
            if drawn or code in ("import random", "default_rng()", "np.random.default_rng()"):
                wrong.append(f"{path.name}: {code[:60]}")
    assert not wrong
