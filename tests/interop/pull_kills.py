#!/usr/bin/env python3
"""SIGKILL during `tank image pull`, 100 times at random instants: afterwards the store is
consistent, the next pull succeeds, and prune leaves nothing that nobody needs."""
import os
import shutil

from case import case, run_all, skip
from kills import ROUNDS, kill_rounds, layer
from layout import Layout
from registry import Registry
from world import World


@case(f"a pull killed {ROUNDS} times leaves a store that works")
def _():
    # In memory where there is such a place: the disk's own speed says nothing here.
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with World(place) as world, Registry(world, secure=False) as registry:
        layout = Layout(f"{world.dir}/layout")
        shared = [layer(i, 60) for i in range(3)]
        images = {"a": layout.image([*shared, layer(10, 200)], compress=True),
                  "b": layout.image([*shared, layer(11, 30), layer(12, 120)], compress=True)}
        names = {name: registry.push(layout.name(name, image), f"{name}:1") for name, image in images.items()}
        kill_rounds(world, lambda image: ["pull", names[image]], names)


if __name__ == "__main__":
    missing = [t for t in ("skopeo", "docker-registry") if not shutil.which(t)]
    if missing:
        skip("missing programs: " + ", ".join(missing))
    run_all()
