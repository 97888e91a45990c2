#!/usr/bin/env python3
"""Images made by umoci, buildah and skopeo, in every format they write, loaded by tank: the tree
must be what `umoci unpack` makes of the same image. And images saved by tank, read by skopeo.

Runs in a mount namespace of its own, as root. TANK_PROGRAM names the program.
"""
import json
import os
import shutil

from builders import Buildah, decompress, media_types, reference_tree, umoci_image
from case import case, check, run_all
from tree import differences
from world import World, enter


def compare(source, make, name):
    """`source`: skopeo's name of the image. `make(to)` writes what tank loads."""
    to = f"{WORLD.dir}/{name}.image"
    make(to)
    WORLD.tank("load", to, f"localhost/{name}:1")
    found = differences(WORLD.tree(f"localhost/{name}:1"), REFERENCES[source])
    check(not found, f"{name}: {len(found)} differences:\n" + "\n".join(found[:20]))
    (image,) = WORLD.inspect(f"localhost/{name}:1")
    check(image["config"]["cmd"] == ["/bin/true"] and "A=1" in image["config"]["env"], str(image["config"]))


@case("umoci's layout, as it is")
def _():
    compare(UMOCI, lambda to: shutil.copytree(UMOCI.split(":")[1], to), "umoci")


@case("OCI archives: gzip, zstd and plain layers")
def _():
    def layout(to, *options):
        WORLD.skopeo("copy", "--quiet", *options, UMOCI, f"oci:{to}:t")

    for kind, options in [("tar+gzip", []), ("tar+zstd", ["--dest-compress-format", "zstd"])]:
        name = kind.replace("+", "-")
        compare(UMOCI, lambda to, o=options: layout(to, *o), name)
        check(media_types(f"{WORLD.dir}/{name}.image") == {kind}, f"skopeo wrote no {kind} layers")
    compare(UMOCI, lambda to: WORLD.skopeo("copy", "--quiet", UMOCI, f"oci-archive:{to}:t"), "oci-archive")

    # None of the tools writes plain layers into a layout: here they are made of umoci's.
    compare(UMOCI, lambda to: decompress(UMOCI.split(":")[1], to), "plain")
    check(media_types(f"{WORLD.dir}/plain.image") == {"tar"}, "no plain layers")


@case("docker archives, by skopeo")
def _():
    compare(UMOCI, lambda to: WORLD.skopeo("copy", "--quiet", UMOCI, f"docker-archive:{to}:localhost/x:1"), "docker")


@case("buildah's images, OCI and docker, with gzip and zstd layers")
def _():
    for form in ["oci", "docker"]:
        for kind in ["gzip", "zstd"]:
            if (form, kind) == ("docker", "zstd"):
                continue  # docker's own format knows no zstd: buildah refuses

            def push(to, form=form, kind=kind):
                BUILDAH("push", "--quiet", "--format", "oci" if form == "oci" else "v2s2",
                        "--compression-format", kind, BUILT[form].split("]")[1], f"oci:{to}:t")

            compare(BUILT[form], push, f"buildah-{form}-{kind}")
        compare(BUILT[form], lambda to, form=form: BUILDAH(
            "push", "--quiet", BUILT[form].split("]")[1], f"docker-archive:{to}:localhost/y:1"),
                f"buildah-{form}-archive")


@case("what tank saves, skopeo reads, and it is the same image")
def _():
    WORLD.tank("load", UMOCI.split(":")[1], "localhost/round:1")
    digest = WORLD.inspect("localhost/round:1")[0]["digest"]
    WORLD.tank("save", "localhost/round:1", "-o", f"{WORLD.dir}/saved.tar")
    WORLD.tank("save", "localhost/round:1", "-o", f"{WORLD.dir}/saved", "--format", "oci")
    for source in [f"oci-archive:{WORLD.dir}/saved.tar", f"oci:{WORLD.dir}/saved",
                   f"oci:{WORLD.dir}/saved:localhost/round:1"]:
        shown = json.loads(WORLD.skopeo("inspect", source))
        check(shown["Digest"] == digest, f"{source}: {shown['Digest']} is not {digest}")
    shutil.rmtree(f"{WORLD.dir}/back", ignore_errors=True)
    WORLD.skopeo("copy", "--quiet", f"oci-archive:{WORLD.dir}/saved.tar", f"oci:{WORLD.dir}/back:t")
    found = differences(WORLD.umoci_tree(f"{WORLD.dir}/back", "t"), REFERENCES[UMOCI])
    check(not found, "\n".join(found[:20]))
    again = WORLD.tank("save", "localhost/round:1", "-o", f"{WORLD.dir}/saved.tar", code=1)
    check("File exists" in again, again)


@case("nothing of it is damaged, and nothing stays when all is removed")
def _():
    WORLD.check_undamaged()
    WORLD.check_nothing_more()
    WORLD.tank("prune", "--all")
    WORLD.check_empty()


if __name__ == "__main__":
    enter(["umoci", "skopeo", "buildah"])
    with World() as WORLD:
        UMOCI = umoci_image(WORLD)
        BUILDAH = Buildah(WORLD)
        BUILT = {form: BUILDAH.image(form) for form in ["oci", "docker"]}
        REFERENCES = {source: reference_tree(WORLD, source, str(i))
                      for i, source in enumerate([UMOCI, *BUILT.values()])}
        run_all()
