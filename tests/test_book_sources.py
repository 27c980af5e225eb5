"""What every chapter promises, read off the sources of the book; nothing is built or executed here."""

import inspect
import re
import symtable
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

import stmlab
from stmlab.interactive.backmatter import all_words

BOOK = Path(__file__).parent.parent / "book"
CHAPTERS = sorted(BOOK.glob("[0-9][0-9]_*.md"))
PAGES = sorted(BOOK.glob("*.md"))
# Why an article has no DOI: nothing is excused unless it stands here.
WITHOUT_DOI = {"amir2012": "no source at hand to check its DOI against; its address is that of the free text"}

CELL = re.compile(r"^(`{3,})\{code-cell\}[^\n]*\n(.*?)^\1\s*$", re.M | re.S)
HEADER = re.compile(r"\A---\n(.*?)^---\n", re.M | re.S)


def chapter(name):
    """Parametrise over the chapters, under a name that a reader recognises."""
    return pytest.mark.parametrize(name, CHAPTERS, ids=lambda path: path.stem)


def cells(text):
    """Metadata and code of each cell of a page."""
    for _, body in CELL.findall(text):
        header = HEADER.match(body)
        short = re.match(r"(?::\w+:[^\n]*\n)+", body)
        if header:
            yield yaml.safe_load(header[1]) or {}, body[header.end() :]
        elif short:
            tags = re.search(r":tags: \[(.*)\]", short[0])
            yield {"tags": re.split(r",\s*", tags[1]) if tags else []}, body[short.end() :]
        else:
            yield {}, body


def prose(text):
    """A page without its cells."""
    return CELL.sub("", text)


def section(text, title):
    """What stands under a heading, up to the next of the same depth."""
    found = re.search(rf"^## {title}\s*\n(.*?)(?=^## |\Z)", text, re.M | re.S)
    return found[1] if found else ""


def exercises(text):
    """Map the label of each exercise to its text."""
    starts = re.finditer(r"^`{3,}\{exercise(?:-start)?\}[^\n]*\n(?::\w+:[^\n]*\n)*?:label: (\S+)\n", text, re.M)
    starts = [(m.start(), m[1]) for m in starts] + [(len(text), None)]
    return {label: text[start:end] for (start, label), (end, _) in pairwise(starts)}


def test_there_are_thirteen_chapters_and_each_is_in_the_contents():
    toc = yaml.safe_load((BOOK.parent / "_toc.yml").read_text("utf-8"))

    def files(entries):
        for entry in entries:
            yield entry["file"]
            yield from files(entry.get("sections", []))

    listed = [name for part in toc["parts"] for name in files(part["chapters"])] + [toc["root"]]
    assert [path.name[:2] for path in CHAPTERS] == [f"{n:02d}" for n in range(1, 14)]
    assert sorted(listed) == sorted(f"book/{path.stem}" for path in PAGES)


@chapter("path")
def test_a_chapter_says_what_it_is_for(path):
    opening = path.read_text("utf-8").split("\n## ")[0]
    goals = re.search(r"(?:After this chapter you can|\*\*You will\*\*)\s*\n\n((?:[*-] .*\n)+)", opening)
    assert goals, "no list of goals"
    assert 3 <= goals[1].count("\n") <= 8
    assert "**You need**" in opening, "what the reader must know"
    assert re.search(r"\d+ minutes", opening), "how long it takes to read"
    assert re.search(r"run in (?:less than |about )|code runs in about", opening), "how long it runs"


@chapter("path")
def test_a_chapter_asks_before_it_shows(path):
    text = path.read_text("utf-8")
    asked = re.search(r"^(?:## Predict first|:::\{admonition\} Predict before you look)", text, re.M)
    assert asked, "no question"
    assert "?" in text[asked.end() : asked.end() + 1500]
    assert asked.start() < len(text) / 5


@chapter("path")
def test_a_chapter_has_a_figure_to_turn(path):
    turned = [code for _, code in cells(path.read_text("utf-8")) if re.search(r"^explore\(", code, re.M)]
    assert turned


@chapter("path")
def test_exercises_have_hint_and_solution(path):
    text = path.read_text("utf-8")
    found = exercises(text)
    assert len(found) >= 4
    for label, body in found.items():
        assert re.search(r"^`{3,}\{hint\}|^`{3,}\{admonition\} Hint", body, re.M), f"{label} has no hint"
        assert re.search(rf"^`{{3,}}\{{solution(?:-start)?\}} {label}\s*$", text, re.M), f"{label} has no solution"
        solution = body[re.search(r"^`{3,}\{solution", body, re.M).start() :]
        assert ":class: dropdown" in solution[:200], f"the solution of {label} is not folded"


@chapter("path")
def test_two_exercises_check_themselves(path):
    text = path.read_text("utf-8")
    called = re.compile(rf'(?:check\.|\b)answer\("({int(path.name[:2])}\.\d+)"')
    assert len(set(called.findall(text))) >= 2
    seen = [code for header, code in cells(text) if "remove-cell" not in header.get("tags", [])]
    assert called.search("\n".join([prose(text), *seen])), "a reader does not see how to check"


@chapter("path")
def test_a_chapter_sums_up(path):
    text = path.read_text("utf-8")
    assert len(re.findall(r"^[*-] ", section(text, "Summary"), re.M)) >= 3
    assert [word for word in all_words(BOOK) if word.chapter == path.name], "no glossary"
    assert ":filter: docname in docnames" in section(text, "References")
    assert re.search(r"\{cite(?::\w+)?\}`", text), "nothing is cited"


@chapter("path")
def test_computed_numbers_are_asserted_in_hidden_cells(path):
    hidden = [code for header, code in cells(path.read_text("utf-8")) if "remove-cell" in header.get("tags", [])]
    assert sum(code.count("assert ") for code in hidden) >= 5


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_figures_are_described_captioned_and_named(path):
    drawn = [(header.get("mystnb", {}), code) for header, code in cells(path.read_text("utf-8"))]
    for header, code in drawn:
        figure, image = header.get("figure"), header.get("image")
        if re.search(r"^\w.*plt\.(?:subplots|figure)\(", code, re.M):
            assert figure, f"{path.name}: a figure without a caption:\n{code[:200]}"
        if figure or image:
            assert len((image or {}).get("alt", "")) > 40, f"{path.name}: nothing says what is seen in {figure}"
            assert {"caption", "name"} <= (figure or {}).keys(), f"{path.name}: {image}"
            assert figure["name"].startswith("fig-")


def test_names_of_figures_equations_and_exercises_are_unique():
    text = "\n".join(path.read_text("utf-8") for path in PAGES)
    text = "\n".join([prose(text), *(str(header) for path in PAGES for header, _ in cells(path.read_text("utf-8")))])
    names = re.findall(r"'name': '(fig-[\w-]+)'", text)
    labels = re.findall(r"^:label: (\S+)|^\$\$ \(([\w-]+)\)$|^\(([\w-]+)\)=$", text, re.M)
    names += [label for found in labels for label in found if label]
    assert sorted(names) == sorted(set(names))


# ---- the appendix --------------------------------------------------------------------------------------


def test_the_reference_has_every_public_module_once():
    text = "".join((BOOK / f"appendix_{name}.md").read_text("utf-8") for name in ("api", "api_data"))
    assert sorted(re.findall(r"automodule:: stmlab\.(\w+)", text)) == sorted(stmlab._MODULES)


def test_every_public_name_says_what_it_does():
    for name in set(stmlab.__all__) - {"__version__"}:
        assert inspect.getdoc(getattr(stmlab, name)), name


TOPICS = """
denoising · four uses · barrier · LDOS of tip and sample · formula of the current · tight binding · constant height ·
constant current · 1 Å and at 5 Å · PID · three failures · actuator · three lateral distortions · hysteresis: domains ·
Bouc and Wen · Runge and Kutta · tilt · one orbital per atom · vacancies · (111) · (001) · dulling · LDOS of WSe₂ ·
LDOS of W | · MoS₂ · 100 000 samples · control · omissions · convolution · overfitting · U-Net · range test ·
validation · real samples · graphical interface · future work
"""


def test_every_topic_of_the_slides_leads_into_the_book():
    text = (BOOK / "appendix_slides.md").read_text("utf-8")
    rows = [row for row in re.findall(r"^\| .*\|$", text, re.M) if "---" not in row and "on the slides" not in row]
    for topic in TOPICS.split("·"):
        topic = " ".join(topic.split())
        assert [row for row in rows if topic in row[: row.index(" | ") + 3]], f"{topic} is not on the page"
    for row in rows:
        assert re.search(r"\]\((?:\d\d_\w+\.md|sec-\d)", row.split(" | ")[1]), f"no link: {row}"


# ---- the bibliography ----------------------------------------------------------------------------------


def entries():
    """Map each key of the bibliography to its kind and fields."""
    text = (BOOK / "references.bib").read_text("utf-8")
    found = {}
    for kind, key, body in re.findall(r"^@(\w+)\{([^,\s]+),\n(.*?)^\}", text, re.M | re.S):
        assert key not in found, f"{key} stands twice in the bibliography"
        found[key] = kind, dict(re.findall(r"^\s*(\w+)\s*=\s*\{(.*)\},?$", body, re.M))
    assert len(found) == text.count("\n@") + text.startswith("@")
    return found


def test_every_article_has_its_doi():
    assert WITHOUT_DOI.keys() <= entries().keys()
    for key, (kind, fields) in entries().items():
        if kind in ("article", "inproceedings"):
            assert "doi" in fields or key in WITHOUT_DOI, f"{key} has no DOI"
        assert {"author", "title"} <= fields.keys(), key
        assert "year" in fields or key == "luzny", key
        assert re.fullmatch(r"10\.\d{4,9}/\S+", fields.get("doi", "10.1234/x")), f"{key}: {fields['doi']}"


def test_no_doi_stands_twice():
    dois = [fields["doi"].lower() for _, fields in entries().values() if "doi" in fields]
    assert sorted(dois) == sorted(set(dois))


def test_every_entry_is_cited_and_every_citation_has_an_entry():
    text = "\n".join(path.read_text("utf-8") for path in PAGES)
    cited = {key.strip() for keys in re.findall(r"\{cite(?::\w+)?\}`([^`]+)`", text) for key in keys.split(",")}
    assert cited == entries().keys()


# ---- the glossary --------------------------------------------------------------------------------------


def test_no_word_is_explained_twice():
    terms = [word.term.casefold() for word in all_words(BOOK)]
    assert len(terms) > 60
    assert sorted(terms) == sorted(set(terms))


def test_links_to_words_lead_somewhere():
    terms = {word.term.casefold() for word in all_words(BOOK)}
    for path in PAGES:
        for link in re.findall(r"\{term\}`([^`]+)`", path.read_text("utf-8")):
            target = re.sub(r"^.*<(.+)>$", r"\1", " ".join(link.split()))
            assert target.casefold() in terms, f"{path.name}: {{term}}`{link}`"


class Names:
    """What a cell binds, imports aside, for they bring the same again; and what its functions read from outside."""

    def __init__(self, source):
        table = symtable.symtable(source, "cell", "exec")
        self.bound = {s.get_name() for s in table.get_symbols() if s.is_assigned() or s.is_namespace()}
        self.reads = {child.get_name(): self.outside(child) for child in table.get_children()}

    def outside(self, table):
        """Names that a function, and the functions in it, take from the notebook."""
        own = {s.get_name() for s in table.get_symbols() if s.is_global()}
        return own.union(*map(self.outside, table.get_children()))


def behind(function, known):
    """All names of the notebook that a function reads, itself or through others."""
    found, open_ = set(), {function}
    while open_:
        name = open_.pop()
        found.add(name)
        open_ |= known.get(name, set()) - found
    return found


def overwritten(sources):
    """Names that an interactive figure still needs when a later cell gives them another meaning."""
    every, lost = [Names(source) for source in sources], set()
    for k, source in enumerate(sources):
        known = {name: reads for cell in every[: k + 1] for name, reads in cell.reads.items()}
        for function in re.findall(r"^explore\(\s*(\w+)", source, re.M):
            later = set().union(*(cell.bound for cell in every[k + 1 :]))
            lost |= {(function, name) for name in behind(function, known) & later}
    return lost


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_no_later_cell_takes_a_name_from_a_live_figure(path):
    assert overwritten([source for _, source in cells(path.read_text("utf-8"))]) == set()


def test_a_name_taken_from_a_live_figure_is_found():
    shown = "a = 1\ndef inner(): return [a for b in range(2)]\ndef f(x): return inner() + x\n\nexplore(f, x=1)"
    assert overwritten([shown, "a = 2"]) == {("f", "a")}
    assert overwritten([shown, "x = b = 2\ndef other():\n    a = 3"]) == set()
