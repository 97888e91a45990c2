#!/usr/bin/env python3
"""SIGKILL during `tank image load`, 100 times at random instants: afterwards the store is
consistent, the next load succeeds, and prune leaves nothing that nobody needs."""
import io
import json
import os
import subprocess
import tarfile
import tempfile

from case import case, check, run_all
from kills import kill_loop

TANK = os.environ["TANK_PROGRAM"]
ROUNDS = int(os.environ.get("TANK_KILLS", "100"))


def tank(*args, ok=True):
    done = subprocess.run([TANK, "image", *args], env=ENV, text=True, capture_output=True)
    check(not ok or done.returncode == 0, f"{args}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def layer(seed, files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for i in range(files):
            info = tarfile.TarInfo(f"d{seed}/{i % 7}/f{i}")
            data = (f"{seed}-{i} ".encode() * 40)[: 100 + 131 * (i % 9)]
            info.size = len(data)
            info.mode = 0o644
            tar.addfile(info, io.BytesIO(data))
        big = tarfile.TarInfo(f"big{seed}")
        big.size = 1 << 20
        tar.addfile(big, io.BytesIO(os.urandom(4096) * 256))
    return out.getvalue()


def archive(path, layers, name):
    """A docker archive."""
    import hashlib

    config = json.dumps({"os": "linux", "config": {"Cmd": ["/x"]}, "rootfs": {
        "type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(l).hexdigest() for l in layers]}})
    manifest = json.dumps([{"Config": "c.json", "RepoTags": [name],
                            "Layers": [f"l{i}.tar" for i in range(len(layers))]}])
    with tarfile.open(path, "w") as tar:
        members = [(f"l{i}.tar", l) for i, l in enumerate(layers)]
        for file, data in [*members, ("c.json", config.encode()), ("manifest.json", manifest.encode())]:
            info = tarfile.TarInfo(file)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


def stored():
    """Files and directories of the store, one level where the content is an image's own."""
    images = f"{ENV['TANK_STATE_DIR']}/images"
    return {kind: sorted(os.listdir(f"{images}/{kind}"))
            for kind in ["blobs/sha256", "blobs/sha512", "layers", "records", "refs", "tmp"]}


def expected(names):
    """What must be in the store for exactly these images."""
    want = {"blobs/sha256": set(), "blobs/sha512": set(), "layers": set(), "records": set()}
    if not names:
        return want
    for image in json.loads(tank("inspect", *names, "-o", "json"))["items"]:
        for digest in [image["digest"], image["configDigest"]] + [l["digest"] for l in image["layers"]]:
            algorithm, hex_digits = digest.split(":")
            want[f"blobs/{algorithm}"].add(hex_digits)
        for l in image["layers"]:
            name = l["diffID"].replace(":", "-")
            want["layers"].add(name)
            want["records"].add(name + ".json")
    return want


def names():
    return tank("list", "-o", "name").split()


@case(f"a load killed {ROUNDS} times leaves a store that works")
def _():
    shared = [layer(i, 60) for i in range(3)]
    archive(f"{WORK}/a.tar", [*shared, layer(10, 200)], "localhost/a:1")
    archive(f"{WORK}/b.tar", [*shared, layer(11, 30), layer(12, 120)], "localhost/b:1")
    before = []

    def start(n):
        # Half of the rounds begin with another image that shares layers, half with an empty store.
        if n % 2 == 0:
            tank("load", f"{WORK}/b.tar")
        before[:] = names() if n >= 0 else []
        return subprocess.Popen([TANK, "image", "load", f"{WORK}/a.tar"], env=ENV,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def verify(n, killed):
        there = names()
        check(set(before) <= set(there), f"{before} were there, now {there}")
        check(killed or "localhost/a:1" in there, "an undisturbed load left no image")
        check(tank("verify", "--contents") == "no damage found\n", "damage")
        if n % 3 == 0:  # prune at once: what the killed one left goes, what is named stays
            tank("prune")
            left, want = stored(), expected(there)
            for kind, entries in want.items():
                check(set(left[kind]) == entries, f"{kind}: {left[kind]}, wanted {sorted(entries)}")
            check(not left["tmp"], f"tmp: {left['tmp']}")
        tank("load", f"{WORK}/a.tar")
        check("localhost/a:1" in names(), "the next load did not bring it")
        check(tank("verify", "--contents") == "no damage found\n", "damage after the next load")
        tank("prune", "--all")
        left = {kind: entries for kind, entries in stored().items() if entries}
        check(not left, f"prune left {left}")

    killed = kill_loop(ROUNDS, start, verify)
    check(killed == ROUNDS, f"only {killed} of {ROUNDS} were killed in time")


if __name__ == "__main__":
    # In memory where there is such a place: the disk's own speed says nothing here.
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="tank-kills-", dir=place) as WORK:
        ENV = {**os.environ, "TANK_STATE_DIR": f"{WORK}/state", "TANK_RUN_DIR": f"{WORK}/run",
               "TANK_CONFIG": f"{WORK}/tank.yaml"}
        open(f"{WORK}/tank.yaml", "w").close()
        run_all()
