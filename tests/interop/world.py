"""What the suites share: the program in directories of its own, other tools, and the tree of an image
as a container gets it."""
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile

from case import check, skip
from tree import survey

TANK = os.environ["TANK_PROGRAM"]


def enter(tools):
    """Skips where it cannot run; otherwise the caller goes on in a mount namespace of its own."""
    if os.geteuid() != 0:
        skip("needs root: owners and device attributes of the trees that are compared")
    missing = [t for t in tools if not shutil.which(t)]
    if missing:
        skip("missing programs: " + ", ".join(missing))
    if "TANK_INTEROP_INSIDE" not in os.environ:
        os.environ["TANK_INTEROP_INSIDE"] = "1"
        os.execvp("unshare", ["unshare", "--mount", "--propagation", "private", sys.executable, *sys.argv])


class World:
    """A scratch directory with a store, settings and a home of its own."""

    def __init__(self, place=None):
        self.scratch = tempfile.TemporaryDirectory(prefix="tank-interop-", dir=place)
        self.dir = self.scratch.name
        self.env = {**os.environ, "TANK_STATE_DIR": f"{self.dir}/state", "TANK_RUN_DIR": f"{self.dir}/run",
                    "TANK_MANIFEST_DIR": f"{self.dir}/pods", "TANK_LOG_DIR": f"{self.dir}/log",
                    "TANK_CONFIG": f"{self.dir}/tank.yaml", "HOME": self.dir, "TMPDIR": self.dir}
        for name in ("XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "REGISTRY_AUTH_FILE", "DOCKER_CONFIG"):
            self.env.pop(name, None)
        self.settings("")
        with open(f"{self.dir}/policy.json", "w") as f:
            f.write('{"default":[{"type":"insecureAcceptAnything"}]}')

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.scratch.cleanup()

    def settings(self, text):
        with open(f"{self.dir}/tank.yaml", "w") as f:
            f.write(text)

    def run(self, *args, code=0, **options):
        done = subprocess.run([str(a) for a in args], env=self.env, text=True, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
        check(done.returncode == code,
              f"{' '.join(map(str, args))}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout if code == 0 else done.stderr

    def tank(self, *args, **options):
        return self.run(TANK, "image", *args, **options)

    def start(self, *args):
        return subprocess.Popen([TANK, "image", *args], env=self.env, text=True, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def skopeo(self, *args):
        return self.run("skopeo", "--policy", f"{self.dir}/policy.json", "--insecure-policy", "--tmpdir",
                        self.dir, *args)

    def inspect(self, *names):
        return json.loads(self.tank("inspect", *names, "-o", "json"))["items"] if names else []

    @contextlib.contextmanager
    def small_disk(self, size):
        """The state directory is a file system of this size."""
        os.makedirs(f"{self.dir}/state")
        self.run("mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "tmpfs", f"{self.dir}/state")
        try:
            yield
        finally:
            self.run("umount", f"{self.dir}/state")

    @contextlib.contextmanager
    def mounted(self, name):
        """The image's root as overlay shows it."""
        (image,) = self.inspect(name)
        for d in ("mnt", "nothing"):
            os.makedirs(f"{self.dir}/{d}", exist_ok=True)
        lower = ":".join([*reversed(image["directories"]), f"{self.dir}/nothing"])
        self.run("mount", "-t", "overlay", "overlay", "-o", f"ro,lowerdir={lower}", f"{self.dir}/mnt")
        try:
            yield f"{self.dir}/mnt"
        finally:
            self.run("umount", f"{self.dir}/mnt")

    def tree(self, name):
        with self.mounted(name) as root:
            return survey(root)

    def umoci_tree(self, layout, name):
        """What `umoci unpack` makes of an image of a layout."""
        bundle = tempfile.mkdtemp(dir=self.dir)
        self.run("umoci", "unpack", "--image", f"{layout}:{name}", f"{bundle}/b")
        tree = survey(f"{bundle}/b/rootfs")
        shutil.rmtree(bundle)
        return tree

    # --- the store ---

    def stored(self):
        """Files and directories of the store, one level where the content is an image's own."""
        images = f"{self.env['TANK_STATE_DIR']}/images"
        return {kind: set(os.listdir(f"{images}/{kind}"))
                for kind in ["blobs/sha256", "blobs/sha512", "layers", "records", "refs", "tmp"]}

    def names(self):
        return self.tank("list", "-o", "name").split()

    def check_nothing_more(self):
        """The store holds what its names need, and nothing else."""
        want = {"blobs/sha256": set(), "blobs/sha512": set(), "layers": set(), "records": set(), "tmp": set()}
        for image in self.inspect(*self.names()):
            digests = [image["digest"], image["configDigest"], *(l["digest"] for l in image["layers"])]
            for d in [*digests, *([image["indexDigest"]] if image["indexDigest"] else [])]:
                algorithm, hex_digits = d.split(":")
                want[f"blobs/{algorithm}"].add(hex_digits)
            own = {l["diffID"].replace(":", "-") for l in image["layers"]}
            own |= {os.path.basename(d) for d in image["directories"] if os.path.basename(d) != "empty"}
            want["layers"] |= own
            want["records"] |= {name + ".json" for name in own}
        left = self.stored()
        for kind, entries in want.items():
            check(left[kind] == entries, f"{kind}: {left[kind]}, wanted {entries}")

    def check_empty(self):
        left = {kind: entries for kind, entries in self.stored().items() if entries}
        check(not left, f"left: {left}")

    def check_undamaged(self):
        check(self.tank("verify", "--contents") == "no damage found\n", "damage")
