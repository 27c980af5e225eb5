"""A chapter's MyST as plain Markdown: what JupyterLab and Colab show as the book does, without Sphinx.

Boxes, exercises and folded solutions become HTML that both know; equations and figures get the numbers that they have
in the book; citations get names; and code that a chapter includes from the library is copied.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

FENCE = re.compile(r"^(`{3,}|:{3,})\{([\w:-]+)\}[ ]*(.*)$")
CODE = re.compile(r"^(`{3,})[^`]*$")
OPTION = re.compile(r"^:([\w-]+):[ ]*(.*)$")
DISPLAY = re.compile(r"\$\$(.+?)\$\$(?:[ ]*\(([\w-]+)\))?", re.DOTALL)
ROLE = re.compile(r"\{([a-z]+(?::[a-z]+)?)\}`([^`]+)`")
TARGET = re.compile(r"^\([\w-]+\)=\n+", re.MULTILINE)
LINK = re.compile(r"\[([^\[\]]*)\]\(([\w.-]+)(#[\w-]+)?\)")
TEXT_AND_TARGET = re.compile(r"^(.*?)\s*<([^<>]+)>$", re.DOTALL)
ALERTS = {"warning": "warning", "caution": "warning", "important": "success", "tip": "success", "hint": "success"}


@dataclass
class Book:
    """What a chapter refers to outside itself.

    Parameters
    ----------
    folder : Path
        The chapter's own folder, from which it names the files that it includes.
    name : str
        The chapter, as in ``05_scan_modes``.
    chapters : mapping of str to str
        Name -> title of those that exist as notebooks, which may be linked.
    equations, figures : mapping of str to str
        Label -> number in the book.
    labels : mapping of str to (str, str)
        Label -> chapter and title of a section or exercise.
    references : References, optional
        The bibliography.
    """

    folder: Path
    name: str = ""
    chapters: Mapping = field(default_factory=dict)
    equations: Mapping = field(default_factory=dict)
    figures: Mapping = field(default_factory=dict)
    labels: Mapping = field(default_factory=dict)
    references: object = None


def plain(text, book):
    """Return MyST `text` as Markdown that needs no Sphinx.

    Raises
    ------
    ValueError
        If a fence is never closed, or a directive or role is none of those that chapters use.
    """
    lines, out, prose = text.splitlines(), [], []
    while lines:
        fence, code = FENCE.match(lines[0]), CODE.match(lines[0])
        if not (fence or code):
            prose.append(lines.pop(0))
            continue
        out.append(_prose(prose, book))
        prose = []
        body, lines = _until_closed(lines, (fence or code)[1])
        out.append(_directive(fence, body, book) if fence else "\n".join(body))
    return "\n\n".join(part.strip("\n") for part in [*out, _prose(prose, book)] if part.strip()) + "\n"


def _until_closed(lines, mark):
    """Split lines behind the fence that closes the first one, and keep both fences with the block."""
    closing = re.compile(rf"^{re.escape(mark[0])}{{{len(mark)},}}[ ]*$")
    for k, line in enumerate(lines[1:], 1):
        if closing.match(line):
            return lines[: k + 1], lines[k + 1 :]
    raise ValueError(f"the block that begins with {lines[0]!r} is never closed")


# ---- prose ----


def _prose(lines, book):
    """Equations get their numbers, roles their texts; anchors go."""
    text = TARGET.sub("", "\n".join(lines) + "\n").rstrip("\n")
    text = DISPLAY.sub(lambda m: f"$${m[1]}{_tag(m[2], book)}$$", text)
    text = LINK.sub(lambda m: _link(m[1], m[2], book, m[3] or ""), text)
    return ROLE.sub(lambda m: _role(m[1], m[2], book), text)


def _tag(label, book):
    return f"\\tag{{{_number(label, book.equations)}}}\n" if label else ""


def _number(label, numbers):
    if label not in numbers:
        raise ValueError(f"nothing that is numbered has the label {label!r}")
    return numbers[label]


def _link(text, target, book, anchor=""):
    """A link to a chapter or label as one between notebooks; where none leads there, its text."""
    name = PurePosixPath(target).stem if target.endswith((".md", ".ipynb")) else target
    if name in book.labels:
        name, title = book.labels[name]
        if name == book.name:
            return f"*{text or title}*"
        text = text or title
    text = text or anchor.lstrip("#").replace("-", " ") or book.chapters.get(name, name)
    return f"[{text}]({name}.ipynb)" if name in book.chapters else text


def _role(name, content, book):
    split = TEXT_AND_TARGET.match(content)
    text, target = split.groups() if split else ("", content)
    if name == "eq":
        return f"({_number(target, book.equations)})"
    if name == "numref":
        return _number(target, book.figures)
    if name in ("doc", "ref"):
        return _link(text, target, book)
    if name == "term":
        return f"*{text or target}*"
    if name == "index":
        return text or target
    if ":" in name and not name.startswith("cite"):  # py:func and its like
        return f"`{text or target.lstrip('~')}`"
    if name.startswith("cite"):
        cited = book.references.cite([key.strip() for key in content.split(",")])
        return cited if name == "cite:t" else f"({cited})"
    raise ValueError(f"no plain form of the role {{{name}}}`{content}`")


# ---- directives ----


def _directive(fence, block, book):
    name, argument, (options, body) = fence[2], _prose([fence[3].strip()], book), _options(block[1:-1])
    kinds = options.get("class", "").split()
    if name == "index":
        return ""
    if name == "literalinclude":
        return _included(fence[3].strip(), options, book)
    if name == "bibliography":
        return book.references.listed()
    if name == "glossary":
        return _glossary(body, book)
    content = plain("\n".join(body), book)
    if name == "exercise":
        return f"---\n\n**Exercise {argument}**\n\n{content}"
    if name in ("solution", "solution-start"):
        return _folded("Solution", content) if name == "solution" else "**Solution** (in the cells that follow)\n"
    if name == "solution-end":
        return "---\n"
    if name in ("admonition", "note", "hint", "tip", "warning", "important"):
        title = argument if name == "admonition" else " ".join([name.capitalize(), argument]).strip()
        return _folded(title, content) if "dropdown" in kinds else _box(title, content, [name, *kinds])
    raise ValueError(f"no plain form of the directive {{{name}}}")


def _options(body):
    """Split the options from a directive's body."""
    options = {}
    while body and (found := OPTION.match(body[0])):
        options[found[1]] = found[2].strip('"')
        body = body[1:]
    return options, body


def _box(title, content, kinds):
    alert = next((ALERTS[kind] for kind in kinds if kind in ALERTS), "info")
    return f'<div class="alert alert-block alert-{alert}">\n\n**{title}**\n\n{content}\n</div>\n'


def _folded(title, content):
    return f"<details><summary><b>{title}</b></summary>\n\n{content}\n</details>\n"


def _glossary(body, book):
    """Terms with their indented explanations as a list."""
    entries = []
    for line in body:
        if line and not line[0].isspace():
            entries.append(f"- **{line.strip()}**:")
        elif line.strip():
            entries[-1] += f" {line.strip()}"
    return _prose(entries, book) + "\n"


def _included(name, options, book):
    """Return a piece of a file of the repository as a block of code."""
    path = book.folder / name
    text = path.read_text("utf-8")
    if "pyobject" in options:
        text = python_object(text, options["pyobject"], path)
    start = text.index(options.get("start-at", ""))
    end = text.index(options["end-before"], start) if "end-before" in options else len(text)
    shown = PurePosixPath(*path.parts[-2:]) if len(path.parts) > 1 else path
    return f"```{options.get('language', '')}\n# {shown}\n{text[start:end].rstrip()}\n```\n"


def python_object(source, name, path="the source"):
    """Return the text of a function, class or ``Class.method`` of a Python source.

    Raises
    ------
    ValueError
        If there is no such object.
    """
    found = ast.parse(source)
    for part in name.split("."):
        inside = [node for node in found.body if getattr(node, "name", None) == part]
        if not inside:
            raise ValueError(f"{path} has no {name}")
        found = inside[0]
    first = min([found.lineno, *(d.lineno for d in found.decorator_list)])
    return "\n".join(source.splitlines()[first - 1 : found.end_lineno])
