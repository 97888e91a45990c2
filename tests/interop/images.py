#!/usr/bin/env python3
"""Images made by umoci, buildah and skopeo, in every format they write, loaded by tank: the tree
must be what `umoci unpack` makes of the same image. And images saved by tank, read by skopeo.

Runs in a mount namespace of its own, as root. TANK_PROGRAM names the program.
"""
import gzip
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile

from case import case, check, run_all, skip
from tree import differences, survey

TANK = os.environ["TANK_PROGRAM"]
TOOLS = ["umoci", "skopeo", "buildah"]
POLICY = '{"default":[{"type":"insecureAcceptAnything"}]}'


def run(*args, cwd=None):
    done = subprocess.run([str(a) for a in args], cwd=cwd, env=ENV, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
    check(done.returncode == 0, f"{' '.join(map(str, args))}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def skopeo(*args):
    return run("skopeo", "--policy", f"{WORK}/policy.json", "--insecure-policy", "--tmpdir", WORK, *args)


def write(path, content=b"x", mode=0o644, owner=(0, 0), ns=1_234_567_890_123_456_789):
    with open(path, "wb") as f:
        f.write(content)
    os.chown(path, *owner)
    os.chmod(path, mode)
    os.utime(path, ns=(ns, ns))


def fill(root):
    """A first layer with one of each."""
    for name, mode, owner in [("etc", 0o755, (0, 0)), ("private", 0o700, (7, 8)),
                              ("shared", 0o2775, (0, 50)), ("tmp", 0o1777, (0, 0)),
                              ("closed", 0o000, (9, 9)), ("gone", 0o755, (0, 0)),
                              ("emptied", 0o755, (0, 0)), ("becomes-file", 0o755, (0, 0)),
                              ("deep", 0o755, (0, 0))]:
        os.mkdir(f"{root}/{name}")
        os.chown(f"{root}/{name}", *owner)
        os.chmod(f"{root}/{name}", mode)
    write(f"{root}/etc/conf", b"one\n")
    write(f"{root}/etc/empty", b"", 0o600)
    write(f"{root}/shared/setuid", b"s", 0o4755, (1000, 1001))
    write(f"{root}/shared/setgid", b"s", 0o2711, (0, 2000))
    write(f"{root}/shared/plain", b"p", 0o644)
    write(f"{root}/shared/unreadable", b"u", 0o000, (65534, 65534))
    write(f"{root}/private/old", b"old", ns=0)
    write(f"{root}/private/late", b"late", ns=4_000_000_000_000_000_000)
    write(f"{root}/gone/a")
    write(f"{root}/emptied/b")
    write(f"{root}/becomes-file/c")
    write(f"{root}/becomes-dir")
    write(f"{root}/big", os.urandom(3_000_000))
    write(f"{root}/zeros", bytes(2_000_000))
    with open(f"{root}/sparse", "wb") as f:
        f.truncate(1 << 20)
        f.seek(500_000)
        f.write(b"middle")
    write(f"{root}/{'n' * 150}", b"long name")
    path = root
    for _ in range(6):
        path += "/" + "d" * 60
        os.mkdir(path)
    write(path + "/bottom", b"long path")
    write(f"{root}/na\u00efve \u2603 name", "sn\u00f6".encode())
    write(f"{root}/line\nbreak", b"nl")
    write(f"{root}/back\\slash", b"bs")
    os.symlink("conf", f"{root}/etc/relative")
    os.symlink("/etc/conf", f"{root}/etc/absolute")
    os.symlink("../../../../outside", f"{root}/etc/upwards")
    os.symlink("nothing", f"{root}/dangling")
    os.symlink("e" * 300, f"{root}/long-target")
    os.chown(f"{root}/dangling", 3, 4, follow_symlinks=False)
    write(f"{root}/linked-1", b"shared content", 0o640, (5, 6))
    os.link(f"{root}/linked-1", f"{root}/etc/linked-2")
    os.link(f"{root}/linked-1", f"{root}/shared/linked-3")
    os.mkfifo(f"{root}/fifo", 0o620)
    os.setxattr(f"{root}/etc/conf", "user.note", b"value\0with nul")
    write(f"{root}/capable", b"c", 0o755)
    # cap_net_bind_service, effective and permitted: VFS_CAP_REVISION_2
    os.setxattr(f"{root}/capable", "security.capability",
                bytes.fromhex("0100000200040000000000000000000000000000"))


def change(root):
    """A second layer: removals, replacements, additions."""
    shutil.rmtree(f"{root}/gone")
    shutil.rmtree(f"{root}/emptied")
    os.mkdir(f"{root}/emptied")
    shutil.rmtree(f"{root}/becomes-file")
    write(f"{root}/becomes-file", b"now a file")
    os.unlink(f"{root}/becomes-dir")
    os.mkdir(f"{root}/becomes-dir")
    write(f"{root}/becomes-dir/inside")
    os.unlink(f"{root}/etc/empty")
    write(f"{root}/etc/conf", b"two\n")
    os.chmod(f"{root}/private", 0o711)
    write(f"{root}/deep/added", b"new", 0o755, (12, 13))
    os.unlink(f"{root}/dangling")
    os.symlink("other", f"{root}/dangling")
    # umoci compares times by the second: within one, a changed directory would not be in its layer,
    # and a layer that names no directory of its entries has no time for it to restore.
    for changed in ("etc", "emptied", "deep"):
        os.utime(f"{root}/{changed}", ns=(10**18, 10**18))


def umoci_image():
    """An OCI layout with gzip layers, by umoci: two layers and a configuration."""
    layout = f"{WORK}/umoci"
    run("umoci", "init", "--layout", layout)
    run("umoci", "new", "--image", f"{layout}:t")
    for step, edit in enumerate([fill, change]):
        bundle = f"{WORK}/umoci-{step}"
        run("umoci", "unpack", "--image", f"{layout}:t", bundle)
        edit(f"{bundle}/rootfs")
        run("umoci", "repack", "--image", f"{layout}:t", bundle)
    run("umoci", "config", "--image", f"{layout}:t", "--config.cmd", "/bin/true", "--config.env", "A=1")
    return layout


def buildah(*args):
    return run("buildah", "--storage-driver", "vfs", "--root", f"{WORK}/b/root", "--runroot",
               f"{WORK}/b/run", *args).strip()


def buildah_image(form):
    """Two layers by buildah. Nothing is run: its containers would need more privileges here."""
    name = f"localhost/built-{form}"
    for step, edit in enumerate([fill, change]):
        c = buildah("from", "scratch" if step == 0 else name)
        edit(buildah("mount", c))
        buildah("config", "--cmd", "/bin/true", "--env", "A=1", c)
        buildah("umount", c)
        buildah("commit", "--quiet", "--format", form, c, name)
        buildah("rm", c)
    return f"containers-storage:[vfs@{WORK}/b/root+{WORK}/b/run]{name}"


def reference_tree(source, name):
    """What `umoci unpack` makes of it."""
    layout = f"{WORK}/reference-{name}"
    skopeo("copy", "--quiet", "--format", "oci", source, f"oci:{layout}:t")
    run("umoci", "unpack", "--image", f"{layout}:t", f"{WORK}/tree-{name}")
    tree = survey(f"{WORK}/tree-{name}/rootfs")
    shutil.rmtree(f"{WORK}/tree-{name}")
    return tree


def tank(*args):
    return run(TANK, "image", *args)


def loaded_tree(source, name):
    """What tank makes of it, through a real overlay of the layers."""
    tank("load", source, name)
    (image,) = json.loads(tank("inspect", name, "-o", "json"))["items"]
    lower = [l["directory"] for l in reversed(image["layers"])]
    mounted = f"{WORK}/mnt"
    os.makedirs(mounted, exist_ok=True)
    os.makedirs(f"{WORK}/nothing", exist_ok=True)
    run("mount", "-t", "overlay", "overlay", "-o", "ro,lowerdir=" + ":".join([*lower, f"{WORK}/nothing"]), mounted)
    try:
        return survey(mounted)
    finally:
        run("umount", mounted)


def compare(source, make, name):
    """`source`: skopeo's name of the image. `make(to)` writes what tank loads."""
    to = f"{WORK}/{name}.image"
    make(to)
    found = differences(loaded_tree(to, f"localhost/{name}:1"), REFERENCES[source])
    check(not found, f"{name}: {len(found)} differences:\n" + "\n".join(found[:20]))
    (image,) = json.loads(tank("inspect", f"localhost/{name}:1", "-o", "json"))["items"]
    check(image["config"]["cmd"] == ["/bin/true"] and "A=1" in image["config"]["env"], str(image["config"]))


def media_types(layout):
    """Of the layers of a layout directory."""
    with open(f"{layout}/index.json") as f:
        digest = json.load(f)["manifests"][0]["digest"].split(":")[1]
    with open(f"{layout}/blobs/sha256/{digest}") as f:
        return {l["mediaType"].rsplit(".", 1)[1] for l in json.load(f)["layers"]}


def decompress(layout, to):
    """A copy of a layout, with plain layers."""
    def put(data):
        digest = hashlib.sha256(data).hexdigest()
        with open(f"{to}/blobs/sha256/{digest}", "wb") as f:
            f.write(data)
        return {"digest": f"sha256:{digest}", "size": len(data)}

    def blob(descriptor):
        with open(f"{layout}/blobs/sha256/{descriptor['digest'].split(':')[1]}", "rb") as f:
            return f.read()

    os.makedirs(f"{to}/blobs/sha256")
    shutil.copy(f"{layout}/oci-layout", to)
    with open(f"{layout}/index.json") as f:
        index = json.load(f)
    manifest = json.loads(blob(index["manifests"][0]))
    manifest["config"].update(put(blob(manifest["config"])))
    for entry in manifest["layers"]:
        entry.update(put(gzip.decompress(blob(entry))), mediaType="application/vnd.oci.image.layer.v1.tar")
    index["manifests"][0].update(put(json.dumps(manifest).encode()))
    with open(f"{to}/index.json", "w") as f:
        json.dump(index, f)


@case("umoci's layout, as it is")
def _():
    compare(UMOCI, lambda to: shutil.copytree(UMOCI.split(":")[1], to), "umoci")


@case("OCI archives: gzip, zstd and plain layers")
def _():
    def layout(to, *options):
        skopeo("copy", "--quiet", *options, UMOCI, f"oci:{to}:t")

    for kind, options in [("tar+gzip", []), ("tar+zstd", ["--dest-compress-format", "zstd"])]:
        name = kind.replace("+", "-")
        compare(UMOCI, lambda to, o=options: layout(to, *o), name)
        check(media_types(f"{WORK}/{name}.image") == {kind}, f"skopeo wrote no {kind} layers")
    compare(UMOCI, lambda to: skopeo("copy", "--quiet", UMOCI, f"oci-archive:{to}:t"), "oci-archive")

    # None of the tools writes plain layers into a layout: here they are made of umoci's.
    compare(UMOCI, lambda to: decompress(UMOCI.split(":")[1], to), "plain")
    check(media_types(f"{WORK}/plain.image") == {"tar"}, "no plain layers")


@case("docker archives, by skopeo")
def _():
    compare(UMOCI, lambda to: skopeo("copy", "--quiet", UMOCI, f"docker-archive:{to}:localhost/x:1"), "docker")


@case("buildah's images, OCI and docker, with gzip and zstd layers")
def _():
    for form in ["oci", "docker"]:
        for kind in ["gzip", "zstd"]:
            if (form, kind) == ("docker", "zstd"):
                continue  # docker's own format knows no zstd: buildah refuses

            def push(to, form=form, kind=kind):
                buildah("push", "--quiet", "--format", "oci" if form == "oci" else "v2s2",
                        "--compression-format", kind, BUILT[form].split("]")[1], f"oci:{to}:t")

            compare(BUILT[form], push, f"buildah-{form}-{kind}")
        compare(BUILT[form], lambda to, form=form: buildah(
            "push", "--quiet", BUILT[form].split("]")[1], f"docker-archive:{to}:localhost/y:1"),
                f"buildah-{form}-archive")


@case("what tank saves, skopeo reads, and it is the same image")
def _():
    tank("load", UMOCI.split(":")[1], "localhost/round:1")
    digest = json.loads(tank("inspect", "localhost/round:1", "-o", "json"))["items"][0]["digest"]
    tank("save", "localhost/round:1", "-o", f"{WORK}/saved.tar")
    tank("save", "localhost/round:1", "-o", f"{WORK}/saved", "--format", "oci")
    for source in [f"oci-archive:{WORK}/saved.tar", f"oci:{WORK}/saved",
                   f"oci:{WORK}/saved:localhost/round:1"]:
        shown = json.loads(skopeo("inspect", source))
        check(shown["Digest"] == digest, f"{source}: {shown['Digest']} is not {digest}")
    shutil.rmtree(f"{WORK}/back", ignore_errors=True)
    skopeo("copy", "--quiet", f"oci-archive:{WORK}/saved.tar", f"oci:{WORK}/back:t")
    run("umoci", "unpack", "--image", f"{WORK}/back:t", f"{WORK}/back-tree")
    found = differences(survey(f"{WORK}/back-tree/rootfs"), REFERENCES[UMOCI])
    check(not found, "\n".join(found[:20]))
    again = subprocess.run([TANK, "image", "save", "localhost/round:1", "-o", f"{WORK}/saved.tar"],
                           env=ENV, capture_output=True, text=True)
    check(again.returncode == 1 and "File exists" in again.stderr, again.stderr)


@case("nothing of it is damaged, and nothing stays when all is removed")
def _():
    check(tank("verify", "--contents") == "no damage found\n", "verify")
    tank("prune", "--all")
    left = [os.path.join(b, f) for d in ["blobs", "layers", "records", "refs", "tmp"]
            for b, dirs, files in os.walk(f"{WORK}/state/images/{d}") for f in files]
    check(not left and not os.listdir(f"{WORK}/state/images/layers"), str(left))


if __name__ == "__main__":
    if os.geteuid() != 0:
        skip("needs root: owners and device attributes of the trees that are compared")
    missing = [t for t in TOOLS if not shutil.which(t)]
    if missing:
        skip("missing programs: " + ", ".join(missing))
    if "TANK_INTEROP_INSIDE" not in os.environ:
        os.environ["TANK_INTEROP_INSIDE"] = "1"
        os.execvp("unshare", ["unshare", "--mount", "--propagation", "private", sys.executable, *sys.argv])
    with tempfile.TemporaryDirectory(prefix="tank-interop-") as WORK:
        ENV = {**os.environ, "TANK_STATE_DIR": f"{WORK}/state", "TANK_RUN_DIR": f"{WORK}/run",
               "TANK_CONFIG": f"{WORK}/tank.yaml", "HOME": WORK, "TMPDIR": WORK}
        with open(f"{WORK}/policy.json", "w") as policy:
            policy.write(POLICY)
        open(f"{WORK}/tank.yaml", "w").close()
        UMOCI = f"oci:{umoci_image()}:t"
        BUILT = {form: buildah_image(form) for form in ["oci", "docker"]}
        REFERENCES = {source: reference_tree(source, str(i))
                      for i, source in enumerate([UMOCI, *BUILT.values()])}
        run_all()
