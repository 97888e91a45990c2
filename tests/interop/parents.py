#!/usr/bin/env python3
"""Layers that do not name the directories of their entries: the tree must be what `umoci unpack`
makes of them, one layer after the other. Overlay by itself would show the upper layer's directory."""
import tarfile

from case import case, check, run_all
from layout import Layout, directory, file, link, tar
from tree import differences
from world import World, enter

BASE = [
    directory("a", 0o700, (5, 6), 111), directory("a/b", 0o2755, (7, 8), 222.125), file("a/b/old"),
    directory("usr", time=333), directory("usr/lib", 0o711, time=444, **{"SCHILY.xattr.user.note": "v"}),
    file("usr/lib/libc"), directory("usr/lib/sub", 0o750, time=445), file("usr/lib/sub/deep"),
    link("lib", "usr/lib"), link("up", "a/../usr"), link("again", "lib"), link("dangling", "no/where"),
    directory("w", 0o1777, time=555), file("w/x"), directory("w/y", 0o710, time=556), file("w/y/z"),
]

# name: (upper layers, directories whose time umoci changes by writing into them)
CASES = {
    "a new file": ([[file("a/b/new")]], []),
    "a new directory": ([[file("n/m/new")]], ["n", "n/m"]),
    "over two layers": ([[file("a/b/new")], [file("a/b/newer"), file("n/new")], [file("n/newer")]], ["n"]),
    "named in between": ([[directory("a/b", 0o750, (1, 2), 777)], [file("a/b/new")]], []),
    "named by the upper one": ([[file("a/b/new"), directory("a/b", 0o750, (1, 2), 777)]], []),
    "named first": ([[directory("a/b", 0o750, (1, 2), 777), file("a/b/new")]], []),
    "an opaque directory": ([[file("a/b/.wh..wh..opq"), file("a/b/new")]], []),
    "an opaque directory, and nothing else": ([[file("w/.wh..wh..opq")]], []),
    "an opaque parent": ([[file("w/.wh..wh..opq"), file("w/y/new")]], ["w", "w/y"]),
    "a whiteout": ([[file("w/.wh.x")]], []),
    "a whiteout, and the directory anew": ([[file("a/.wh.b"), file("a/b/new")]], ["a", "a/b"]),
    "removed in between": ([[file("a/.wh.b")], [file("a/b/new")]], ["a", "a/b"]),
    "hidden by a file": ([[file("a/b/new")], [file("a/b")]], []),
    "a file through a link": ([[file("lib/new")]], []),
    "a directory through a link": ([[file("lib/more/new"), file("lib/sub/new")]], ["usr/lib", "usr/lib/more"]),
    "a link to a link, and one upwards": ([[file("again/new1"), file("up/lib/new2")]], []),
    "a whiteout through a link": ([[file("lib/.wh.libc"), file("lib/sub/.wh..wh..opq")]], ["usr/lib/sub"]),
    "hard links through a link": ([[file("lib/one"), link("lib/two", "lib/one", tarfile.LNKTYPE),
                                    link("w/three", "lib/one", tarfile.LNKTYPE)]], []),
    "a link to nothing": ([[file("dangling/new")]], ["no", "no/where"]),
    "a link that a named directory replaces": ([[directory("lib", time=9), file("lib/new")]], []),
    "a link that is gone": ([[file(".wh.lib")], [file("lib/new")]], ["lib"]),
    "a link made in between": ([[link("late", "usr/lib")], [file("late/new")]], []),
    "through a link twice": ([[file("lib/new")], [file("lib/newer"), file("usr/lib/newest")]], []),
    # containerd's cases of one tree over another, as two layers.
    "a link over a directory": ([[link("w", "/a")], [file("w/new")]], []),
    "a relative link over a directory": ([[link("w", "../../a")], [file("w/new")]], []),
    "a directory over a link": ([[directory("lib", time=9), file("lib/new"),
                                  link("lib/hard", "lib/new", tarfile.LNKTYPE)]], []),
    "a link is removed, not what it leads to": ([[file(".wh.lib")]], []),
    "a name through a link that an upper layer made": ([[link("w/link", "../usr/lib")], [file("w/link/new")]], []),
    "a directory that hides others": ([[file("a/.wh..wh..opq")], [file("a/b/new")]], ["a", "a/b"]),
    # umoci's cases of marks that overlay would show where it merges nothing.
    "whiteouts in an opaque directory": ([[file("w/y/.wh.z"), file("w/.wh.before"), file("w/.wh..wh..opq"),
                                           file("w/.wh.x"), file("w/deep/er/.wh.after"), file("w/new")]],
                                         ["w", "w/y", "w/deep", "w/deep/er"]),
    "a whiteout of nothing, in a new directory": ([[file("n/.wh.nothing"), file("n/new")]], ["n"]),
    "a whiteout of nothing, on top": ([[file(".wh.nothing"), file("n/.wh..wh..opq")]], ["n"]),
    "opaque directories in one another": ([[file("w/y/.wh..wh..opq"), file("w/.wh..wh..opq"), file("w/y/a")]],
                                          ["w", "w/y"]),
    "an opaque directory where a whiteout was": ([[file(".wh.w"), file("w/.wh..wh..opq"), file("w/a")]], ["w"]),
    "everything new": ([[file(".wh..wh..opq"), file("a/b/new")]], ["a", "a/b"]),
}


def without_times(tree, names):
    return {name: {k: v for k, v in facts.items() if not (name in names and k == "mtime")}
            for name, facts in tree.items()}


def compare(world, layout, name, changed):
    world.tank("load", layout.path, f"localhost/{name}:1")
    ours = without_times(world.tree(f"localhost/{name}:1"), changed)
    theirs = without_times(world.umoci_tree(layout.path, name), changed)
    found = differences(ours, theirs)
    check(not found, f"{len(found)} differences:\n" + "\n".join(found[:20]))


def add(what, layers, changed):
    @case(what)
    def _():
        with World() as world:
            layout = Layout(f"{world.dir}/layout")
            layout.name("x", layout.image([tar(BASE), *map(tar, layers)]))
            compare(world, layout, "x", changed)
            world.check_undamaged()
            world.check_nothing_more()
            world.tank("rm", "localhost/x:1")
            world.check_empty()


for what, (layers, changed) in CASES.items():
    add(what, layers, changed)


@case("one layer on different parents, stored once")
def _():
    upper = tar([file("a/b/new"), file("lib/new")])
    others = {
        "one": tar(BASE),
        "two": tar([directory("a", 0o711, (9, 9), 1), directory("a/b", 0o700, (9, 8), 2), directory("lib", 0o500, time=3)]),
        "none": tar([file("else")]),
    }
    with World() as world:
        for name, lower in others.items():
            layout = Layout(f"{world.dir}/{name}")
            layout.name(name, layout.image([lower, upper], compress=True))
            compare(world, layout, name, ["a", "a/b", "lib"] if name == "none" else [])
        images = world.inspect(*world.names())
        check(len({i["layers"][1]["diffID"] for i in images}) == 1, "the upper layer is another")
        check(len({i["layers"][1]["directory"] for i in images}) == 2, "only the one on the link is laid apart")
        world.check_undamaged()
        world.check_nothing_more()
        # Loading again makes nothing again: what was made is found.
        before = world.stored()
        world.tank("load", f"{world.dir}/one", "localhost/again:1")
        check(world.stored()["layers"] == before["layers"], "made twice")


@case("a name through a link of its own layer that leads to a lower one is refused")
def _():
    with World() as world:
        layout = Layout(f"{world.dir}/layout")
        layout.name("x", layout.image([tar(BASE), tar([link("late", "usr/lib"), file("late/new")])]))
        said = world.tank("load", layout.path, "localhost/x:1", code=1)
        check("a link to nothing in this archive" in said, said)
        world.tank("prune")
        world.check_empty()


if __name__ == "__main__":
    enter(["umoci"])
    run_all()
