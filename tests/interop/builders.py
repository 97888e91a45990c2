"""Images of two layers with one of everything, made by umoci and buildah; and other forms of them."""
import gzip
import hashlib
import json
import os
import shutil


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
    os.mkdir(f"{root}/bin")
    with open("/bin/busybox", "rb") as program:  # the static one: so that the image can be run
        write(f"{root}/bin/busybox", program.read(), 0o755)
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


def umoci_image(world):
    """An OCI layout with gzip layers, by umoci: two layers and a configuration."""
    layout = f"{world.dir}/umoci"
    world.run("umoci", "init", "--layout", layout)
    world.run("umoci", "new", "--image", f"{layout}:t")
    for step, edit in enumerate([fill, change]):
        bundle = f"{world.dir}/umoci-{step}"
        world.run("umoci", "unpack", "--image", f"{layout}:t", bundle)
        edit(f"{bundle}/rootfs")
        world.run("umoci", "repack", "--image", f"{layout}:t", bundle)
        shutil.rmtree(bundle)
    world.run("umoci", "config", "--image", f"{layout}:t", "--config.cmd", "/bin/true", "--config.env", "A=1")
    return f"oci:{layout}:t"


class Buildah:
    def __init__(self, world):
        self.world = world

    def __call__(self, *args):
        return self.world.run("buildah", "--storage-driver", "vfs", "--root", f"{self.world.dir}/b/root",
                              "--runroot", f"{self.world.dir}/b/run", *args).strip()

    def image(self, form):
        """Two layers. Nothing is run: its containers would need more privileges here."""
        name = f"localhost/built-{form}"
        for step, edit in enumerate([fill, change]):
            c = self("from", "scratch" if step == 0 else name)
            edit(self("mount", c))
            self("config", "--cmd", "/bin/true", "--env", "A=1", c)
            self("umount", c)
            self("commit", "--quiet", "--format", form, c, name)
            self("rm", c)
        return f"containers-storage:[vfs@{self.world.dir}/b/root+{self.world.dir}/b/run]{name}"


def reference_tree(world, source, name):
    """What `umoci unpack` makes of it."""
    layout = f"{world.dir}/reference-{name}"
    world.skopeo("copy", "--quiet", "--format", "oci", source, f"oci:{layout}:t")
    return world.umoci_tree(layout, "t")


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
