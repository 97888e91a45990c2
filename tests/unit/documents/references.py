#!/usr/bin/env python3
"""usage: references.py TREE

Whether what sources, tests, scripts and documents of a source tree refer to is there: documents
(X.md), their sections (X.md, "Section"), attack classes (SECURITY.md class 7), manual pages
(tank(1), "FILES"), links between documents, and files of the tree that comments and documents name.
One line a finding. Before that it looks whether it finds what is planted in a small tree.
"""
import pathlib
import re
import sys
import tempfile

ROOMS = "base|config|oci|kernel|pod|actors|api|cli|testing|tests|scripts|doc|examples"
TEXTS = {".cpp", ".hpp", ".py", ".md", ".build", ".in", ".yaml", ".txt", ".1", ".5", ".7", ".json", ""}
# Names of files of other projects, as test data.
DATA = {"tests/unit/documents/references.py", "tests/fuzz/corpus", "tests/unit/config/verdict_table.hpp", "tests/unit/config/golden"}

DOCUMENT = re.compile(r"(?<![\w./-])([\w./-]*\w\.md)\b")
SECTION = re.compile(r'(?<![\w./-])([\w./-]*\w\.md)`?(?:, | \(|: )"([^"\n]+)"')
BARE_SECTION = re.compile(r'\b(README|SECURITY|CONTRACT)(?:, | \()"([^"\n]+)"|"([^"\n]+)" (?:in|of) (?:the )?(README)\b(?!\.)')
CLASS = re.compile(r"\b(SECURITY\.md|SECURITY)[,:]? (?:attack )?(class|classes)?\s*(\d[\d, and to-]*)")
ATTACK_CASE = re.compile(r'TEST_CASE\("class (\d+)')
RULE_OF = re.compile(r"\b([A-Z][A-Z_]{3,})(?:\.md)?,? (?:decision|rule|section|chapter|point) \d")
PAGE = re.compile(r'(?<![\w-])(tank(?:[.-]\w+)*)\((\d)\)(?:, "([^"\n]+)")?')
LINK = re.compile(r"\]\(([^)\s]+)\)")
PATH = re.compile(r"(?<![\w./<>*-])((?:%s)/[\w./-]*\w\.(?:hpp|cpp|py|json|yaml|build|txt))\b(?![*<])" % ROOMS)
BARE = re.compile(r"(?<![\w./<>*-])([\w-]+\.(?:hpp|cpp|py))\b(?![*<])")
TEST = re.compile(r"(?<![\w./-])((?:unit|actor|root|registry|model|attack|interop)/[\w/]+|\w+_test)\b(?![./(])")
MADE = re.compile(r"output: '([\w.-]+)'")


def headings(text):
    """Of a markdown text, outside of its code."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.S | re.M)
    return [line.lstrip("#").strip() for line in re.findall(r"^#+ .*", text, re.M)]


def anchor(heading):
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")


def unwrapped(text, suffix):
    """Comments and paragraphs on one line, so that a reference may be wrapped."""
    leader = r"(?:///?<?|#|\*)?" if suffix != ".md" else ""
    return re.sub(r"[ \t]*\n[ \t]*%s[ \t]*" % leader, " ", text)


def comments(text, suffix):
    if suffix in (".cpp", ".hpp"):
        return "\n".join(re.findall(r"//.*", text))
    if suffix in (".py", ".build", "") and not text.startswith(".Dd"):
        return "\n".join(re.findall(r"(?:^|\s)#(?!include).*", text))
    return text


def numbers(text):
    found = []
    for first, last in re.findall(r"(\d+)(?:\s*(?:to|-)\s*(\d+))?", text):
        found += range(int(first), int(last or first) + 1)
    return found


class Tree:
    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.found = []
        self.files = sorted(self.walk(self.root))
        self.pages = {path.name: path.read_text() for path in self.root.glob("doc/man/*.[1-9]")}
        security = self.root / "SECURITY.md"
        rows = re.findall(r"^\| (\d+) \|", security.read_text(), re.M) if security.exists() else []
        self.classes = {int(number) for number in rows}
        self.names = {path.name for path in self.files}
        for path in self.files:
            if path.name == "meson.build":
                self.names.update(MADE.findall(path.read_text()))

    def walk(self, directory):
        for path in directory.iterdir():
            name = path.relative_to(self.root).as_posix()
            if path.is_symlink() or name in DATA or (path.name.startswith(".") and path.name != ".ci"):
                continue
            if path.is_dir():
                built = (path / "meson-private").exists() or path.name == "__pycache__"
                foreign = path.parent.name == "subprojects" and path.name not in ("packagefiles", "detect")
                if not built and not foreign:
                    yield from self.walk(path)
            elif path.suffix in TEXTS:
                yield path

    def wrong(self, path, what):
        self.found.append(f"{path.relative_to(self.root)}: {what}")

    def resolve(self, path, name):
        """A document that `path` names: beside it, or from the top."""
        name = name.lstrip("/")
        for base in (path.parent, self.root):
            if (base / name).is_file():
                return base / name
        return None

    def check(self):
        for path in self.files:
            try:
                text = path.read_text()
            except UnicodeDecodeError:
                continue
            whole = unwrapped(text, path.suffix)
            self.documents(path, whole)
            self.attack_classes(path, text, whole)
            self.manual_pages(path, text, whole)
            if path.suffix == ".md":
                self.links(path, text)
                self.tests(path, text)
            self.paths(path, text)
        return self.found

    def documents(self, path, whole):
        for name in sorted(set(DOCUMENT.findall(re.sub(r"https?://\S+", "", whole)))):
            if not self.resolve(path, name):
                self.wrong(path, f"there is no document '{name}'")
        sections = SECTION.findall(whole)
        for document, title, other_title, other in BARE_SECTION.findall(whole):
            sections.append(((document or other) + ".md", title or other_title))
        for name, title in sections:
            document = self.resolve(path, name)
            if document and title not in headings(document.read_text()):
                self.wrong(path, f"{name} has no section \"{title}\"")
            elif not document and f"'{name}'" not in "".join(self.found[-3:]):
                self.wrong(path, f"there is no document '{name}'")
        for name in sorted(set(RULE_OF.findall(whole))):
            if not self.resolve(path, name + ".md"):
                self.wrong(path, f"there is no document '{name}'")

    def attack_classes(self, path, text, whole):
        for name, word, listed in CLASS.findall(whole):
            if name == "SECURITY" or not word:
                self.wrong(path, f"write 'SECURITY.md class N', not '{name} {word}'")
            for number in numbers(listed):
                if number not in self.classes:
                    self.wrong(path, f"SECURITY.md has no class {number}")
        for number in ATTACK_CASE.findall(text):
            if int(number) not in self.classes:
                self.wrong(path, f"SECURITY.md has no class {number}")

    def manual_pages(self, path, text, whole):
        named = [(name, number, title) for name, number, title in PAGE.findall(whole)]
        is_page = path.parent == self.root / "doc/man"
        if is_page:
            named += [(name, number, "") for name, number in re.findall(r"^\.Xr (tank\S*) (\d)", text, re.M)]
            named += [(path.stem, path.suffix[1:], title) for title in re.findall(r"^\.(?:Pq see )?Sx (.*?)(?: [.,)].*)?$", text, re.M)]
        for name, number, title in named:
            page = self.pages.get(f"{name}.{number}")
            if page is None:
                self.wrong(path, f"there is no manual page {name}({number})")
            elif title and not re.search(rf"^\.S[hs] {re.escape(title)}$", page, re.M):
                self.wrong(path, f"{name}({number}) has no section \"{title}\"")

    def links(self, path, text):
        for target in LINK.findall(re.sub(r"^```.*?^```", "", text, flags=re.S | re.M)):
            if re.match(r"[a-z]+:", target):
                continue
            name, _, fragment = target.partition("#")
            document = path.parent / name if name else path
            if not document.exists():
                self.wrong(path, f"the link '{target}' leads nowhere")
            elif fragment and fragment not in [anchor(h) for h in headings(document.read_text())]:
                self.wrong(path, f"the link '{target}' leads to no section")

    def tests(self, path, text):
        for name in sorted(set(TEST.findall(text))):
            places = [self.root / "tests" / (name + end) for end in ("", ".cpp", "_test.cpp", ".py")]
            known = f"{name}.cpp" in self.names if "/" not in name else any(p.exists() for p in places)
            if not known:
                self.wrong(path, f"there is no test '{name}'")

    def paths(self, path, text):
        said = comments(text, path.suffix)
        for name in sorted(set(BARE.findall(said)) - self.names):
            self.wrong(path, f"there is no file '{name}'")
        for name in sorted(set(PATH.findall(said))):
            if not (self.root / name).exists() and not (path.parent / name).exists():
                self.wrong(path, f"there is no file '{name}'")


PLANTED = {
    "a.cpp": ("// see doc/gone.md\n", "there is no document 'doc/gone.md'"),
    "b.hpp": ('/// README.md,\n/// "Not there"\n', 'README.md has no section "Not there"'),
    "c.py": ('# see "Not here" in the README\n', 'README.md has no section "Not here"'),
    "d.cpp": ("// (SECURITY.md class 9)\n", "SECURITY.md has no class 9"),
    "e.cpp": ("// SECURITY.md classes 1 to\n// 3\n", "SECURITY.md has no class 3"),
    "f.cpp": ("// (SECURITY class 1)\n", "write 'SECURITY.md class N', not 'SECURITY class'"),
    "g.cpp": ('TEST_CASE("class 7: x") {}\n', "SECURITY.md has no class 7"),
    "h.cpp": ("// as PLANNING decision 3 says\n", "there is no document 'PLANNING'"),
    "i.md": ('tank(1), "NOTHING"\n', 'tank(1) has no section "NOTHING"'),
    "j.md": ("tank-none(5)\n", "there is no manual page tank-none(5)"),
    "k.md": ("[x](README.md#nowhere)\n", "the link 'README.md#nowhere' leads to no section"),
    "l.md": ("[x](nothing/)\n", "the link 'nothing/' leads nowhere"),
    "m.md": ("`base/gone.hpp`\n", "there is no file 'base/gone.hpp'"),
    "p.md": ("unit/pod/gone_test\n", "there is no test 'unit/pod/gone_test'"),
    "q.md": ("`gone_test: its case`\n", "there is no test 'gone_test'"),
    "o.cpp": ("// see gone.hpp and a.cpp\n", "there is no file 'gone.hpp'"),
    "doc/man/tank.1": (".Sh NAME\n.Sx ELSEWHERE .\n", 'tank(1) has no section "ELSEWHERE"'),
}
SOUND = {
    "README.md": "# Top\n## One\n[x](#one) `README.md`, \"One\"\n",
    "SECURITY.md": "| 1 | x |\n| 2 | y |\n",
    "n.cpp": '// README.md, "One"; SECURITY.md class 2; SECURITY.md classes 1 and 2; tank(1), "NAME"\n',
}


def finds_what_is_planted():
    with tempfile.TemporaryDirectory() as directory:
        tree = pathlib.Path(directory)
        (tree / "doc/man").mkdir(parents=True)
        for name, text in SOUND.items():
            (tree / name).write_text(text)
        for name, (text, _) in PLANTED.items():
            (tree / name).write_text(text)
        found = Tree(tree).check()
    wanted = [f"{name}: {what}" for name, (_, what) in PLANTED.items()]
    for line in sorted(set(wanted) - set(found)):
        print(f"not found, though planted: {line}")
    for line in sorted(set(found) - set(wanted)):
        print(f"found, though sound: {line}")
    return sorted(wanted) == sorted(found)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    if not finds_what_is_planted():
        sys.exit(1)
    tree = Tree(sys.argv[1])
    found = tree.check()
    print("\n".join(found))
    print(f"{len(tree.files)} files, {len(found)} findings")
    sys.exit(1 if found or len(tree.files) < 100 else 0)


if __name__ == "__main__":
    main()
