#!/usr/bin/env python3
"""What the settings say of images: where they come from, that nobody is to be asked, how much room
they may take."""
import json
import os

from case import case, check, run_all
from daemon import Daemon, busybox, pod, run_pod
from layout import Layout, file, tar
from registry import Registry
from world import TANK, World, enter


@case("registries of tank.yaml: mirrors, a prefix that lies elsewhere, blocked ones")
def _():
    layout = Layout(f"{WORLD.dir}/mirrored")
    REGISTRY.push(layout.name("t", layout.image([tar([file("x")])])), "mirrors/team/app:1")
    WORLD.settings(json.dumps({"registries": [
        {"prefix": "gone.invalid", "mirrors": [{"location": f"{REGISTRY.at}/nothing"},
                                               {"location": f"{REGISTRY.at}/mirrors"}]},
        {"prefix": "moved.invalid/x", "location": f"{REGISTRY.at}/mirrors/team"},
        {"prefix": "*.bad.invalid", "blocked": True}]}))
    try:
        WORLD.tank("pull", "gone.invalid/team/app:1", "moved.invalid/x/app:1")
        check({"gone.invalid/team/app:1", "moved.invalid/x/app:1"} <= set(WORLD.names()), str(WORLD.names()))
        check("blocked" in WORLD.tank("pull", "a.bad.invalid/x", code=1), "not blocked")
    finally:
        WORLD.settings("")


@case("with everything here nobody is asked, and no network is needed; what is not here says not_cached")
def _():
    with World() as world, Registry(world, secure=False) as registry:
        layout = Layout(f"{world.dir}/layout")
        image = registry.push(layout.name("t", layout.image([tar(busybox())])), "cached:1")
        world.tank("pull", image)
        registry.flush()
        alone = ("unshare", "--net")  # without even a loopback that is up
        for settings, policy in (("", "IfNotPresent"), ("", "Never"), ("images: {offline: true}", "Always")):
            world.settings(settings)
            run_pod(world, image, policy=policy)
            run_pod(world, image, policy=policy, prefix=alone)
        check("not_cached" in run_pod(world, f"{registry.at}/other:1", code=1, policy="Always"), "pod")
        world.settings("")
        world.run(*alone, TANK, "image", "pull", "--offline", image)
        check("not_cached" in world.tank("pull", "--offline", f"{registry.at}/other:1", code=1), "pull")
        log = registry.flush()
        check(not any('"GET ' in line or '"HEAD ' in line for line in log), "asked:\n" + "".join(log))


@case("the daemon makes room: the longest unused images go, what a pod uses stays")
def _():
    with World() as world, world.small_disk("64m"), Registry(world, secure=False) as registry:
        layout = Layout(f"{world.dir}/layout")

        def image(name, mebibytes, more=()):
            content = tar([*more, file(name, os.urandom(mebibytes << 20))])
            return registry.push(layout.name(name, layout.image([content])), f"{name}:1")

        world.settings("images: {gcHighPercent: 60, gcLowPercent: 50, gcMinimumAge: 0s, gcPeriod: 1s}")
        used, old, new = image("used", 4, busybox()), image("old", 8), image("new", 8)
        world.tank("pull", used)
        with Daemon(world) as daemon:
            daemon.put("p", pod("p", used, ("/bin/busybox", "sleep", "1000")))
            daemon.await_line("event=pod_changed", "state=running")
            world.tank("pull", old)
            world.tank("pull", new)
            daemon.await_line("event=image_removed", old)
            daemon.await_line("event=room_made")
            check(set(world.names()) == {used, new}, str(world.names()))
            check('"running"' in world.run(TANK, "get", "pods", "-o", "json"), "the pod was hurt")


if __name__ == "__main__":
    enter(["skopeo", "docker-registry", "openssl"])
    with World() as WORLD, Registry(WORLD) as REGISTRY:
        REGISTRY.invite()
        run_all()
