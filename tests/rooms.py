#!/usr/bin/env python3
"""usage: rooms.py TREE

Whether each part of the tree keeps to its room: doors between rooms lead down only, CAF is in actors/
and above it, and no file is too long. One line a finding. Before that it looks whether it finds what
is planted in a small tree.
"""
import pathlib
import re
import sys
import tempfile

# Which rooms a room may include; None: all of it, else these headers alone. Its own is not listed.
WHOLE = None
DOORS = {
    "base": {},
    "config": {"base": WHOLE},
    "oci": {"base": WHOLE, "config": WHOLE},
    "kernel": {"base": WHOLE},
    "pod": {
        "base": WHOLE,
        "config": WHOLE,
        # What an image is, and which layers are in use.
        "oci": {"image.hpp", "run_params.hpp", "store.hpp"},
        # Values and interfaces; no mechanism.
        "kernel": {"cgroup.hpp", "container_defaults.hpp", "end_shims.hpp", "host_facts.hpp", "instance.hpp", "launch_failure.hpp",
                   "launch_plan.hpp", "pod_files.hpp", "port.hpp", "seccomp_filters.hpp", "session.hpp", "session_events.hpp", "stage.hpp",
                   "volumes.hpp"},
    },
    "actors": {"base": WHOLE, "config": WHOLE, "oci": WHOLE, "kernel": WHOLE, "pod": WHOLE},
    "api": {"base": WHOLE, "config": WHOLE, "oci": WHOLE, "kernel": WHOLE, "pod": WHOLE, "actors": WHOLE},
    "cli": {"base": WHOLE, "config": WHOLE, "oci": WHOLE, "kernel": WHOLE, "pod": WHOLE, "actors": WHOLE, "api": WHOLE},
    "testing": {"actors": WHOLE},
}
# The shim is a program of its own: it shares headers with its daemon's end, and nobody includes it.
SHIM = "kernel/shim/"
WITHOUT_CAF = {"base", "config", "oci", "kernel", "pod"}
LONGEST = 500
SOURCES = {".cpp", ".hpp", ".h", ".py"}
LOOKED_AT = [*DOORS, "tests", "examples", "pch", "scripts"]

INCLUDE = re.compile(r'^\s*#\s*include\s+(?:"([^"]+)"|<([^>]+)>)', re.M)


class Tree:
    def __init__(self, root):
        self.root = root
        self.texts = {}
        for top in LOOKED_AT:
            for file in sorted((root / top).rglob("*")):
                if file.suffix in SOURCES and file.is_file() and "corpus" not in file.parts:
                    self.texts[file.relative_to(root).as_posix()] = file.read_text(encoding="utf-8", errors="replace")
        self.caf = {}

    def includes(self, file):
        """Of the tree, and of others."""
        own, other = [], []
        for quoted, angled in INCLUDE.findall(self.texts[file]):
            (own if quoted in self.texts else other).append(quoted or angled)
        return own, other

    def has_caf(self, file):
        """Through whatever of the tree it includes."""
        if file not in self.caf:
            self.caf[file] = False  # headers that include each other
            own, other = self.includes(file)
            self.caf[file] = any(o.startswith("caf/") for o in other) or any(self.has_caf(o) for o in own)
        return self.caf[file]


def room_of(file):
    return file.split("/", 1)[0]


def check_doors(tree):
    for file in tree.texts:
        room = room_of(file)
        if room not in DOORS:
            continue
        for other in tree.includes(file)[0]:
            to, header = other.split("/", 1)
            if other.startswith(SHIM) and not file.startswith(SHIM):
                yield f"{file}: includes {other}: the shim is a program of its own"
            elif to in ("tests", "examples", "pch"):
                yield f"{file}: includes {other}: no source depends on {to}/"
            elif to == room or to not in DOORS:
                continue
            elif to not in DOORS[room]:
                yield f"{file}: includes {other}: there is no door from {room}/ to {to}/"
            elif DOORS[room][to] is not WHOLE and header not in DOORS[room][to]:
                yield f"{file}: includes {other}: of {to}/ {room}/ may have {', '.join(sorted(DOORS[room][to]))}"


def check_cycles(tree):
    """Whatever the table above says."""
    doors = {}
    for file in tree.texts:
        room = room_of(file)
        if room in DOORS:
            doors.setdefault(room, set()).update(room_of(o) for o in tree.includes(file)[0] if room_of(o) in DOORS and room_of(o) != room)
    found = set()

    def walk(room, way):
        if room in way:
            ring = way[way.index(room):]
            first = ring.index(min(ring))
            found.add(" -> ".join([*ring[first:], *ring[:first], min(ring)]))
            return
        for to in sorted(doors.get(room, ())):
            walk(to, [*way, room])

    for room in doors:
        walk(room, [])
    return (f"rooms include each other: {ring}" for ring in sorted(found))


def check_caf(tree):
    for file in tree.texts:
        room = room_of(file)
        if room in WITHOUT_CAF and tree.has_caf(file):
            yield f"{file}: includes CAF, which {room}/ is free of"
        if room == "actors" and not tree.has_caf(file):
            yield f"{file}: has no CAF: it belongs into another room, pod/ for instance"


def check_lengths(tree):
    for file, text in tree.texts.items():
        lines = text.count("\n")
        if lines > LONGEST:
            yield f"{file}: has {lines} lines; at most {LONGEST}"


def findings(root):
    tree = Tree(root)
    return [f for check in (check_doors, check_cycles, check_caf, check_lengths) for f in check(tree)]


def check_itself():
    """Plants one of each, and some that are allowed."""
    files = {
        "base/ok.hpp": "#include <vector>\n",
        "base/up.hpp": '#include "config/ok.hpp"\n',  # a door that is not there, and a ring
        "config/ok.hpp": '#include "base/ok.hpp"\n',
        "kernel/port.hpp": "\n",
        "kernel/wire.hpp": "\n",
        "kernel/shim/main.hpp": '#include "kernel/wire.hpp"\n',
        "kernel/peek.cpp": '#include "kernel/shim/main.hpp"\n',
        "pod/ok.hpp": '#include "kernel/port.hpp"\n',
        "pod/deep.hpp": '#include "kernel/wire.hpp"\n',
        "pod/caf.hpp": '  #  include <caf/actor.hpp>\n',
        "pod/caf_far.hpp": '#include "pod/caf.hpp"\n',
        "pod/said.hpp": '// #include <caf/actor.hpp>\n',
        "actors/caf.hpp": "#include <caf/all.hpp>\n",
        "actors/ok.cpp": '#include "actors/caf.hpp"\n#include "pod/ok.hpp"\n',
        "actors/plain.hpp": '#include "pod/ok.hpp"\n',
        "cli/ok.cpp": '#include "api/far.hpp"\n',
        "api/far.hpp": '#include "actors/caf.hpp"\n',
        "api/test.cpp": '#include "tests/kit.hpp"\n',
        "tests/kit.hpp": '#include "cli/ok.cpp"\n',
        "tests/long.cpp": "x\n" * (LONGEST + 1),
        "tests/full.cpp": "x\n" * LONGEST,
    }
    wanted = {
        "base/up.hpp: includes config/ok.hpp: there is no door",
        "rooms include each other: base -> config -> base",
        "kernel/peek.cpp: includes kernel/shim/main.hpp",
        "pod/deep.hpp: includes kernel/wire.hpp: of kernel/ pod/ may have",
        "pod/caf.hpp: includes CAF",
        "pod/caf_far.hpp: includes CAF",
        "actors/plain.hpp: has no CAF",
        "api/test.cpp: includes tests/kit.hpp",
        "tests/long.cpp: has 501 lines",
    }
    with tempfile.TemporaryDirectory() as made:
        root = pathlib.Path(made)
        for name, text in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        found = findings(root)
    missed = [w for w in wanted if not any(f.startswith(w) for f in found)]
    more = [f for f in found if not any(f.startswith(w) for w in wanted)]
    if missed or more:
        sys.exit("\n".join([*(f"not found: {m}" for m in missed), *(f"found, and not planted: {m}" for m in more)]))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    check_itself()
    found = findings(pathlib.Path(sys.argv[1]))
    print("\n".join(found) if found else "each part keeps to its room")
    sys.exit(1 if found else 0)
