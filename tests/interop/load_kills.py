#!/usr/bin/env python3
"""SIGKILL during `tank image load`, 100 times at random instants: afterwards the store is
consistent, the next load succeeds, and prune leaves nothing that nobody needs."""
import hashlib
import io
import json
import os
import tarfile

from case import case, check, run_all
from kills import ROUNDS, kill_rounds, layer
from world import World


def archive(path, layers, name):
    """A docker archive."""
    config = json.dumps({"os": "linux", "config": {"Cmd": ["/x"]}, "rootfs": {
        "type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(l).hexdigest() for l in layers]}})
    manifest = json.dumps([{"Config": "c.json", "RepoTags": [name],
                            "Layers": [f"l{i}.tar" for i in range(len(layers))]}])
    with tarfile.open(path, "w") as out:
        members = [(f"l{i}.tar", l) for i, l in enumerate(layers)]
        for name, data in [*members, ("c.json", config.encode()), ("manifest.json", manifest.encode())]:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            out.addfile(info, io.BytesIO(data))


@case(f"a load killed {ROUNDS} times leaves a store that works")
def _():
    # In memory where there is such a place: the disk's own speed says nothing here.
    with World("/dev/shm" if os.access("/dev/shm", os.W_OK) else None) as world:
        shared = [layer(i, 60) for i in range(3)]
        archive(f"{world.dir}/a.tar", [*shared, layer(10, 200)], "localhost/a:1")
        archive(f"{world.dir}/b.tar", [*shared, layer(11, 30), layer(12, 120)], "localhost/b:1")
        kill_rounds(world, lambda image: ["load", f"{world.dir}/{image}.tar"],
                    {"a": "localhost/a:1", "b": "localhost/b:1"})


if __name__ == "__main__":
    run_all()
